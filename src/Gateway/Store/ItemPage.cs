namespace Gateway.Store;

/// <summary>A page of a conversation's items.</summary>
/// <param name="Items">Raw JSON, in the order asked for, without erased ones.</param>
/// <param name="HasMore">There are more items behind them.</param>
/// <param name="Cursor">The item that the page begins behind; empty when it is erased, null when there is none at its place.</param>
internal sealed record ItemPage(IReadOnlyList<ReadOnlyMemory<byte>> Items, bool HasMore, ReadOnlyMemory<byte>? Cursor);
