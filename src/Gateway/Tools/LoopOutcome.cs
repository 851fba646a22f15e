using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Tools;

/// <summary>How the tool loop ended. The output items are in the event stream's state.</summary>
/// <param name="End">How the last round ended.</param>
/// <param name="Error">The client's error when it failed.</param>
/// <param name="Usage">The tokens of all rounds; estimated where the server reported none.</param>
/// <param name="Calls">The calls that the client must answer.</param>
internal sealed record LoopOutcome(RoundEnd End, ApiError? Error, Usage? Usage, IReadOnlyList<RoundCall> Calls);
