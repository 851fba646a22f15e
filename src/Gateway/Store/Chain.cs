namespace Gateway.Store;

/// <summary>A prefix of one log: the first <paramref name="Count"/> turns of a chain's branch.</summary>
/// <param name="Chain">The chain's text, part of the response ids in it.</param>
/// <param name="Branch">"0", or the <c>Self</c> of a turn that lost a race or failed.</param>
/// <param name="Count">How many turns of that log belong to the history.</param>
internal readonly record struct PathSegment(string Chain, string Branch, int Count);

/// <summary>One turn as it is kept: the items it added, and what the gateway must remember about them but no client sees.</summary>
/// <param name="Input">The input items, raw JSON, all with ids.</param>
/// <param name="Output">The output items, raw JSON, as they were told.</param>
/// <param name="Private">JSON for the gateway alone (upstream tool call ids); empty when there is nothing.</param>
internal sealed record Turn(IReadOnlyList<ReadOnlyMemory<byte>> Input, IReadOnlyList<ReadOnlyMemory<byte>> Output, ReadOnlyMemory<byte> Private);

/// <summary>What is kept of a response besides its items.</summary>
/// <param name="Id">The response.</param>
/// <param name="Status">completed, incomplete, failed, ….</param>
/// <param name="CreatedAt">When it was created; lists are ordered by it.</param>
/// <param name="Path">The log prefixes that are its history, its own turn included: the last segment's last turn is its own.</param>
/// <param name="Envelope">The response object as JSON in the openai dialect with <c>"output":[]</c> empty.</param>
/// <param name="OutputOffset">Where in <paramref name="Envelope"/> the output's items belong: just behind the opening bracket.</param>
internal sealed record ResponseRecord(
    ResponseId Id, string Status, DateTimeOffset CreatedAt, IReadOnlyList<PathSegment> Path, ReadOnlyMemory<byte> Envelope, int OutputOffset);

/// <summary>A response with its own turn.</summary>
internal sealed record StoredResponse(ResponseRecord Record, Turn Turn);

/// <summary>A parent with its whole history.</summary>
/// <param name="Parent">The parent's record.</param>
/// <param name="Turns">Every turn of the history, oldest first, the parent's own last.</param>
/// <param name="ParentIsTail">No turn follows the parent in its log: a child may be appended there. When false a child opens a new chain.</param>
internal sealed record Chain(ResponseRecord Parent, IReadOnlyList<Turn> Turns, bool ParentIsTail);

/// <summary>One turn to append.</summary>
internal sealed record TurnCommit
{
    public required string Tenant { get; init; }

    /// <summary>The response. Its chain is the parent's while the parent is the tail, else a new one.</summary>
    public required ResponseId Id { get; init; }

    /// <summary>The parent's path; empty for a response that starts a chain.</summary>
    public required IReadOnlyList<PathSegment> ParentPath { get; init; }

    /// <summary>
    /// The turn can never be continued (it failed): it goes to a branch of its own, so that its log's tail stays where it is.
    /// </summary>
    public bool Aside { get; init; }

    public required string Status { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required Turn Turn { get; init; }

    public required ReadOnlyMemory<byte> Envelope { get; init; }

    public required int OutputOffset { get; init; }

    /// <summary>How long it is kept from now on. The logs on its path live at least as long.</summary>
    public required TimeSpan Retention { get; init; }
}

/// <summary>How a commit ended.</summary>
internal enum CommitOutcome
{
    /// <summary>Appended behind its parent.</summary>
    Appended,

    /// <summary>Another turn was there first: it was put into a branch of its own. Its history is the same.</summary>
    Branched,

    /// <summary>The record was there already: an earlier try of the same commit had succeeded.</summary>
    AlreadyCommitted,

    /// <summary>The log is shorter than the parent's place: data was lost. Nothing was written.</summary>
    HistoryLost,
}

/// <summary>A page of a list. At most one of the cursors is set.</summary>
internal sealed record ListQuery(int Limit, ResponseId? After, ResponseId? Before);

internal sealed record StoredPage(IReadOnlyList<StoredResponse> Data, bool HasMore);
