using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Responses;
using Gateway.Store;
using Microsoft.Extensions.Options;

namespace Gateway.Runs;

/// <summary>Creates responses as durable runs: background ones, and stored streams that go on while their client is away.</summary>
internal sealed class DurableResponses(
    RunHost host, RunFollower follower, ResponsePreparer preparer, ResponseKeeper keeper, RunSpecs specs, OpenStreamLimiter limiter, IOptions<StoreOptions> store)
{
    /// <summary>The request is made as a run.</summary>
    public bool Wants(ResponsesRequest request, Tenant tenant) => request.Background
        || (store.Value.ResumeWindow > TimeSpan.Zero && request.Stream && request.Store && tenant.Policy.StoreAllowed && request.Generate && specs.CanKeep(request));

    /// <summary>Answers one POST. The returned error is to be told in the client's dialect; null when the response has been written.</summary>
    /// <param name="http">The client.</param>
    /// <param name="dialect">The client's dialect.</param>
    /// <param name="tenant">Whose request it is.</param>
    /// <param name="request">The request, which looks into <paramref name="body"/>.</param>
    /// <param name="body">The body. It is given back here, or by the run.</param>
    public async Task<ApiError?> CreateAsync(HttpContext http, Dialect dialect, Tenant tenant, ResponsesRequest request, PooledBuffer body)
    {
        IDisposable? place = null;
        IDisposable? following = null;
        var accepted = false;
        try
        {
            if (Check(request, tenant, out place) is { } refused)
            {
                return refused;
            }

            if (request.Stream && follower.TryEnter(out following) is { } full)
            {
                return full;
            }

            var (prepared, error) = await preparer.PrepareAsync(dialect, tenant, request, http.RequestAborted);
            if (prepared is null)
            {
                return error;
            }

            // Rendered now: a short response may be over, and its request given back, before this one is answered.
            using var queued = new PooledBuffer(2048);
            RunViews.Write(prepared, hasBegun: false, queued);
            var terms = new RunTerms(request.Background, request.Stream, request.Background ? null : store.Value.ResumeWindow);
            var key = new RunKey(tenant.Name, prepared.Id);
            accepted = true;
            var (run, notAccepted) = await host.AcceptAsync(prepared, body.WrittenMemory, terms, place, body, http.RequestAborted);
            if (notAccepted is not null)
            {
                return notAccepted;
            }

            if (!request.Stream)
            {
                await JsonBody.WriteAsync(http, StatusCodes.Status200OK, queued);
                return null;
            }

            return await follower.FollowAsync(http, key, 0, terms.Window, () => run?.Error);
        }
        finally
        {
            following?.Dispose();
            if (!accepted)
            {
                place?.Dispose();
                body.Dispose();
            }
        }
    }

    private ApiError? Check(ResponsesRequest request, Tenant tenant, out IDisposable? place)
    {
        place = null;
        if (!tenant.Policy.StoreAllowed)
        {
            return ApiError.UnsupportedValue("background", "Background mode is not available: this gateway stores no responses of yours.");
        }

        if (!keeper.IsAvailable)
        {
            return ApiError.StoreUnavailable();
        }

        // A background response without a place waits for one.
        return limiter.TryEnter(tenant, out place) is { } limited && !request.Background ? limited : null;
    }
}
