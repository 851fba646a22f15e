using Gateway.Conversations;
using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Store;
using Gateway.Telemetry;
using Gateway.Tools;

namespace Gateway.Responses;

/// <summary>Puts finished responses into the store.</summary>
internal sealed class ResponseKeeper(IResponseStore store)
{
    /// <summary>The store is not known to be down.</summary>
    public bool IsAvailable => store.Health.Available;

    /// <summary>Keeps a response in its terminal state. The error to tell when it could not be kept.</summary>
    public async ValueTask<ApiError?> KeepAsync(
        PreparedResponse prepared, ResponseEnvelope envelope, ResponseState state, StoredInput input, CallNotes notes)
    {
        try
        {
            return ErrorOf(await CommitAsync(prepared, envelope, state, input, notes, run: null), prepared);
        }
        catch (StoreUnavailableException)
        {
            return ApiError.StoreUnavailable();
        }
    }

    /// <summary>The error of a response that could not be kept as it was made; null for any other outcome.</summary>
    public static ApiError? ErrorOf(CommitOutcome outcome, PreparedResponse prepared) => outcome switch
    {
        CommitOutcome.HistoryLost => ApiError.PreviousResponseNotFound(prepared.Request.PreviousResponseId ?? prepared.Id.ToString()),
        CommitOutcome.ConversationTaken => ApiError.ConversationLocked(),
        CommitOutcome.ConversationGone => ApiError.ConversationDeleted(),
        _ => null,
    };

    /// <summary>Commits a response in its terminal state. May be called again with the same arguments after a failure.</summary>
    /// <exception cref="StoreUnavailableException">It could not be kept.</exception>
    public async ValueTask<CommitOutcome> CommitAsync(
        PreparedResponse prepared, ResponseEnvelope envelope, ResponseState state, StoredInput input, CallNotes notes, RunFence? run)
    {
        using var activity = GatewayActivitySource.StartCommit();
        using var json = new PooledBuffer(2048);
        var offset = envelope.WriteForStore(state, json);
        var commit = new TurnCommit
        {
            Tenant = prepared.Tenant.Name,
            Id = prepared.Id,
            ParentPath = prepared.Conversation.ParentPath,
            Conversation = prepared.Conversation.Hold,
            Aside = state.Status is ResponseStatus.Failed or ResponseStatus.Cancelled,
            Status = System.Text.Encoding.ASCII.GetString(state.StatusText),
            CreatedAt = prepared.CreatedAt,
            Turn = new Turn(input.Items, state.Output, TurnNotes.Write(notes)),

            // A copy of its own: a write that timed out may still be read by the connection when this buffer serves another request.
            Envelope = json.WrittenSpan.ToArray(),
            OutputOffset = offset,
            Claims = [.. Approvals.FindOpen(prepared.Conversation.Items).Select(id => StoredApprovalClaims.NameOf(id, prepared.Conversation.Input?.Approvals))],
            Retention = prepared.Tenant.Policy.RetentionOf(ClassOf(prepared)),
            Run = run,
        };
        try
        {
            // Not cancelled with the request: the client may leave now, and what was generated is kept all the same.
            var outcome = await store.CommitAsync(commit, CancellationToken.None);
            if (outcome is CommitOutcome.Appended or CommitOutcome.Branched or CommitOutcome.AlreadyCommitted)
            {
                prepared.Conversation.Lease?.MarkOver();
            }

            return outcome;
        }
        catch (StoreUnavailableException)
        {
            GatewayActivitySource.Fail(activity, "store_unavailable");
            throw;
        }
    }

    /// <summary>What decides how long the response is kept.</summary>
    public static RetentionClass ClassOf(PreparedResponse prepared) =>
        prepared.Conversation.Hold is not null ? RetentionClass.Conversations
        : prepared.Request.Background ? RetentionClass.Background
        : RetentionClass.Responses;
}
