namespace Gateway.Store;

/// <summary>A page of a conversation's items.</summary>
/// <param name="Limit">The most items to return, 1 or more.</param>
/// <param name="Ascending">Oldest first.</param>
/// <param name="After">The item to begin behind, in the page's order: its turn and its number there; null for the beginning.</param>
internal sealed record ItemQuery(int Limit, bool Ascending, (ResponseId Turn, int Index)? After);
