using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Tools;

/// <summary>
/// What <c>truncation: "auto"</c> can give up of a context that is too long, oldest first (Responses API reference, "truncation"). System and
/// developer messages stay, and so do the items behind the last user message; a call goes with its output.
/// </summary>
internal sealed class TruncationPlan
{
    private readonly IReadOnlyList<Item> _items;
    private readonly int _chainItems;

    /// <summary>For each item the step that gives it up; no step for those that stay.</summary>
    private readonly int[] _steps;

    private TruncationPlan(IReadOnlyList<Item> items, int chainItems, int[] steps, int count)
    {
        (_items, _chainItems, _steps, Count) = (items, chainItems, steps, count);
    }

    /// <summary>How many steps there are. Each gives up an item, or a call and its output.</summary>
    public int Count { get; }

    /// <param name="items">All items, oldest first.</param>
    /// <param name="chainItems">How many of them come from the chain.</param>
    public static TruncationPlan Of(IReadOnlyList<Item> items, int chainItems)
    {
        const int Never = int.MaxValue;
        var steps = new int[items.Count];
        Array.Fill(steps, Never);
        var pairs = CallPairs.Find(items);
        var count = 0;
        var lastUser = LastIndexOfUser(items);
        for (var i = 0; i < lastUser; i++)
        {
            var partner = pairs.PartnerOf(i);
            if (steps[i] != Never || partner >= lastUser || IsKept(items[i]))
            {
                continue;
            }

            steps[i] = count;
            if (partner >= 0)
            {
                steps[partner] = count;
            }

            count++;
        }

        return new TruncationPlan(items, chainItems, steps, count);
    }

    /// <summary>The items that are left after the first steps.</summary>
    public List<Item> After(int steps) => [.. _items.Where((_, i) => _steps[i] >= steps)];

    /// <summary>How many of those are the chain's.</summary>
    public int ChainItemsAfter(int steps) => _steps.Take(_chainItems).Count(step => step >= steps);

    private static int LastIndexOfUser(IReadOnlyList<Item> items)
    {
        for (var i = items.Count - 1; i >= 0; i--)
        {
            if (HasRole(items[i], "user"u8))
            {
                return i;
            }
        }

        return items.Count - 1;
    }

    /// <summary>System and developer messages; and lists of tools, which the model does not see as items.</summary>
    private static bool IsKept(Item item) => item.Kind == ItemKind.McpListTools || HasRole(item, "system"u8) || HasRole(item, "developer"u8);

    private static bool HasRole(Item item, ReadOnlySpan<byte> role) => item.Kind == ItemKind.Message && ItemTable.RoleIs(item, role);
}
