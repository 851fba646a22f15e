using Gateway.Conversations;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Store;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Responses;

/// <summary>Puts finished responses into the store.</summary>
internal sealed class ResponseKeeper(IResponseStore store, IOptions<StoreOptions> options)
{
    /// <summary>The store is not known to be down.</summary>
    public bool IsAvailable => store.Health.Available;

    /// <summary>Keeps a response in its terminal state. The error to tell when it could not be kept.</summary>
    public async ValueTask<ApiError?> KeepAsync(
        PreparedResponse prepared, ResponseEnvelope envelope, ResponseState state, StoredInput input, CallNotes notes)
    {
        using var activity = GatewayActivitySource.StartCommit();
        using var json = new PooledBuffer(2048);
        var offset = envelope.WriteForStore(state, json);
        var commit = new TurnCommit
        {
            Tenant = prepared.Tenant.Name,
            Id = prepared.Id,
            ParentPath = prepared.Conversation.ParentPath,
            Conversation = prepared.Conversation.Lease?.Hold,
            Aside = state.Status == ResponseStatus.Failed,
            Status = System.Text.Encoding.ASCII.GetString(state.StatusText),
            CreatedAt = prepared.CreatedAt,
            Turn = new Turn(input.Items, state.Output, TurnNotes.Write(notes)),

            // A copy of its own: a write that timed out may still be read by the connection when this buffer serves another request.
            Envelope = json.WrittenSpan.ToArray(),
            OutputOffset = offset,
            Retention = options.Value.Retention,
        };
        try
        {
            // Not cancelled with the request: the client may leave now, and what was generated is kept all the same.
            switch (await store.CommitAsync(commit, CancellationToken.None))
            {
                case CommitOutcome.HistoryLost:
                    return ApiError.PreviousResponseNotFound(prepared.Request.PreviousResponseId ?? prepared.Id.ToString());
                case CommitOutcome.ConversationTaken:
                    return ApiError.ConversationLocked();
                case CommitOutcome.ConversationGone:
                    return ApiError.ConversationDeleted();
                default:
                    prepared.Conversation.Lease?.MarkOver();
                    return null;
            }
        }
        catch (StoreUnavailableException)
        {
            GatewayActivitySource.Fail(activity, "store_unavailable");
            return ApiError.StoreUnavailable();
        }
    }
}
