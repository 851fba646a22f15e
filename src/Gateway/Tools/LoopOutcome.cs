using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Tools;

/// <summary>How the tool loop ended. The output items are in the event stream's state.</summary>
/// <param name="End">How the last round ended.</param>
/// <param name="Error">The client's error when it failed.</param>
/// <param name="Usage">The tokens of all rounds; estimated where the server reported none.</param>
/// <param name="Notes">What must be remembered of the calls.</param>
internal sealed record LoopOutcome(RoundEnd End, ApiError? Error, Usage? Usage, CallNotes Notes)
{
    /// <summary>It was cancelled: the error is the caller's, who knows why.</summary>
    public bool IsInterrupted { get; init; }

    public static LoopOutcome Failed(ApiError error) => new(RoundEnd.Failed, error, null, new CallNotes());
}
