namespace Gateway.Store;

/// <summary>A page of a list. At most one of the cursors is set.</summary>
/// <param name="Limit">The most responses to return, 1 or more.</param>
/// <param name="After">Only responses older than this one: the newest of them.</param>
/// <param name="Before">Only responses newer than this one: those next to it.</param>
internal sealed record ListQuery(int Limit, ResponseId? After, ResponseId? Before);
