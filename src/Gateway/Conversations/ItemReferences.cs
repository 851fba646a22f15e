using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>
/// Replaces <c>item_reference</c> items by what they stand for. The gateway's own item ids carry their place, so a reference needs no index;
/// ids that a client made are found within the request and its chain only.
/// </summary>
internal static class ItemReferences
{
    /// <summary>
    /// Resolves all references. The index of the first that can not be resolved, if any; no items when they, or the turns that had to be read for
    /// them, are longer than <paramref name="mostBytes"/>: a reference of some bytes can stand for megabytes, and can be repeated.
    /// </summary>
    /// <exception cref="StoreUnavailableException">The store can not be reached.</exception>
    public static async ValueTask<(IReadOnlyList<Item>? Items, int? Missing)> ResolveAsync(
        IConversationStore store, string tenant, IReadOnlyList<Item> items, long mostBytes, CancellationToken cancellationToken)
    {
        if (!HasReferences(items))
        {
            return (SizeOf(items) <= mostBytes ? items : null, null);
        }

        var known = new Dictionary<string, Item>(StringComparer.Ordinal);
        foreach (var item in items)
        {
            if (item.Kind != ItemKind.ItemReference && item.HasId)
            {
                known[item.Id] = item;
            }
        }

        var loaded = new LoadedTurns();
        var resolvedBytes = 0L;
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

            // A reference is stored as it came, with whatever else its object holds: it counts too, or a chain of them grew without end.
            resolvedBytes += resolved[^1].Json.Length + (items[i].Kind == ItemKind.ItemReference ? items[i].Json.Length : 0);
            if (resolvedBytes > mostBytes || loaded.Bytes > mostBytes)
            {
                return (null, null);
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
        IConversationStore store, string tenant, string itemId, LoadedTurns loaded, CancellationToken cancellationToken)
    {
        if (!ResponseId.TryParseItem(itemId, out var responseId, out var index))
        {
            return null;
        }

        if (!loaded.TryGet(responseId, out var turn))
        {
            turn = await store.FindTurnAsync(tenant, responseId, cancellationToken);
            loaded.Add(responseId, turn);
        }

        // A reference to a reference leads nowhere.
        return turn is not null && TurnItems.Find(turn, index, itemId) is { } item && item.Kind != ItemKind.ItemReference ? item : null;
    }

    private static long SizeOf(IReadOnlyList<Item> items)
    {
        var size = 0L;
        for (var i = 0; i < items.Count; i++)
        {
            size += items[i].Json.Length;
        }

        return size;
    }

    /// <summary>The turns that were read for one request, each once.</summary>
    private sealed class LoadedTurns
    {
        private readonly Dictionary<ResponseId, Turn?> _turns = [];

        public long Bytes { get; private set; }

        public bool TryGet(ResponseId id, out Turn? turn) => _turns.TryGetValue(id, out turn);

        public void Add(ResponseId id, Turn? turn)
        {
            _turns.Add(id, turn);
            Bytes += turn is null ? 0 : turn.Input.Concat(turn.Output).Sum(item => (long)item.Length);
        }
    }
}
