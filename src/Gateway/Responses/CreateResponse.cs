using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Runs;
using Gateway.Telemetry;
using Gateway.Tools;
using Microsoft.Extensions.Options;

namespace Gateway.Responses;

/// <summary>
/// Makes a response: policy, conversation load, the tool loop (translation, upstream call, stream translation), store, and only then the
/// terminal event or the body, so that what was told completed can always be continued.
/// </summary>
internal sealed class CreateResponse(
    ResponsePreparer preparer,
    ResponseMaker maker,
    ResponseKeeper keeper,
    DurableResponses durable,
    IdempotencyKeys keys,
    OpenStreamLimiter limiter,
    IOptions<LimitsOptions> limits,
    StopDeadline stop,
    TimeProvider time,
    GatewayMetrics metrics)
{
    /// <summary>Read by stock clients, which retry a 5xx by themselves otherwise.</summary>
    public const string ShouldRetryHeader = "x-should-retry";

    /// <summary>How long a client has to take the end of a response after the time for making it is over.</summary>
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(30);

    /// <summary>Answers one POST. The returned error is to be told in the client's dialect; null when the response has been written.</summary>
    public async Task<ApiError?> RunAsync(HttpContext http, Dialect dialect, Tenant tenant)
    {
        var body = await RequestBody.ReadAsync(http);
        var isOurs = true;
        try
        {
            if (preparer.Parse(body.WrittenMemory, dialect, tenant, out var request) is { } invalid)
            {
                return invalid;
            }

            if (IdempotencyKeys.Read(http.Request, dialect.Name, body.WrittenMemory, out var key) is { } badKey)
            {
                return badKey;
            }

            if (durable.Wants(request!, tenant, key))
            {
                isOurs = false;
                return await durable.CreateAsync(http, dialect, tenant, request!, body, key);
            }

            return key is null
                ? await MakeAsync(http, dialect, tenant, request!, new NoJournal())
                : await MakeOnceAsync(http, dialect, tenant, request!, key);
        }
        finally
        {
            if (isOurs)
            {
                body.Dispose();
            }
        }
    }

    /// <summary>A response that no run makes, since it is not stored or its request can not be: the key can only keep it from being made twice.</summary>
    private async Task<ApiError?> MakeOnceAsync(HttpContext http, Dialect dialect, Tenant tenant, ResponsesRequest request, IdempotencyKey key)
    {
        var journal = new NoJournal();
        var isUsed = false;
        try
        {
            if (!await keys.TakeAsync(tenant.Name, key, null, http.RequestAborted))
            {
                isUsed = true;
                http.Response.Headers[ShouldRetryHeader] = "false";
                return (await keys.FindAsync(tenant.Name, key, http.RequestAborted)).Error ?? ApiError.IdempotencyKeyInUse();
            }

            var error = await MakeAsync(http, dialect, tenant, request, journal);
            isUsed = error is null || http.Response.Headers.ContainsKey(ShouldRetryHeader);
            return error;
        }
        catch (Exception) when (journal.MayBeKept)
        {
            isUsed = true;
            throw;
        }
        finally
        {
            if (!isUsed && !journal.HasStartedCalls)
            {
                // Nothing was made, and nobody has it.
                await keys.ReleaseAsync(tenant.Name, key, null);
            }
        }
    }

    private async Task<ApiError?> MakeAsync(HttpContext http, Dialect dialect, Tenant tenant, ResponsesRequest request, NoJournal journal)
    {
        var started = time.GetTimestamp();
        if (limiter.TryEnter(tenant, out var slot) is { } limited)
        {
            return limited;
        }

        using (slot)
        {
            var (prepared, error) = await preparer.PrepareAsync(dialect, tenant, request, http.RequestAborted);
            if (prepared is null)
            {
                return error;
            }

            await using var conversation = prepared.Conversation;
            var status = "cancelled";
            try
            {
                (error, status) = await MakeAsync(prepared, http, journal);
                return error;
            }
            finally
            {
                metrics.ResponseFinished(dialect.Name, status, request.Stream, time.GetElapsedTime(started));
            }
        }
    }

    private async Task<(ApiError? Error, string Status)> MakeAsync(PreparedResponse prepared, HttpContext http, NoJournal journal)
    {
        var request = prepared.Request;
        using var stream = request.Stream ? new SseOutput(http.Response, time, limits.Value.KeepAliveInterval, limits.Value.ClientStall) : null;
        using var envelope = ResponseMaker.NewEnvelope(prepared);
        using var events = maker.NewEvents(prepared, envelope, stream ?? (IResponseEventSink)JsonOutput.Instance);
        if (stream is not null)
        {
            stream.Events = events;
        }

        using var patience = new CancellationTokenSource(limits.Value.ResponseTime + EndPatience, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, patience.Token);
        var outcome = await maker.RunAsync(
            prepared, events, stream ?? (ILoopOutput)JsonOutput.Instance, journal, stop.Over, http.RequestAborted);
        if (outcome.IsInterrupted)
        {
            throw new ClientGoneException(http.RequestAborted);
        }

        if (outcome.Error is not null && (!events.HasStarted || (stream is null && HasOnlyLists(events.State))))
        {
            return (outcome.Error, "failed");
        }

        maker.Settle(events.State, outcome);
        try
        {
            return await FinishAsync(prepared, http, stream, envelope, events, outcome.Notes, journal, end.Token);
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
        CallNotes notes, NoJournal journal, CancellationToken cancellationToken)
    {
        if (stream is not null && prepared.IsStored)
        {
            // What the model said does not wait for the store; that it is complete does.
            await stream.FlushAsync(cancellationToken);
        }

        using var input = new StoredInput(prepared.Id, prepared.Request.Input);
        journal.MayBeKept = prepared.IsStored;
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

            events.State.Fail(notKept);
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

    /// <summary>No model and no tool has done anything yet: a client may simply try again.</summary>
    public static bool HasOnlyLists(ResponseState state) => state.Output.TrueForAll(static item => ItemTable.View(item).Kind == ItemKind.McpListTools);

    /// <summary>A call of the gateway's has run: the same request once more would run it again.</summary>
    private static bool HasRunTools(ResponseState state) => state.Output.Exists(static item => ItemTable.View(item).Kind
        is ItemKind.McpCall or ItemKind.WebSearchCall or ItemKind.FileSearchCall or ItemKind.CodeInterpreterCall or ItemKind.ImageGenerationCall);

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
