using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>
/// Replaces <c>item_reference</c> items by what they stand for. The gateway's own item ids carry their place, so a reference needs no index;
/// ids that a client made are found within the request and its chain only.
/// </summary>
internal static class ItemReferences
{
    /// <summary>Resolves all references. The index of the first that can not be resolved, if any.</summary>
    /// <exception cref="StoreUnavailableException">The store can not be reached.</exception>
    public static async ValueTask<(IReadOnlyList<Item> Items, int? Missing)> ResolveAsync(
        IResponseStore store, string tenant, IReadOnlyList<Item> items, CancellationToken cancellationToken)
    {
        if (!HasReferences(items))
        {
            return (items, null);
        }

        var known = new Dictionary<string, Item>(StringComparer.Ordinal);
        foreach (var item in items)
        {
            if (item.Kind != ItemKind.ItemReference && item.HasId)
            {
                known[item.Id] = item;
            }
        }

        var loaded = new Dictionary<ResponseId, Turn?>();
        var resolved = new List<Item>(items.Count);
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Kind != ItemKind.ItemReference)
            {
                resolved.Add(items[i]);
            }
            else if (known.TryGetValue(items[i].Id, out var local))
            {
                resolved.Add(local);
            }
            else if (await FindStoredAsync(store, tenant, items[i].Id, loaded, cancellationToken) is { } stored)
            {
                resolved.Add(stored);
            }
            else
            {
                return (items, i);
            }
        }

        return (resolved, null);
    }

    private static bool HasReferences(IReadOnlyList<Item> items)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Kind == ItemKind.ItemReference)
            {
                return true;
            }
        }

        return false;
    }

    private static async ValueTask<Item?> FindStoredAsync(
        IResponseStore store, string tenant, string itemId, Dictionary<ResponseId, Turn?> loaded, CancellationToken cancellationToken)
    {
        if (!ResponseId.TryParseItem(itemId, out var responseId, out var index))
        {
            return null;
        }

        if (!loaded.TryGetValue(responseId, out var turn))
        {
            turn = (await store.GetAsync(tenant, responseId, cancellationToken))?.Turn;
            loaded[responseId] = turn;
        }

        if (turn is null || index >= turn.Input.Count + turn.Output.Count)
        {
            return null;
        }

        var item = ItemTable.View(index < turn.Input.Count ? turn.Input[index] : turn.Output[index - turn.Input.Count]);

        // The place alone proves nothing: an input item may carry a client's id there. A reference to a reference leads nowhere.
        return item.Kind != ItemKind.ItemReference && item.Id == itemId ? item : null;
    }
}
