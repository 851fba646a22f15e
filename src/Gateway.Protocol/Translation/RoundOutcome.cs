using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>How one round with the model ended, or, for the last one, the response.</summary>
public enum RoundEnd { Completed, MaxOutputTokens, ContentFilter, MaxToolCalls, Failed }

/// <summary>One tool call that the model made in a round.</summary>
/// <param name="Tool">The tool, or null when the model named one that was not offered.</param>
/// <param name="CallId">The id the client knows.</param>
/// <param name="UpstreamId">The server's id, or null when it gave none.</param>
public sealed record RoundCall(Tool? Tool, string CallId, string? UpstreamId)
{
    /// <summary>
    /// A call that has no item yet, because the gateway runs it or because it stands behind one that the gateway runs; null when its item was
    /// written as it came.
    /// </summary>
    public DeferredCall? Deferred { get; init; }
}

/// <summary>What is needed to make a call's item later.</summary>
/// <param name="Name">The name by which the model called it.</param>
/// <param name="Arguments">The arguments, JSON; of a custom tool its plain input.</param>
/// <param name="IsCut">The model was cut off in the middle of it: it must not run.</param>
public sealed record DeferredCall(string Name, string Arguments, bool IsCut);

/// <summary>The outcome of a round.</summary>
/// <param name="End">How it ended.</param>
/// <param name="Error">The client's error when it failed.</param>
/// <param name="Calls">The calls made, in order; empty when it failed.</param>
/// <param name="Usage">The tokens the server reported, or null when it reported none.</param>
/// <param name="OutputBytes">The bytes of text, reasoning and arguments that came: what an estimate of the tokens rests on.</param>
public sealed record RoundOutcome(RoundEnd End, ApiError? Error, IReadOnlyList<RoundCall> Calls, Usage? Usage, long OutputBytes)
{
    /// <summary>The server's own words of an error inside its answer, at most 2 KB. Not for clients or logs. Null when there are none.</summary>
    public string? UpstreamMessage { get; init; }

    /// <summary>The HTTP status that an error inside the server's answer names or means; null when there was none, or it says nothing of the kind.</summary>
    public int? UpstreamStatus { get; init; }
}
