using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Runs;

/// <summary>How durable runs go on this replica.</summary>
internal sealed class RunMetrics
{
    private readonly UpDownCounter<long> _active;
    private readonly Counter<long> _ended;
    private readonly UpDownCounter<long> _followers;
    private readonly Counter<long> _taken;

    public RunMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(TelemetryNames.Gateway);
        _active = meter.CreateUpDownCounter<long>("gateway.runs.active", "{run}", "Durable runs that this replica makes now.");
        _followers = meter.CreateUpDownCounter<long>("gateway.runs.followers", "{client}", "Clients of this replica that follow a run as a stream now.");
        _taken = meter.CreateCounter<long>("gateway.runs.taken", "{run}", "Runs that this replica took from the queue or from another replica.");
        _ended = meter.CreateCounter<long>("gateway.runs.ended", "{run}", "Runs that ended on this replica: completed, incomplete, failed, cancelled, handed_over, lost or abandoned.");
    }

    /// <summary>Says that there is none, where nothing would be taken for unknown.</summary>
    public void NoneSoFar() => _active.Add(0);

    public void Began() => _active.Add(1);

    public void Taken() => _taken.Add(1);

    public void Ended(string how)
    {
        _active.Add(-1);
        _ended.Add(1, new KeyValuePair<string, object?>("outcome", how));
    }

    public void FollowerCame() => _followers.Add(1);

    public void FollowerLeft() => _followers.Add(-1);
}
