namespace Gateway.Store;

/// <summary>A prefix of one log: the first <paramref name="Count"/> turns of a chain's branch.</summary>
/// <param name="Chain">The chain's text, part of the response ids in it.</param>
/// <param name="Branch">"0", or the <c>Self</c> of a turn that lost a race or failed.</param>
/// <param name="Count">How many turns of that log belong to the history.</param>
internal readonly record struct PathSegment(string Chain, string Branch, int Count)
{
    /// <summary>
    /// A turn may be appended behind it, given the length of the log: none follows, and the log is no conversation's, which has writers of its own.
    /// </summary>
    public bool IsTailOf(long length) => length == Count && Branch != CommitPlan.ConversationBranch;
}
