namespace Gateway.Store;

/// <summary>How a conversation is opened for a response.</summary>
internal sealed record ConversationOpening
{
    public required string Tenant { get; init; }

    public required ConversationId Id { get; init; }

    /// <summary>
    /// Names the writer's hold on the conversation: made up by the writer, different each time. Null to read only, which needs no hold and
    /// disturbs nobody's.
    /// </summary>
    public string? Token { get; init; }

    /// <summary>
    /// The hold is that of a durable run, which is named by the token. A run that has ended, or was removed since it was taken, opens nothing:
    /// nobody would give its hold back.
    /// </summary>
    public bool IsRuns { get; init; }

    /// <summary>How long the hold lasts unless it is renewed, by the store's clock. One that this token has already is never shortened.</summary>
    public TimeSpan Lease { get; init; }

    /// <summary>The most bytes of turns to read.</summary>
    public required long MostBytes { get; init; }

    /// <summary>How long the conversation is kept from now on: this is a use of it.</summary>
    public required TimeSpan Retention { get; init; }
}
