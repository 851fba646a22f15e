namespace Gateway.Protocol.Responses;

/// <summary>A parsed and validated body of a request for conversations. Made only by <c>RequestParser</c>.</summary>
public sealed record ConversationRequest
{
    /// <summary>The items to put into the conversation; none when the request has none.</summary>
    public IReadOnlyList<Item> Items { get; init; } = [];

    /// <summary>Raw JSON object; empty when absent.</summary>
    public ReadOnlyMemory<byte> Metadata { get; init; }
}
