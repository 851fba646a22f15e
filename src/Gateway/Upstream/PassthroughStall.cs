namespace Gateway.Upstream;

/// <summary>
/// How long a client may take nothing of what waits for it; then it is cut off, as if it had left. Without one it is waited for as long as for a model
/// server.
/// </summary>
internal sealed record PassthroughStall(TimeSpan Longest);
