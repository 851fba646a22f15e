using Gateway.Protocol.Responses;

namespace Gateway.Upstream;

/// <summary>Which side failed, and in which phase. Decides about blame, retry and the client's error.</summary>
internal enum UpstreamFailure
{
    None,

    /// <summary>No destination is healthy, or none is left to try.</summary>
    NoDestination,

    /// <summary>Could not connect within ConnectTimeout, or the connection broke before an answer.</summary>
    Connect,

    /// <summary>No first byte or first chunk within FirstByteTimeout.</summary>
    FirstByteTimeout,

    /// <summary>Silence between chunks for longer than IdleTimeout.</summary>
    IdleTimeout,

    /// <summary>The server answered with an error status, or an error object inside a 200.</summary>
    Refused,

    /// <summary>The stream broke, ended early, or was not understood.</summary>
    Protocol,

    /// <summary>The answer is larger than the gateway takes: the request's doing, and no sign of sickness.</summary>
    TooLarge,
}

/// <summary>
/// The outcome of sending a <see cref="ChatCall"/>: a body to read, or a failure. Disposing it releases the connection and the
/// destination's in-flight count.
/// </summary>
internal abstract class ChatReply : IAsyncDisposable
{
    /// <summary><see cref="UpstreamFailure.None"/> when there is a body to read.</summary>
    public UpstreamFailure Failure { get; init; }

    /// <summary>The client's error when it failed.</summary>
    public ApiError? Error { get; init; }

    /// <summary>The text of the server's error message, at most 2 KB; for recognising a refused parameter, never for a client or a log.</summary>
    public string? UpstreamMessage { get; init; }

    /// <summary>The body is an event stream (by content type), not one JSON document.</summary>
    public bool IsEventStream { get; init; }

    /// <summary>The body. <see cref="Stream.Null"/> when it failed.</summary>
    public Stream Body { get; init; } = Stream.Null;

    /// <summary>The longest wait for the first meaningful chunk: what the attempt has left of its time.</summary>
    public TimeSpan FirstByteTimeout { get; init; }

    /// <summary>The longest silence between chunks.</summary>
    public TimeSpan IdleTimeout { get; init; }

    /// <summary>Tells the destination's health how the body went on after the headers. Called at most once; success when never called, unless the caller gave up.</summary>
    public abstract void ReportFailure(UpstreamFailure failure);

    /// <summary>Instead of <see cref="ReportFailure"/>: the server told an error inside its 200, before anything else or in the middle.</summary>
    /// <param name="status">The status that the error names or means: it counts as that status itself would. Null counts as nothing.</param>
    public abstract void ReportRefusal(int? status);

    /// <summary>The text without any secret of the upstream: servers quote keys back.</summary>
    public abstract string HideSecrets(string text);

    /// <summary>Counts the usage that the answer told for its destination.</summary>
    /// <param name="inputTokens">The tokens of the prompt.</param>
    /// <param name="cachedTokens">Those of them that the destination had in its prompt cache.</param>
    public abstract void ReportUsage(long inputTokens, long cachedTokens);

    public abstract ValueTask DisposeAsync();
}
