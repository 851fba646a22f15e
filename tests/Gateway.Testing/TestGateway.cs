using System.Diagnostics.Metrics;
using Gateway.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Gateway.Testing;

/// <summary>The executable's own pipeline in this process, on a real loopback socket and with a real store.</summary>
public sealed class TestGateway : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TemporaryFolder? _folder;

    private TestGateway(WebApplication app, CollectedLogs logs, CollectedMetrics metrics, TemporaryFolder? folder)
    {
        _app = app;
        _folder = folder;
        Logs = logs;
        Metrics = metrics;
        BaseAddress = new Uri(app.Urls.First());
        Client = new HttpClient { BaseAddress = BaseAddress, Timeout = TimeSpan.FromSeconds(60) };
    }

    public Uri BaseAddress { get; }

    /// <summary>A client of this gateway without credentials.</summary>
    public HttpClient Client { get; }

    public CollectedLogs Logs { get; }

    public CollectedMetrics Metrics { get; }

    public IServiceProvider Services => _app.Services;

    /// <summary>Error logs that the test provokes; every other one fails it in <see cref="DisposeAsync"/>.</summary>
    public Func<CollectedLog, bool> AllowedErrors { get; set; } = _ => false;

    public static async Task<TestGateway> StartAsync(TestGatewayOptions options)
    {
        var folder = options.StorePath is null ? new TemporaryFolder() : null;
        var logs = new CollectedLogs();
        var app = GatewayApplication.Build(options.ToArguments(options.StorePath ?? folder!.Path), builder =>
        {
            builder.Logging.ClearProviders().AddProvider(logs);
            if (options.Time is not null)
            {
                builder.Services.AddSingleton(options.Time);
            }

            options.ConfigureServices?.Invoke(builder.Services);
        });
        CollectedMetrics? metrics = null;
        try
        {
            metrics = new CollectedMetrics(app.Services.GetRequiredService<IMeterFactory>());
            await app.StartAsync();
            var gateway = new TestGateway(app, logs, metrics, folder);
            if (options.WaitUntilReady)
            {
                await gateway.WaitUntilReadyAsync();
            }

            return gateway;
        }
        catch
        {
            metrics?.Dispose();
            await app.DisposeAsync();
            folder?.Dispose();
            throw;
        }
    }

    /// <summary>As a load balancer would: no request is sent before the gateway says that it is ready (its store was reached).</summary>
    public async Task WaitUntilReadyAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        do
        {
            using var answer = await Client.GetAsync(new Uri("/health/ready", UriKind.Relative), patience.Token);
            if (answer.IsSuccessStatusCode)
            {
                return;
            }
        }
        while (await polls.WaitForNextTickAsync(patience.Token));
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        // Streams that a test left open end here, not after the drain time.
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
        Metrics.Dispose();
        _folder?.Dispose();
        if (Logs.Errors.Where(log => !AllowedErrors(log)).ToArray() is { Length: > 0 } errors)
        {
            throw new UnexpectedErrorsException(errors);
        }
    }
}
