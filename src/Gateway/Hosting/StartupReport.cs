using Gateway.Policy;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;

namespace Gateway.Hosting;

/// <summary>Reports once, after the server listens: unknown configuration keys to the log, the first metric, and the start-up block to standard output.</summary>
internal sealed class StartupReport(
    IHostApplicationLifetime lifetime,
    IServer server,
    IConfiguration configuration,
    IEnumerable<KnownSection> known,
    IEnumerable<IStartupLine> lines,
    TenantDirectory tenants,
    IOptions<HostingOptions> options,
    TimeProvider time,
    GatewayMetrics metrics,
    ILogger<StartupReport> logger) : BackgroundService
{
    /// <summary>How long all features together may take to describe themselves (an upstream's models are asked for over the network).</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        metrics.NoStreamSoFar();
        foreach (var (key, hint) in UnknownKeys.Find(configuration, [.. known]))
        {
            HostingLog.UnknownKey(logger, key, hint);
        }

        // Services start before the server does: its addresses are known only after the start.
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = lifetime.ApplicationStarted.Register(started.SetResult);
        try
        {
            await started.Task.WaitAsync(stoppingToken);
            await ReportAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped before it was started, or before everything was said: there is nobody to report to.
        }
    }

    private async Task ReportAsync(CancellationToken stoppingToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, patience.Token);
        List<StartupText> texts = [];
        foreach (var line in lines)
        {
            texts.Add(await line.DescribeAsync(either.Token));
        }

        if (options.Value.Banner)
        {
            var addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
            await Console.Out.WriteAsync(StartupBanner.Render([.. addresses], texts, tenants.RequiresKey));
        }
    }
}
