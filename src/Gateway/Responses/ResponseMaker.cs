using System.Text;
using Gateway.Conversations;
using Gateway.Egress;
using Gateway.Policy;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Store;
using Gateway.Store.Sealing;
using Gateway.Telemetry;
using Gateway.Tools;
using Microsoft.Extensions.Options;

namespace Gateway.Responses;

/// <summary>Makes a prepared response, whoever takes its events: a client's connection, or the log of a durable run.</summary>
internal sealed class ResponseMaker(
    ToolLoop loop,
    IResponseStore store,
    IConversationStore conversations,
    SecretSealer sealer,
    EgressGuard egress,
    IOptions<LimitsOptions> limits,
    TimeProvider time,
    GatewayMetrics metrics)
{
    private const string ReasoningPurpose = "reasoning";

    /// <summary>What renders the response object.</summary>
    public static ResponseEnvelope NewEnvelope(PreparedResponse prepared) => new(
        prepared.Dialect, prepared.Id.ToString(), prepared.CreatedAt.ToUnixTimeSeconds(), prepared.Model, prepared.Request, prepared.IsStored,
        prepared.Request.MaxToolCalls is null ? null : MaxToolCallsOf(prepared));

    /// <summary>What writes the response's events.</summary>
    public ResponseEventStream NewEvents(PreparedResponse prepared, ResponseEnvelope envelope, IResponseEventSink sink) => new(
        envelope,
        sink,
        (prefix, index) => prepared.Id.ItemId(prefix, prepared.Request.Input.Count + index),
        prepared.Request.IncludeObfuscation,
        SealerFor(prepared));

    /// <summary>Makes the output: runs the loop until its time is over, or one of the tokens is cancelled.</summary>
    /// <param name="prepared">What to make.</param>
    /// <param name="events">Takes the output.</param>
    /// <param name="output">Where the events go.</param>
    /// <param name="journal">What was done already.</param>
    /// <param name="stopping">Ends the response as failed: the gateway stops.</param>
    /// <param name="aborted">Ends it without an outcome.</param>
    /// <returns>How it ended; as interrupted when it was aborted or is to be handed over.</returns>
    public async Task<LoopOutcome> RunAsync(
        PreparedResponse prepared, ResponseEventStream events, ILoopOutput output, ILoopJournal journal, CancellationToken stopping, CancellationToken aborted)
    {
        if (!prepared.Request.Generate)
        {
            return Skip(prepared.Conversation, events);
        }

        using var deadline = new CancellationTokenSource(limits.Value.ResponseTime, time);
        var lease = prepared.Conversation.Lease;
        var lost = lease?.Lost ?? CancellationToken.None;
        using var any = CancellationTokenSource.CreateLinkedTokenSource([aborted, stopping, deadline.Token, lost]);
        LoopOutcome outcome;
        try
        {
            outcome = await loop.RunAsync(ToLoopRequest(prepared, journal), events, output, any.Token);
        }
        catch (OperationCanceledException e) when (e is not ClientGoneException)
        {
            outcome = new LoopOutcome(RoundEnd.Failed, null, null, new CallNotes()) { IsInterrupted = true };
        }

        return !outcome.IsInterrupted || aborted.IsCancellationRequested || journal.HandOver.IsCancellationRequested
            ? outcome
            : outcome with
            {
                Error = lost.IsCancellationRequested ? lease!.IsGone ? ApiError.ConversationDeleted() : ApiError.ConversationLocked()
                    : stopping.IsCancellationRequested ? ApiError.Stopping()
                    : ApiError.ResponseTimeout(),
                IsInterrupted = false,
            };
    }

    /// <summary>Tells what was done already of a response that is not gone on with: its output so far, and the tokens that it took.</summary>
    public Task<LoopOutcome> RestoreAsync(
        PreparedResponse prepared, ResponseEventStream events, ILoopOutput output, ILoopJournal journal, CancellationToken aborted) =>
        loop.RunAsync(ToLoopRequest(prepared, journal, onlyRestores: true), events, output, aborted);

    /// <summary>Counts the tokens of the prompt that the response would begin with.</summary>
    /// <param name="prepared">The response that is not made.</param>
    /// <param name="stopping">Ends it with an error: the gateway stops.</param>
    /// <param name="aborted">The client left.</param>
    public async Task<(PromptCount Count, ApiError? Error)> CountAsync(PreparedResponse prepared, CancellationToken stopping, CancellationToken aborted)
    {
        using var deadline = new CancellationTokenSource(limits.Value.ResponseTime, time);
        using var any = CancellationTokenSource.CreateLinkedTokenSource(aborted, stopping, deadline.Token);
        using var envelope = NewEnvelope(prepared);
        using var events = NewEvents(prepared, envelope, JsonOutput.Instance);
        try
        {
            return await loop.CountAsync(ToLoopRequest(prepared, new NoJournal()), events, JsonOutput.Instance, any.Token);
        }
        catch (OperationCanceledException) when (!aborted.IsCancellationRequested)
        {
            return (default, stopping.IsCancellationRequested ? ApiError.Stopping() : ApiError.ResponseTimeout());
        }
    }

    /// <summary>Brings the response into the terminal state that belongs to the loop's outcome.</summary>
    public void Settle(ResponseState state, LoopOutcome outcome)
    {
        state.Usage = outcome.Usage;
        if (outcome.Usage is { } usage)
        {
            metrics.TokensUsed(usage.InputTokens, usage.CachedTokens, usage.OutputTokens, usage.ReasoningTokens);
        }

        switch (outcome.End)
        {
            case RoundEnd.Completed:
                state.Status = ResponseStatus.Completed;
                state.CompletedAt = time.GetUtcNow().ToUnixTimeSeconds();
                break;
            case RoundEnd.Failed:
                state.Status = ResponseStatus.Failed;
                state.Error = outcome.Error;
                break;
            default:
                state.Status = ResponseStatus.Incomplete;
                state.IncompleteReason = outcome.End switch
                {
                    RoundEnd.ContentFilter => "content_filter",
                    RoundEnd.MaxToolCalls => "max_tool_calls",
                    _ => "max_output_tokens",
                };
                break;
        }
    }

    /// <summary>A response that the client wants without any answer of a model. It begins like any other.</summary>
    private static LoopOutcome Skip(Conversation conversation, ResponseEventStream events)
    {
        if (Approvals.Find(conversation.Items, conversation.ChainItems, out var approved, out var refused) is { } error)
        {
            return LoopOutcome.Failed(error);
        }

        if (approved.Count + refused.Count > 0)
        {
            // Kept as answered and never run, it would be lost.
            return LoopOutcome.Failed(ApiError.InvalidValue("generate", "Invalid 'generate': the answer to an approval request needs a generated response."));
        }

        events.Start();
        return new LoopOutcome(RoundEnd.Completed, null, new Usage(0, 0, 0, 0, 0, 0), new CallNotes());
    }

    private LoopRequest ToLoopRequest(PreparedResponse prepared, ILoopJournal journal, bool onlyRestores = false) => new()
    {
        Request = prepared.Request,
        Dialect = prepared.Dialect,
        Model = prepared.Model,
        Items = prepared.Conversation.Items,
        ChainItems = prepared.Conversation.ChainItems,
        Notes = prepared.Conversation.Notes,
        Tenant = prepared.Tenant.Name,
        Journal = journal,
        OnlyRestores = onlyRestores,
        MaxToolCalls = MaxToolCallsOf(prepared),
        Approvals = new StoredApprovalClaims(
            store, conversations, prepared.Tenant.Name, prepared.Id, prepared.Tenant.Policy.LongestRetention, prepared.Conversation.Input?.Approvals),
        Chain = prepared.Id.Chain,
        OpenSealedReasoning = blob => sealer.Open(prepared.Tenant.Name, ReasoningPurpose, blob) is { } text ? Encoding.UTF8.GetString(text) : null,
        ReadHistoryTools = prepared.Conversation.ReadParentTools,
        Egress = egress.For(prepared.Tenant.Policy),
        // The chain of a response in a conversation is the conversation.
        AffinityKey = prepared.Request.PromptCacheKey ?? prepared.Id.Chain,
    };

    private static int MaxToolCallsOf(PreparedResponse prepared)
    {
        var policy = prepared.Tenant.Policy;
        return Math.Min(prepared.Request.MaxToolCalls ?? policy.DefaultMaxToolCalls, policy.MaxToolCalls);
    }

    private SealReasoning? SealerFor(PreparedResponse prepared) =>
        prepared.Request.Include.HasFlag(Includes.EncryptedReasoning) && sealer.CanSeal
            ? utf8 => sealer.Seal(prepared.Tenant.Name, ReasoningPurpose, utf8)
            : null;
}
