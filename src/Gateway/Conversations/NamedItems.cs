using System.Buffers;
using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>
/// Items as a conversation keeps them: in stored form, each with an id that tells its place, whatever id it came with. So an item is found,
/// listed behind and deleted by its id without an index, and no id stands for two places.
/// </summary>
/// <param name="Items">The items, in their order.</param>
/// <param name="Approvals">The approval requests among them: the ids they came with by their new ones.</param>
internal sealed record NamedItems(IReadOnlyList<Item> Items, IReadOnlyDictionary<string, string> Approvals)
{
    /// <summary>The items as those of a turn, its first ones.</summary>
    public static NamedItems Of(ResponseId turn, IReadOnlyList<Item> items)
    {
        // What answers an approval request in the same turn goes on to do so.
        var approvals = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Kind == ItemKind.McpApprovalRequest)
            {
                approvals.TryAdd(items[i].Id, IdOf(turn, items[i], i));
            }
        }

        var output = new ArrayBufferWriter<byte>();
        var ends = new int[items.Count];
        for (var i = 0; i < items.Count; i++)
        {
            ItemTable.WriteWithId(items[i], IdOf(turn, items[i], i), output, keepId: false, approvals);
            ends[i] = output.WrittenCount;
        }

        // Sliced at the end only: the buffer may have moved while it grew.
        var named = new Item[items.Count];
        for (var i = 0; i < named.Length; i++)
        {
            var start = i == 0 ? 0 : ends[i - 1];
            named[i] = ItemTable.View(output.WrittenMemory[start..ends[i]]);
        }

        return new NamedItems(named, approvals.ToDictionary(static pair => pair.Value, static pair => pair.Key, StringComparer.Ordinal));
    }

    private static string IdOf(ResponseId turn, in Item item, int index) => turn.ItemId(ItemTable.IdPrefix(item.Kind), index);
}
