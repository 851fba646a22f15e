namespace Gateway.Store;

/// <summary>A page of a list. At most one of the cursors is set.</summary>
/// <param name="Limit">The most responses to return, 1 or more.</param>
/// <param name="After">Only responses older than this one: the newest of them.</param>
/// <param name="Before">Only responses newer than this one: those next to it.</param>
internal sealed record ListQuery(int Limit, ResponseId? After, ResponseId? Before)
{
    /// <summary>
    /// A page ends behind the response with which it has that many bytes, however few they are: a hundred large ones need not fit in memory. A store
    /// that reads several at once may give as many more. Default: no limit.
    /// </summary>
    public long MostBytes { get; init; } = long.MaxValue;
}
