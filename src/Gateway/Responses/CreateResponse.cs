using System.Security.Cryptography;
using System.Text;
using Gateway.Conversations;
using Gateway.Egress;
using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Store;
using Gateway.Store.Sealing;
using Gateway.Telemetry;
using Gateway.Tools;
using Gateway.Tools.Hosted;
using Microsoft.Extensions.Options;

namespace Gateway.Responses;

/// <summary>
/// Makes a response: policy, conversation load, the tool loop (translation, upstream call, stream translation), store, and only then the
/// terminal event or the body, so that what was told completed can always be continued.
/// </summary>
internal sealed class CreateResponse(
    ConversationLoader conversations,
    ToolLoop loop,
    ResponseKeeper keeper,
    IResponseStore store,
    IOptions<StoreOptions> storeOptions,
    NamedServers namedServers,
    HostedTools hostedTools,
    SecretSealer sealer,
    OpenStreamLimiter limiter,
    EgressGuard egress,
    IOptions<LimitsOptions> limits,
    StopDeadline stop,
    TimeProvider time,
    GatewayMetrics metrics)
{
    private const string ReasoningPurpose = "reasoning";

    /// <summary>Read by stock clients, which retry a 5xx by themselves otherwise.</summary>
    private const string ShouldRetryHeader = "x-should-retry";

    /// <summary>How long a client has to take the end of a response after the time for making it is over.</summary>
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(30);

    /// <summary>Answers one POST. The returned error is to be told in the client's dialect; null when the response has been written.</summary>
    public async Task<ApiError?> RunAsync(HttpContext http, Dialect dialect, Tenant tenant)
    {
        var started = time.GetTimestamp();
        using var body = await RequestBody.ReadAsync(http);
        if (RequestParser.Parse(body.WrittenMemory, RulesOf(dialect, tenant), out var request) is { } invalid)
        {
            return invalid;
        }

        if (limiter.TryEnter(tenant, out var slot) is { } limited)
        {
            return limited;
        }

        using (slot)
        {
            var (prepared, error) = await PrepareAsync(dialect, tenant, request!, http.RequestAborted);
            if (prepared is null)
            {
                return error;
            }

            await using var conversation = prepared.Conversation;
            var status = "cancelled";
            try
            {
                (error, status) = await MakeAsync(prepared, http);
                return error;
            }
            finally
            {
                metrics.ResponseFinished(dialect.Name, status, request!.Stream, time.GetElapsedTime(started));
            }
        }
    }

    private RequestRules RulesOf(Dialect dialect, Tenant tenant) => RequestRules.Default with
    {
        MinOutputTokens = dialect.MinOutputTokens,
        StrictParameters = tenant.Policy.StrictParameters,
        MaxDepth = limits.Value.JsonDepth,
        MaxItems = limits.Value.InputItems,
        ServesConversations = dialect.ServesConversations,
        ServerTools = new ServerToolRules
        {
            LabelIsOptional = dialect.ServerLabelIsOptional,
            ApprovalByDefault = dialect.ApprovalByDefault,
            IsNamedServer = namedServers.Has,
            Hosted = hostedTools.Tools,
        },
    };

    private async ValueTask<(PreparedResponse?, ApiError?)> PrepareAsync(
        Dialect dialect, Tenant tenant, ResponsesRequest request, CancellationToken cancellationToken)
    {
        var isStored = request.Store && tenant.Policy.StoreAllowed;
        if (isStored && !keeper.IsAvailable)
        {
            return (null, ApiError.StoreUnavailable());
        }

        var (conversation, broken) = await conversations.LoadAsync(tenant.Name, request, isStored, limits.Value.ContextBytes, cancellationToken);
        if (conversation is null)
        {
            return (null, broken);
        }

        PreparedResponse? prepared = null;
        try
        {
            if ((request.Model ?? conversation.ReadParentModel()) is not { } model)
            {
                return (null, ApiError.MissingParameter("model"));
            }

            if (await CheckModelAsync(tenant, model, cancellationToken) is { } unserved)
            {
                return (null, unserved);
            }

            prepared = new PreparedResponse
            {
                Dialect = dialect,
                Tenant = tenant,
                Request = conversation.Input is { } named ? request with { Input = named.Items } : request,
                Conversation = conversation,
                Model = model,
                Id = conversation.NewResponseId(),
                CreatedAt = time.GetUtcNow(),
                IsStored = isStored,
            };
            return (prepared, null);
        }
        finally
        {
            if (prepared is null)
            {
                await conversation.DisposeAsync();
            }
        }
    }

    private async ValueTask<ApiError?> CheckModelAsync(Tenant tenant, string model, CancellationToken cancellationToken)
    {
        if (TenantDirectory.CheckModel(tenant, model) is { } notAllowed)
        {
            return notAllowed;
        }

        return await loop.ServesAsync(model, cancellationToken) ? null : ApiError.ModelNotFound(model);
    }

    private async Task<(ApiError? Error, string Status)> MakeAsync(PreparedResponse prepared, HttpContext http)
    {
        var request = prepared.Request;
        using var stream = request.Stream ? new SseOutput(http.Response, time, limits.Value.KeepAliveInterval) : null;
        using var envelope = new ResponseEnvelope(
            prepared.Dialect, prepared.Id.ToString(), prepared.CreatedAt.ToUnixTimeSeconds(), prepared.Model, request, prepared.IsStored,
            request.MaxToolCalls is null ? null : MaxToolCallsOf(prepared));
        using var events = new ResponseEventStream(
            envelope,
            stream ?? (IResponseEventSink)JsonOutput.Instance,
            (prefix, index) => prepared.Id.ItemId(prefix, request.Input.Count + index),
            request.IncludeObfuscation,
            SealerFor(prepared));
        if (stream is not null)
        {
            stream.Events = events;
        }

        using var patience = new CancellationTokenSource(limits.Value.ResponseTime + EndPatience, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, patience.Token);
        var outcome = request.Generate
            ? await RunLoopAsync(prepared, events, stream ?? (ILoopOutput)JsonOutput.Instance, http.RequestAborted)
            : Skip(events);
        if (outcome.Error is not null && (!events.HasStarted || (stream is null && HasOnlyLists(events.State))))
        {
            return (outcome.Error, "failed");
        }

        Settle(events.State, outcome);
        try
        {
            return await FinishAsync(prepared, http, stream, envelope, events, outcome.Notes, end.Token);
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested && patience.IsCancellationRequested)
        {
            // A client that does not read would hold its place for ever: there is no least rate of reading.
            http.Abort();
            throw new ClientGoneException(http.RequestAborted);
        }
    }

    /// <summary>Keeps the response, and only then tells its end.</summary>
    private async Task<(ApiError? Error, string Status)> FinishAsync(
        PreparedResponse prepared, HttpContext http, SseOutput? stream, ResponseEnvelope envelope, ResponseEventStream events,
        CallNotes notes, CancellationToken cancellationToken)
    {
        if (stream is not null && prepared.IsStored)
        {
            // What the model said does not wait for the store; that it is complete does.
            await stream.FlushAsync(cancellationToken);
        }

        using var input = new StoredInput(prepared.Id, prepared.Request.Input);
        if (prepared.IsStored && await keeper.KeepAsync(prepared, envelope, events.State, input, notes) is { } notKept)
        {
            if (stream is null)
            {
                if (HasRunTools(events.State))
                {
                    // Stock clients would send it again, and tools would run again.
                    http.Response.Headers[ShouldRetryHeader] = "false";
                }

                return (notKept, "failed");
            }

            events.State.Status = ResponseStatus.Failed;
            events.State.CompletedAt = null;
            events.State.IncompleteReason = null;
            events.State.Error = notKept;
        }

        // Before the end is told: whoever hears it may go on in the conversation.
        await prepared.Conversation.DisposeAsync();

        if (stream is null)
        {
            await WriteBodyAsync(http, envelope, events.State, prepared.Dialect.InputMessagesInOutput ? input.UserMessages : [], cancellationToken);
        }
        else
        {
            events.End();
            await stream.CompleteAsync(cancellationToken);
        }

        if (events.State.Error is { } error)
        {
            metrics.ErrorTold(error.Status, error.Code);
        }

        return (null, WordOf(events.State.Status));
    }

    /// <summary>Runs the loop until the client leaves, its time is over or, when the time to drain is over, the gateway stops.</summary>
    private async Task<LoopOutcome> RunLoopAsync(
        PreparedResponse prepared, ResponseEventStream events, ILoopOutput output, CancellationToken aborted)
    {
        using var deadline = new CancellationTokenSource(limits.Value.ResponseTime, time);
        var lost = prepared.Conversation.Lease?.Lost ?? CancellationToken.None;
        using var any = CancellationTokenSource.CreateLinkedTokenSource([aborted, stop.Over, deadline.Token, lost]);
        try
        {
            return await loop.RunAsync(ToLoopRequest(prepared), events, output, any.Token);
        }
        catch (OperationCanceledException e) when (e is not ClientGoneException && !aborted.IsCancellationRequested)
        {
            events.AbandonItem();
            return LoopOutcome.Failed(
                lost.IsCancellationRequested ? ApiError.ConversationLocked()
                : stop.Over.IsCancellationRequested ? ApiError.Stopping()
                : ApiError.ResponseTimeout());
        }
    }

    /// <summary>A response that the client wants without any answer of a model. It begins like any other.</summary>
    private static LoopOutcome Skip(ResponseEventStream events)
    {
        events.Start();
        return new LoopOutcome(RoundEnd.Completed, null, new Usage(0, 0, 0, 0, 0, 0), new CallNotes());
    }

    private void Settle(ResponseState state, LoopOutcome outcome)
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

    private LoopRequest ToLoopRequest(PreparedResponse prepared) => new()
    {
        Request = prepared.Request,
        Dialect = prepared.Dialect,
        Model = prepared.Model,
        Items = prepared.Conversation.Items,
        ChainItems = prepared.Conversation.ChainItems,
        Notes = prepared.Conversation.Notes,
        Tenant = prepared.Tenant.Name,
        MaxToolCalls = MaxToolCallsOf(prepared),
        Approvals = new StoredApprovalClaims(
            store, prepared.Tenant.Name, prepared.Id, storeOptions.Value.Retention, prepared.Conversation.Input?.Approvals),
        Session = SessionOf(prepared),
        OpenSealedReasoning = blob => sealer.Open(prepared.Tenant.Name, ReasoningPurpose, blob) is { } text ? Encoding.UTF8.GetString(text) : null,
        ReadHistoryTools = prepared.Conversation.ReadParentTools,
        Egress = egress.For(prepared.Tenant.Policy),
        AffinityKey = prepared.Request.PromptCacheKey ?? prepared.Id.Chain,
    };

    /// <summary>No model and no tool has done anything yet: a client may simply try again.</summary>
    private static bool HasOnlyLists(ResponseState state) => state.Output.TrueForAll(static item => ItemTable.View(item).Kind == ItemKind.McpListTools);

    /// <summary>A call of the gateway's has run: the same request once more would run it again.</summary>
    private static bool HasRunTools(ResponseState state) => state.Output.Exists(static item => ItemTable.View(item).Kind
        is ItemKind.McpCall or ItemKind.WebSearchCall or ItemKind.FileSearchCall or ItemKind.CodeInterpreterCall or ItemKind.ImageGenerationCall);

    private static int MaxToolCallsOf(PreparedResponse prepared)
    {
        var policy = prepared.Tenant.Policy;
        return Math.Min(prepared.Request.MaxToolCalls ?? policy.DefaultMaxToolCalls, policy.MaxToolCalls);
    }

    /// <summary>A name for the chain that tells nothing of it: tool servers see it.</summary>
    private static string SessionOf(PreparedResponse prepared) => Convert.ToHexStringLower(
        SHA256.HashData(Encoding.UTF8.GetBytes($"{prepared.Tenant.Name}/{prepared.Id.Chain}")).AsSpan(0, 16));

    private SealReasoning? SealerFor(PreparedResponse prepared) =>
        prepared.Request.Include.HasFlag(Includes.EncryptedReasoning) && sealer.CanSeal
            ? utf8 => sealer.Seal(prepared.Tenant.Name, ReasoningPurpose, utf8)
            : null;

    private static async Task WriteBodyAsync(
        HttpContext http, ResponseEnvelope envelope, ResponseState state, IReadOnlyList<ReadOnlyMemory<byte>> inputMessages, CancellationToken cancellationToken)
    {
        using var json = new PooledBuffer(4096);
        envelope.WriteBody(state, inputMessages, json);
        await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json, cancellationToken);
    }

    private static string WordOf(ResponseStatus status) => status switch
    {
        ResponseStatus.Completed => "completed",
        ResponseStatus.Incomplete => "incomplete",
        _ => "failed",
    };
}
