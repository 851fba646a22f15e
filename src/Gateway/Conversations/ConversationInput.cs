using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>Turns items that a client puts into a conversation into what is kept of them.</summary>
internal sealed class ConversationInput(IConversationStore store)
{
    /// <summary>The items to append, or why they can not be; neither when there are none.</summary>
    /// <param name="tenant">Whose conversation it is.</param>
    /// <param name="id">The conversation, which need not be there.</param>
    /// <param name="newTurn">What the items' ids are made of.</param>
    /// <param name="items">Checked items.</param>
    /// <param name="mostBytes">The most bytes that they may have together, with what they refer to.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="StoreUnavailableException">The store can not be reached.</exception>
    public async ValueTask<(ConversationItems? Items, ApiError? Error)> ReadAsync(
        string tenant, ConversationId id, ResponseId newTurn, IReadOnlyList<Item> items, long mostBytes, CancellationToken cancellationToken)
    {
        if (items.Count == 0)
        {
            return (null, null);
        }

        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].HasId && ResponseId.TryParseItem(items[i].Id, out var turnId, out var index) && turnId.Chain == id.Chain
                && await store.FindTurnAsync(tenant, id, turnId, cancellationToken) is { } turn
                && TurnItems.Find(turn, index, items[i].Id) is { } known)
            {
                return (null, ApiError.DuplicateItem("items", known.Id));
            }
        }

        var (resolved, missing) = await ItemReferences.ResolveAsync(store, tenant, items, mostBytes, cancellationToken);
        if (resolved is null)
        {
            return (null, ApiError.ContextLengthExceeded() with { Param = "items" });
        }

        if (missing is { } unresolved)
        {
            return (null, ApiError.ItemNotFound(items[unresolved].Id) with { Param = "items" });
        }

        return (new ConversationItems(newTurn, [.. NamedItems.Of(newTurn, resolved).Items.Select(static item => item.Json)]), null);
    }
}
