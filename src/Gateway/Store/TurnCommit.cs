namespace Gateway.Store;

/// <summary>One turn to append.</summary>
internal sealed record TurnCommit
{
    public required string Tenant { get; init; }

    /// <summary>The response. Its chain is the parent's while the parent is the tail, else a new one.</summary>
    public required ResponseId Id { get; init; }

    /// <summary>The parent's path; empty for a response that starts a chain.</summary>
    public required IReadOnlyList<PathSegment> ParentPath { get; init; }

    /// <summary>
    /// The conversation that the turn joins, as its writer; null for none. The parent's path is then that prefix of the conversation's log
    /// that the writer has seen, and the turn is appended right behind it or not at all.
    /// </summary>
    public ConversationLock? Conversation { get; init; }

    /// <summary>
    /// The turn can never be continued (it failed): it goes to a branch of its own, so that its log's tail stays where it is.
    /// </summary>
    public bool Aside { get; init; }

    public required string Status { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required Turn Turn { get; init; }

    public required ReadOnlyMemory<byte> Envelope { get; init; }

    public required int OutputOffset { get; init; }

    /// <summary>
    /// What may be taken (<see cref="IResponseStore.ClaimAsync"/>) by turns that follow this one: what is taken of it already stays taken at least
    /// as long as this turn is kept. Default nothing.
    /// </summary>
    public IReadOnlyList<string> Claims { get; init; } = [];

    /// <summary>How long it is kept from now on. The logs on its path live at least as long.</summary>
    public required TimeSpan Retention { get; init; }

    /// <summary>The durable run that made the turn; null when it was made without one.</summary>
    public RunFence? Run { get; init; }
}
