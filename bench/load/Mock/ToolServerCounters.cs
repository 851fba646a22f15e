namespace Gateway.Load.Mock;

/// <summary>What a tool server has done since its start.</summary>
/// <param name="Requests">JSON-RPC requests by method.</param>
/// <param name="OwnTicks">What its HTTP requests took, the tool's waiting excluded, in <see cref="System.Diagnostics.Stopwatch"/> ticks.</param>
internal sealed record ToolServerCounters(IReadOnlyDictionary<string, long> Requests, long OwnTicks)
{
    public long Of(string method) => Requests.GetValueOrDefault(method);
}
