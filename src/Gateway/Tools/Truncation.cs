using Gateway.Protocol.Responses;

namespace Gateway.Tools;

/// <summary>What <c>truncation: "auto"</c> gives up when the context is too long (Responses API reference, "truncation").</summary>
internal static class Truncation
{
    /// <summary>
    /// The items without about the oldest quarter of the conversation. System and developer messages stay, and so do the items behind the last
    /// user message; a call never stays without its output or an output without its call. The same list when there is nothing to give up.
    /// </summary>
    /// <param name="items">All items, oldest first.</param>
    /// <param name="chainItems">How many of them come from the chain: they go first; the request's own go only when none of those are left.</param>
    public static IReadOnlyList<Item> DropOldest(IReadOnlyList<Item> items, int chainItems)
    {
        var lastUser = LastIndexOfUser(items);
        var droppable = Enumerable.Range(0, Math.Max(0, lastUser)).Where(i => !IsSystem(items[i])).ToList();
        var fromChain = droppable.Where(i => i < chainItems).ToList();
        droppable = fromChain.Count > 0 ? fromChain : droppable;
        if (droppable.Count == 0)
        {
            return items;
        }

        var dropped = droppable.Take((droppable.Count + 3) / 4).ToHashSet();
        var calls = dropped.Where(i => items[i].CallIdUtf8.Length > 0).Select(i => items[i].CallId).ToHashSet(StringComparer.Ordinal);
        return [.. items.Where((item, i) => !dropped.Contains(i) && (item.CallIdUtf8.IsEmpty || !calls.Contains(item.CallId)))];
    }

    private static int LastIndexOfUser(IReadOnlyList<Item> items)
    {
        for (var i = items.Count - 1; i >= 0; i--)
        {
            if (items[i].Kind == ItemKind.Message && HasRole(items[i], "user"u8))
            {
                return i;
            }
        }

        return items.Count - 1;
    }

    private static bool IsSystem(Item item) => item.Kind == ItemKind.Message && (HasRole(item, "system"u8) || HasRole(item, "developer"u8));

    private static bool HasRole(Item item, ReadOnlySpan<byte> role) => ItemTable.RoleIs(item, role);
}
