using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>How one round with the model ended.</summary>
public enum RoundEnd { Completed, MaxOutputTokens, ContentFilter, Failed }

/// <summary>One tool call that the model made in a round.</summary>
/// <param name="Tool">The tool, or null when the model named one that was not offered.</param>
/// <param name="CallId">The id the client knows.</param>
/// <param name="UpstreamId">The server's id, or null when it gave none.</param>
/// <param name="OutputIndex">Where the call's item stands in the output.</param>
public sealed record RoundCall(Tool? Tool, string CallId, string? UpstreamId, int OutputIndex);

/// <summary>The outcome of a round.</summary>
/// <param name="End">How it ended.</param>
/// <param name="Error">The client's error when it failed.</param>
/// <param name="Calls">The calls made, in order; empty when it failed.</param>
/// <param name="Usage">The tokens the server reported, or null when it reported none.</param>
/// <param name="OutputBytes">The bytes of text, reasoning and arguments that came: what an estimate of the tokens rests on.</param>
public sealed record RoundOutcome(RoundEnd End, ApiError? Error, IReadOnlyList<RoundCall> Calls, Usage? Usage, long OutputBytes);
