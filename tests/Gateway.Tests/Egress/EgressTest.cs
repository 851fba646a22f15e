using System.Diagnostics.Metrics;
using Gateway.Egress;
using Gateway.Policy;
using Gateway.Telemetry;
using Gateway.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Egress;

/// <summary>A guard with a scripted name server, and real servers on loopback to send requests to.</summary>
public abstract class EgressTest : IAsyncLifetime
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().AddSingleton<GatewayMetrics>().BuildServiceProvider();
    private readonly List<WebApplication> _servers = [];
    private readonly CollectedLogs _logs = new();
    private EgressGuard? _guard;

    private protected ScriptedResolver Resolver { get; } = new();

    private protected CollectedLogs Logs => _logs;

    private protected CollectedMetrics Metrics { get; private set; } = null!;

    private protected EgressOptions Options { get; } = new();

    /// <summary>The clock of the guard's own waits. It stands still unless a test moves it.</summary>
    private protected FakeTimeProvider Time { get; } = new();

    /// <summary>Made with <see cref="Options"/> as they are at the first use.</summary>
    private protected EgressGuard Guard => _guard ??= new EgressGuard(
        Microsoft.Extensions.Options.Options.Create(Options), Resolver, _services.GetRequiredService<GatewayMetrics>(), Time, LoggerFactory.Create(b => b.AddProvider(_logs)).CreateLogger<EgressGuard>());

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        Metrics = new CollectedMetrics(_services.GetRequiredService<IMeterFactory>());
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        _guard?.Dispose();
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }

        Metrics.Dispose();
        await _services.DisposeAsync();
    }

    /// <summary>The scope of a tenant that may use these hosts; of one without a list when there are none.</summary>
    private protected EgressScope Scope(params string[] toolHosts) => Guard.For(EffectivePolicy.From(new PolicyOptions { ToolHosts = toolHosts }));

    /// <summary>Starts a server on loopback. Returns its port.</summary>
    private protected async Task<int> ServeAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.Run(answer);
        await app.StartAsync(Cancellation);
        _servers.Add(app);
        return new Uri(app.Urls.First()).Port;
    }

    /// <summary>Sends a request that the guard must stop, and returns why it did.</summary>
    private protected static async Task<EgressRefusalKind> RefusedAsync(HttpClient client, HttpRequestMessage request)
    {
        var thrown = await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.SendAsync(request, Cancellation));
        var refusal = EgressRefusedException.Find(thrown);
        Assert.NotNull(refusal);
        return refusal.Kind;
    }

    private protected static Task<EgressRefusalKind> RefusedAsync(HttpClient client, string url) => RefusedAsync(client, new HttpRequestMessage(HttpMethod.Get, url));
}
