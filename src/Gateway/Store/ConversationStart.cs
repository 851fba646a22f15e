namespace Gateway.Store;

/// <summary>A conversation to be made.</summary>
internal sealed record ConversationStart
{
    public required string Tenant { get; init; }

    public required ConversationId Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>A JSON object.</summary>
    public required ReadOnlyMemory<byte> Metadata { get; init; }

    /// <summary>Its first items; null for none.</summary>
    public ConversationItems? Items { get; init; }

    /// <summary>How long it is kept after its last use.</summary>
    public required TimeSpan Retention { get; init; }
}
