using Gateway.Policy;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Store;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Conversations;

/// <summary>
/// Loads what a request continues: <c>previous_response_id</c>, <c>conversation</c> and item references become the items the model must see.
/// </summary>
internal sealed class ConversationLoader(
    IResponseStore store, IConversationStore conversations, IRunStore runs, IOptions<StoreOptions> options, TimeProvider time, GatewayMetrics metrics)
{
    /// <summary>Loads the conversation of a request, or says why it can not be continued.</summary>
    /// <param name="tenant">Whose request it is.</param>
    /// <param name="request">The request.</param>
    /// <param name="isStored">The response will be kept: a conversation that it names is held until the result is disposed.</param>
    /// <param name="mostBytes">The most bytes that the items may have together.</param>
    /// <param name="id">The response's id when it was given one already; in a conversation its self names the hold.</param>
    /// <param name="isRun">The response is gone on with by a run, which holds the conversation already and goes on to do so.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="StoreUnavailableException">The store can not be reached.</exception>
    public async ValueTask<(Conversation? Conversation, ApiError? Error)> LoadAsync(
        Tenant tenant, ResponsesRequest request, bool isStored, long mostBytes, ResponseId? id, bool isRun, CancellationToken cancellationToken)
    {
        if (request.ConversationId is { } name)
        {
            return await OpenAsync(tenant, name, request, isStored, mostBytes, id, isRun, cancellationToken);
        }

        Chain? chain = null;
        if (request.PreviousResponseId is { } previous)
        {
            chain = await LoadChainAsync(tenant.Name, previous, cancellationToken);
            if (chain is null && await IsRunningAsync(tenant.Name, previous, cancellationToken))
            {
                return (null, ApiError.ResponseInProgress(previous));
            }

            // It may have ended since the store was asked.
            chain ??= await LoadChainAsync(tenant.Name, previous, cancellationToken);
            if (chain is null)
            {
                return (null, ApiError.PreviousResponseNotFound(previous));
            }

            if (chain.Parent.Status is "failed" or "cancelled")
            {
                return (null, ApiError.PreviousResponseFailed(previous));
            }
        }

        var turns = chain?.Turns ?? [];
        var items = chain is null ? request.Input : Join(turns, request.Input);
        var chainItems = items.Count - request.Input.Count;
        var (resolved, missing) = await ItemReferences.ResolveAsync(conversations, tenant.Name, items, mostBytes, cancellationToken);
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

        return (new Conversation
        {
            Chain = chain,
            Items = resolved,
            ChainItems = chainItems,
            Notes = TurnNotes.Read(turns),
            ParentEnvelope = chain?.Parent.Envelope ?? default,
            ParentPath = chain?.Parent.Path ?? [],
        }, null);
    }

    private async ValueTask<(Conversation? Conversation, ApiError? Error)> OpenAsync(
        Tenant tenant, string name, ResponsesRequest request, bool isStored, long mostBytes, ResponseId? responseId, bool isRun,
        CancellationToken cancellationToken)
    {
        if (!ConversationId.TryParse(name, out var id))
        {
            return (null, ApiError.ConversationNotFound(name));
        }

        var newId = responseId ?? id.NewTurn();
        var hold = isStored ? new ConversationLock(id, newId.Self, isRun) : null;
        var lease = hold is null ? null : new ConversationLease(conversations, tenant.Name, hold, options.Value.ConversationLease, time);
        Conversation? opened = null;
        try
        {
            (opened, var error) = await ReadAsync(tenant, id, newId, request, lease, mostBytes, cancellationToken);
            return (opened, error);
        }
        finally
        {
            if (opened is null && lease is not null)
            {
                await lease.DisposeAsync();
            }
        }
    }

    private async ValueTask<(Conversation? Conversation, ApiError? Error)> ReadAsync(
        Tenant tenant, ConversationId id, ResponseId newId, ResponsesRequest request, ConversationLease? lease, long mostBytes,
        CancellationToken cancellationToken)
    {
        using var activity = GatewayActivitySource.StartChainLoad();
        var started = time.GetTimestamp();
        var opened = await conversations.OpenAsync(
            new ConversationOpening
            {
                Tenant = tenant.Name,
                Id = id,
                Token = lease?.Hold.Token,
                IsRuns = lease is { Hold.IsRuns: true },
                Lease = options.Value.ConversationLease,
                MostBytes = mostBytes,
                Retention = tenant.Policy.RetentionOf(RetentionClass.Conversations),
            },
            cancellationToken);
        metrics.ChainLoaded(opened.Turns.Count, time.GetElapsedTime(started));
        if (opened.Access != ConversationAccess.Done)
        {
            lease?.MarkOver();
            return (null, lease is { Hold.IsRuns: true } && opened.Access == ConversationAccess.NotFound
                ? ApiError.ConversationDeleted()
                : ConversationErrors.Of(opened.Access, id, "input"));
        }

        var items = Join(opened.Turns, request.Input);
        var chainItems = items.Count - request.Input.Count;
        if (FindDuplicate(id, items, chainItems) is { } duplicate)
        {
            return (null, ApiError.DuplicateItem("input", duplicate));
        }

        var (resolved, missing) = await ItemReferences.ResolveAsync(conversations, tenant.Name, items, mostBytes, cancellationToken);
        if (resolved is null)
        {
            return (null, ApiError.ContextLengthExceeded());
        }

        if (missing is { } index)
        {
            return (null, ApiError.ItemNotFound(items[index].Id));
        }

        var input = lease is null ? null : NamedItems.Of(newId, [.. resolved.Skip(chainItems)]);
        if (input is not null)
        {
            resolved = [.. resolved.Take(chainItems), .. input.Items];
        }

        if (ContextRules.Check(resolved, cutCallIds: null) is { } broken)
        {
            return (null, broken);
        }

        return (new Conversation
        {
            Chain = null,
            Items = resolved,
            ChainItems = chainItems,
            Notes = TurnNotes.Read(opened.Turns),
            Lease = lease,
            Input = input,
            ParentEnvelope = opened.LastEnvelope,
            ParentPath = [new PathSegment(id.Chain, CommitPlan.ConversationBranch, opened.Length)],
            NewId = newId,
        }, null);
    }

    /// <summary>The id of an item of the request that is in the history already, or that refers to one that is; null when there is none.</summary>
    private static string? FindDuplicate(ConversationId id, List<Item> items, int chainItems)
    {
        HashSet<string>? known = null;
        for (var i = chainItems; i < items.Count; i++)
        {
            // All ids of the history are the conversation's own: others need no look.
            if (!items[i].HasId || !ResponseId.TryParseItem(items[i].Id, out var turn, out _) || turn.Chain != id.Chain)
            {
                continue;
            }

            known ??= [.. items.Take(chainItems).Select(static item => item.Id)];
            if (known.Contains(items[i].Id))
            {
                return items[i].Id;
            }
        }

        return null;
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
        ResponseId.TryParse(previous, out var id) && await runs.IsLiveAsync(new RunKey(tenant, id), cancellationToken);

    private static List<Item> Join(IReadOnlyList<Turn> turns, IReadOnlyList<Item> input)
    {
        var items = new List<Item>((turns.Count * 2) + input.Count);
        foreach (var turn in turns)
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
            // What was erased is empty.
            if (!stored[i].IsEmpty)
            {
                items.Add(ItemTable.View(stored[i]));
            }
        }
    }
}
