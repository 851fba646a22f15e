namespace Gateway.Load.Run;

/// <summary>One turn of a chain in front of servers with a prefix cache.</summary>
/// <param name="Latency">From sending to the last byte, in <see cref="System.Diagnostics.Stopwatch"/> ticks.</param>
/// <param name="IsContinuation">It is not the first.</param>
/// <param name="IsHit">Its server had read the whole prompt of the turn before.</param>
/// <param name="PromptTokens">As the response says.</param>
/// <param name="CachedTokens">As the response says.</param>
internal sealed record Turn(long Latency, bool IsContinuation, bool IsHit, int PromptTokens, int CachedTokens);
