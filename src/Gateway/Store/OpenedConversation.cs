namespace Gateway.Store;

/// <summary>What opening a conversation gave.</summary>
/// <param name="Access">Whether it was opened. If not, all else is empty, and nothing is held.</param>
/// <param name="Length">The length of its log; what a writer appends follows there.</param>
/// <param name="Turns">Its turns, oldest first, without those that were deleted.</param>
/// <param name="LastEnvelope">The envelope of the last response in it, while that is kept; else empty.</param>
internal sealed record OpenedConversation(ConversationAccess Access, int Length, IReadOnlyList<Turn> Turns, ReadOnlyMemory<byte> LastEnvelope)
{
    /// <summary>It was not opened.</summary>
    public static OpenedConversation Refused(ConversationAccess access) => new(access, 0, [], default);
}
