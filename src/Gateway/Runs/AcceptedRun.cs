using Gateway.Protocol.Responses;
using Gateway.Responses;

namespace Gateway.Runs;

/// <summary>What the replica that accepted a run knows of it already: it need not be read again.</summary>
/// <param name="Prepared">The response, checked and with its conversation loaded.</param>
/// <param name="Told">The events that were put into the store with it.</param>
/// <param name="Refused">Called when it ended before anything was made, and the store has nothing of it any more.</param>
internal sealed record AcceptedRun(PreparedResponse Prepared, ToldEvents Told, Func<ValueTask> Refused)
{
    /// <summary>
    /// Why it ends before anything was told: the client that waits for its first event gets this answer when it finds the run gone. Set before the run
    /// is removed.
    /// </summary>
    public ApiError? Error { get; set; }
}
