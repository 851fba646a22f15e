using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Tools;

/// <summary>How server-run tools go. Tags have few values: a tool is named only where the operator configured it.</summary>
internal sealed class ToolMetrics
{
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60],
    };

    private readonly Histogram<double> _duration;
    private readonly Counter<long> _limits;

    public ToolMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(TelemetryNames.Gateway);
        _duration = meter.CreateHistogram("gateway.tool.call.duration", "s", "Calls of server-run tools, by tool and outcome.", advice: Seconds);
        _limits = meter.CreateCounter<long>("gateway.tool.limits", "{response}", "Responses in which a limit ended the use of server-run tools.");
    }

    /// <param name="tool">The hosted type, the label of a server of the operator's, or <c>mcp</c> for servers that clients name.</param>
    /// <param name="outcome">completed, failed, timeout, refused or cancelled.</param>
    /// <param name="duration">From the start of the call to its outcome.</param>
    public void CallEnded(string tool, string outcome, TimeSpan duration) => _duration.Record(
        duration.TotalSeconds, new KeyValuePair<string, object?>("tool", tool), new KeyValuePair<string, object?>("outcome", outcome));

    public void LimitReached(ToolLimit limit) => _limits.Add(1, new KeyValuePair<string, object?>("limit", limit switch
    {
        ToolLimit.ToolCalls => "tool_calls",
        ToolLimit.Rounds => "rounds",
        ToolLimit.RepeatedCalls => "repeated_calls",
        _ => "none",
    }));
}
