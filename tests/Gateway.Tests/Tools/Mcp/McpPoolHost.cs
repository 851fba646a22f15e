using System.Diagnostics.Metrics;
using Gateway.Egress;
using Gateway.Policy;
using Gateway.Telemetry;
using Gateway.Testing;
using Gateway.Tools;
using Gateway.Tools.Mcp;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Tools.Mcp;

/// <summary>A pool of its own for one test, with a clock that the test moves.</summary>
internal sealed class McpPoolHost : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    public McpPoolHost(Action<McpOptions>? configure = null, Action<EgressOptions>? egress = null)
    {
        _services = new ServiceCollection()
            .AddMetrics()
            .AddLogging(logging => logging.AddProvider(Logs).SetMinimumLevel(LogLevel.Trace))
            .Configure<ToolsOptions>(options => configure?.Invoke(options.Mcp))
            .Configure<EgressOptions>(options => egress?.Invoke(options))
            .AddSingleton<TimeProvider>(Time)
            .AddSingleton<GatewayMetrics>()
            .AddSingleton<McpMetrics>()
            .AddSingleton<IHostResolver, DnsHostResolver>()
            .AddSingleton<EgressGuard>()
            .AddSingleton<McpConnector>()
            .AddSingleton<McpClientPool>()
            .BuildServiceProvider();
        Metrics = new CollectedMetrics(_services.GetRequiredService<IMeterFactory>());
        Pool = _services.GetRequiredService<McpClientPool>();
        Guard = _services.GetRequiredService<EgressGuard>();
    }

    public FakeTimeProvider Time { get; } = new();

    public CollectedLogs Logs { get; } = new();

    public CollectedMetrics Metrics { get; }

    public McpClientPool Pool { get; }

    public EgressGuard Guard { get; }

    /// <summary>A server that the pool may reach on loopback.</summary>
    public McpServer Server(Uri url, McpTransport transport = McpTransport.Http, string tenant = "acme", params (string Name, string Value)[] headers) => new()
    {
        Tenant = tenant,
        Label = "tools",
        Url = url,
        Transport = transport,
        Headers = [.. headers.Select(header => KeyValuePair.Create(header.Name, header.Value))],
        Egress = Guard.Operator,
    };

    /// <summary>The scope of a tenant who may reach public addresses only.</summary>
    public EgressScope TenantScope() => Guard.For(EffectivePolicy.From(new PolicyOptions()));

    /// <summary>Waits until so many connections are open.</summary>
    public Task ConnectionsAsync(int count) => Metrics.WaitForSumAsync("gateway.mcp.connections", count);

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        Metrics.Dispose();
    }
}
