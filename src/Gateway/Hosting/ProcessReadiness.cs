using Gateway.Telemetry;

namespace Gateway.Hosting;

/// <summary>The process' own part of readiness: started, and not draining.</summary>
internal sealed class ProcessReadiness(IHostApplicationLifetime lifetime, Drain drain) : IReadinessPart
{
    private static readonly ReadinessState Starting = new(false, "starting");
    private static readonly ReadinessState Draining = new(false, "draining");

    public string Name => "process";

    public ReadinessState Check() =>
        drain.IsDraining ? Draining : lifetime.ApplicationStarted.IsCancellationRequested ? ReadinessState.Ok : Starting;
}
