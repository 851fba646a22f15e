using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Store;
using Gateway.Telemetry;

namespace Gateway.Conversations;

/// <summary>Loads what a request continues: <c>previous_response_id</c> and item references become the items the model must see.</summary>
internal sealed class ConversationLoader(IResponseStore store, IRunStore runs, TimeProvider time, GatewayMetrics metrics)
{
    /// <summary>Loads the conversation of a request, or says why it can not be continued.</summary>
    /// <exception cref="StoreUnavailableException">The store can not be reached.</exception>
    public async ValueTask<(Conversation? Conversation, ApiError? Error)> LoadAsync(
        string tenant, ResponsesRequest request, long mostBytes, CancellationToken cancellationToken)
    {
        Chain? chain = null;
        if (request.PreviousResponseId is { } previous)
        {
            chain = await LoadChainAsync(tenant, previous, cancellationToken);
            if (chain is null && await IsRunningAsync(tenant, previous, cancellationToken))
            {
                return (null, ApiError.ResponseInProgress(previous));
            }

            // It may have ended since the store was asked.
            chain ??= await LoadChainAsync(tenant, previous, cancellationToken);
            if (chain is null)
            {
                return (null, ApiError.PreviousResponseNotFound(previous));
            }

            if (chain.Parent.Status is "failed" or "cancelled")
            {
                return (null, ApiError.PreviousResponseFailed(previous));
            }
        }

        var items = chain is null ? request.Input : Join(chain, request.Input);
        var chainItems = items.Count - request.Input.Count;
        var (resolved, missing) = await ItemReferences.ResolveAsync(store, tenant, items, mostBytes, cancellationToken);
        if (resolved is null)
        {
            return (null, ApiError.ContextLengthExceeded());
        }

        if (missing is { } index)
        {
            // What the chain refers to was erased: its history is incomplete, as if the chain itself were gone.
            return (null, index < chainItems ? ApiError.PreviousResponseNotFound(request.PreviousResponseId!) : ApiError.ItemNotFound(items[index].Id));
        }

        if (ContextRules.Check(resolved, cutCallIds: null) is { } broken)
        {
            return (null, broken);
        }

        return (new Conversation { Chain = chain, Items = resolved, ChainItems = chainItems, Notes = TurnNotes.Read(chain) }, null);
    }

    private async ValueTask<Chain?> LoadChainAsync(string tenant, string previous, CancellationToken cancellationToken)
    {
        if (!ResponseId.TryParse(previous, out var id))
        {
            return null;
        }

        using var activity = GatewayActivitySource.StartChainLoad();
        var started = time.GetTimestamp();
        var chain = await store.LoadChainAsync(tenant, id, cancellationToken);
        metrics.ChainLoaded(chain?.Turns.Count ?? 0, time.GetElapsedTime(started));
        return chain;
    }

    private async ValueTask<bool> IsRunningAsync(string tenant, string previous, CancellationToken cancellationToken) =>
        ResponseId.TryParse(previous, out var id) && await runs.GetRunAsync(new RunKey(tenant, id), cancellationToken) is not null;

    private static List<Item> Join(Chain chain, IReadOnlyList<Item> input)
    {
        var items = new List<Item>((chain.Turns.Count * 2) + input.Count);
        foreach (var turn in chain.Turns)
        {
            AddViews(items, turn.Input);
            AddViews(items, turn.Output);
        }

        items.AddRange(input);
        return items;
    }

    private static void AddViews(List<Item> items, IReadOnlyList<ReadOnlyMemory<byte>> stored)
    {
        for (var i = 0; i < stored.Count; i++)
        {
            items.Add(ItemTable.View(stored[i]));
        }
    }
}
