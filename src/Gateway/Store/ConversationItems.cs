namespace Gateway.Store;

/// <summary>Items that are put into a conversation together: a turn of its log without a response.</summary>
/// <param name="Turn">What the items' ids are made of, in the conversation's chain.</param>
/// <param name="Items">The items, raw JSON, all with ids.</param>
internal sealed record ConversationItems(ResponseId Turn, IReadOnlyList<ReadOnlyMemory<byte>> Items)
{
    /// <summary>The element of the log.</summary>
    public byte[] Encode() => TurnCodec.Encode(new Turn(Items, [], default));
}
