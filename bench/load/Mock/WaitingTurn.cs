namespace Gateway.Load.Mock;

/// <summary>What one request asks of <see cref="WaitingModel"/>.</summary>
/// <param name="Streams">With events.</param>
/// <param name="CallsTool">There is a tool, and it has not been called yet.</param>
/// <param name="Wait">How long the model takes.</param>
/// <param name="ToolWait">How long the tool shall take.</param>
/// <param name="Before">What model and tool have waited so far in this response, in <see cref="System.Diagnostics.Stopwatch"/> ticks.</param>
internal sealed record WaitingTurn(bool Streams, bool CallsTool, TimeSpan Wait, TimeSpan ToolWait, long Before);
