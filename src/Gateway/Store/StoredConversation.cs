namespace Gateway.Store;

/// <summary>What is kept of a conversation besides its items.</summary>
/// <param name="Id">The conversation.</param>
/// <param name="CreatedAt">When it was created.</param>
/// <param name="Metadata">A JSON object.</param>
internal sealed record StoredConversation(ConversationId Id, DateTimeOffset CreatedAt, ReadOnlyMemory<byte> Metadata);
