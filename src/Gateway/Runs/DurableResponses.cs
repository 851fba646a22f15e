using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Responses;
using Gateway.Store;
using Microsoft.Extensions.Options;

namespace Gateway.Runs;

/// <summary>
/// Creates responses as durable runs: background ones, stored streams that go on while their client is away, and stored ones with an
/// <c>Idempotency-Key</c>, whose first request may have lost its client.
/// </summary>
internal sealed class DurableResponses(
    RunHost host, IRunStore runs, RunFollower follower, FollowerPlaces places, IdempotencyKeys keys, RunReader reader, ResponsePreparer preparer, ResponseKeeper keeper, RunSpecs specs,
    OpenStreamLimiter limiter, IOptions<StoreOptions> store, IOptions<LimitsOptions> limits, IOptions<RunOptions> options)
{
    /// <summary>The request is made as a run.</summary>
    public bool Wants(ResponsesRequest request, Tenant tenant, IdempotencyKey? key)
    {
        if (request.Background)
        {
            return true;
        }

        var isStored = request.Store && tenant.Policy.StoreAllowed;
        return isStored && specs.CanKeep(request) && (key is not null || (request is { Stream: true, Generate: true } && store.Value.ResumeWindow > TimeSpan.Zero));
    }

    /// <summary>Answers one POST. The returned error is to be told in the client's dialect; null when the response has been written.</summary>
    /// <param name="http">The client.</param>
    /// <param name="dialect">The client's dialect.</param>
    /// <param name="tenant">Whose request it is.</param>
    /// <param name="request">The request, which looks into <paramref name="body"/>.</param>
    /// <param name="body">The body. It is given back here, or by the run.</param>
    /// <param name="key">The key that the request came with, or null.</param>
    public async Task<ApiError?> CreateAsync(
        HttpContext http, Dialect dialect, Tenant tenant, ResponsesRequest request, PooledBuffer body, IdempotencyKey? key)
    {
        IDisposable? following = null;
        using var held = new HeldThings(body);
        try
        {
            if (Check(request, tenant) is { } refused)
            {
                return refused;
            }

            if (key is not null && await keys.FindAsync(tenant.Name, key, http.RequestAborted) is var (first, clash) && (first is not null || clash is not null)
                && !await TakeOverAsync(tenant, key, first, http.RequestAborted))
            {
                return await RepeatAsync(http, dialect, tenant, request, first, clash);
            }

            // A background response without a place waits for one.
            if (limiter.TryEnter(tenant, out var place) is { } limited && !request.Background)
            {
                return limited;
            }

            held.Add(place);
            if (request.Stream && places.TryEnter(tenant, out following) is { } full)
            {
                return full;
            }

            // In a conversation the key is taken before the hold: who comes at the same moment with the same key finds the first response, not a
            // locked conversation.
            ResponseId? id = ConversationId.TryParse(request.ConversationId, out var conversation) ? conversation.NewTurn() : null;
            var hasKey = id is not null && key is not null;
            if (hasKey && !await keys.TakeAsync(tenant.Name, key!, id, http.RequestAborted))
            {
                return await RepeatAsync(http, dialect, tenant, request, key!);
            }

            var (prepared, error) = await PrepareAsync(dialect, tenant, request, id, hasKey ? key : null, http.RequestAborted);
            if (prepared is null)
            {
                return error;
            }

            if (key is not null && !hasKey && !await keys.TakeAsync(tenant.Name, key, prepared.Id, http.RequestAborted))
            {
                return await RepeatAsync(http, dialect, tenant, request, key);
            }

            return await StartAsync(http, dialect, prepared, body, held, place is not null, key);
        }
        finally
        {
            following?.Dispose();
        }
    }

    /// <summary>Prepares the response; the key that was taken for it is given back when nothing comes of it.</summary>
    private async Task<(PreparedResponse? Prepared, ApiError? Error)> PrepareAsync(
        Dialect dialect, Tenant tenant, ResponsesRequest request, ResponseId? id, IdempotencyKey? taken, CancellationToken cancellationToken)
    {
        PreparedResponse? prepared = null;
        try
        {
            (prepared, var error) = await preparer.PrepareAsync(dialect, tenant, request, cancellationToken, id);
            return (prepared, error);
        }
        finally
        {
            if (prepared is null && taken is not null)
            {
                await keys.ReleaseAsync(tenant.Name, taken, id);
            }
        }
    }

    private async Task<ApiError?> StartAsync(
        HttpContext http, Dialect dialect, PreparedResponse prepared, PooledBuffer body, HeldThings held, bool hasPlace, IdempotencyKey? key)
    {
        var request = prepared.Request;

        // Rendered now: a short response may be over, and its request given back, before this one is answered.
        using var queued = new PooledBuffer(2048);
        RunViews.Write(prepared, hasBegun: false, queued);
        var (tenant, isStream, isBackground) = (prepared.Tenant, request.Stream, request.Background);
        var window = isBackground || key is not null ? (TimeSpan?)null : store.Value.ResumeWindow;
        var run = new RunKey(tenant.Name, prepared.Id);
        var (accepted, error) = await AcceptAsync(prepared, body, new RunTerms(isBackground, isStream, window, key is not null), hasPlace, held, key, http.RequestAborted);
        if (error is null && isBackground && !isStream)
        {
            await JsonBody.WriteAsync(http, StatusCodes.Status200OK, queued);
            return null;
        }

        error ??= await AnswerAsync(http, dialect, tenant, run, isStream, window, () => accepted?.Error);
        return error is null ? null : accepted?.Error ?? error;
    }

    /// <summary>Accepts the run. When nothing comes of it, now or later, the same request may be tried again with its key.</summary>
    private async Task<(AcceptedRun? Run, ApiError? Error)> AcceptAsync(
        PreparedResponse prepared, PooledBuffer body, RunTerms terms, bool hasPlace, HeldThings held, IdempotencyKey? key, CancellationToken cancellationToken)
    {
        var isAccepted = false;
        try
        {
            var (run, error) = await host.AcceptAsync(prepared, body.WrittenMemory, terms, hasPlace, held, GiveKeyBackAsync, cancellationToken);
            isAccepted = error is null;
            return (run, error);
        }
        finally
        {
            if (!isAccepted)
            {
                await prepared.Conversation.DisposeAsync();
                await GiveKeyBackAsync();
            }
        }

        ValueTask GiveKeyBackAsync() => key is null ? default : keys.ReleaseAsync(prepared.Tenant.Name, key, prepared.Id);
    }

    private async Task<ApiError?> AnswerAsync(HttpContext http, Dialect dialect, Tenant tenant, RunKey run, bool isStream, TimeSpan? window, Func<ApiError?>? refusal)
    {
        if (isStream)
        {
            return await follower.FollowAsync(http, run, 0, window, refusal);
        }

        // A client takes the JSON that it gets for the end. Each replica that makes the response has its time for it, and a lease goes by until
        // another one takes over: who has waited longer tries again with its key, and waits on.
        return await follower.WaitForEndAsync(run, limits.Value.ResponseTime + options.Value.Lease, window, http.RequestAborted)
            ? await reader.WriteAsync(http, dialect, tenant, run)
            : ApiError.ResponseUnfinished();
    }

    /// <summary>
    /// Gives back the key of a first request of which nothing came: its replica ended between taking the key and accepting the run. The store sees to
    /// it that no run can come any more, should that replica only be slow.
    /// </summary>
    private async Task<bool> TakeOverAsync(Tenant tenant, IdempotencyKey key, ResponseId? first, CancellationToken cancellationToken)
    {
        if (first is not { } id || places.TryEnter(tenant, out var waiting) is not null)
        {
            return false;
        }

        using (waiting)
        {
            var run = new RunKey(tenant.Name, id);
            if (await follower.WaitForStartAsync(run, cancellationToken) || !await runs.ForbidAsync(run, IdempotencyKeys.Life, cancellationToken))
            {
                return false;
            }
        }

        await keys.ReleaseAsync(tenant.Name, key, id);
        return true;
    }

    /// <summary>Another one with the key came at the same moment, and was first.</summary>
    private async Task<ApiError?> RepeatAsync(HttpContext http, Dialect dialect, Tenant tenant, ResponsesRequest request, IdempotencyKey key)
    {
        var (first, clash) = await keys.FindAsync(tenant.Name, key, http.RequestAborted);
        return await RepeatAsync(http, dialect, tenant, request, first, clash);
    }

    /// <summary>The same request once more: it gets the response of the first.</summary>
    private async Task<ApiError?> RepeatAsync(HttpContext http, Dialect dialect, Tenant tenant, ResponsesRequest request, ResponseId? first, ApiError? clash)
    {
        if (clash is not null)
        {
            // Stock clients try a 409 again, and this one stays.
            http.Response.Headers[CreateResponse.ShouldRetryHeader] = "false";
            return clash;
        }

        if (first is not { } id || places.TryEnter(tenant, out var following) is not null)
        {
            return ApiError.IdempotencyKeyInUse();
        }

        using (following)
        {
            // The first one may be on its way still, or come to nothing yet: then the next try makes it.
            var run = new RunKey(tenant.Name, id);
            var error = !await follower.WaitForStartAsync(run, http.RequestAborted) ? ApiError.IdempotencyKeyInUse()
                : request.Background && !request.Stream ? await reader.WriteAsync(http, dialect, tenant, run)
                : await AnswerAsync(http, dialect, tenant, run, request.Stream, window: null, ApiError.IdempotencyKeyInUse);
            return error is { Status: StatusCodes.Status404NotFound } ? ApiError.IdempotencyKeyInUse() : error;
        }
    }

    private ApiError? Check(ResponsesRequest request, Tenant tenant) =>
        request.Background && !tenant.Policy.StoreAllowed
            ? ApiError.UnsupportedValue("background", "Background mode is not available: this gateway stores no responses of yours.")
            : keeper.IsAvailable ? null : ApiError.StoreUnavailable();
}
