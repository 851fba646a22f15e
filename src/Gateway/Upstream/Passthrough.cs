using Gateway.Protocol.Responses;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Upstream;

/// <summary>Hands a stateless inference request to the upstream of its model, byte for byte. Errors are left in the features as ApiError.</summary>
internal sealed class Passthrough(
    RouteTable routes, DestinationPicker picker, PlaceQueue queue, IHttpForwarder forwarder, UpstreamMetrics metrics, TimeProvider time, ILogger<Passthrough> logger,
    PassthroughModelFilter? filter = null, PassthroughLimit? limit = null, PassthroughTenant? tenantOf = null, PassthroughStall? stall = null)
{
    /// <param name="context">The request.</param>
    /// <param name="path">The path below the upstream's base URL, with a slash before it.</param>
    public async Task ForwardAsync(HttpContext context, string path)
    {
        // Before the body is read, since it is kept whole.
        IDisposable? place = null;
        var error = limit?.Invoke(context, out place);
        using (place)
        {
            error ??= await ReadAndForwardAsync(context, path);
        }

        if (error is not null)
        {
            context.Features.Set(error);
        }
    }

    private async ValueTask<ApiError?> ReadAndForwardAsync(HttpContext context, string path)
    {
        var (body, error) = await PassthroughBody.ReadAsync(context);
        if (error is not null)
        {
            return error;
        }

        var answer = context.Response.Body;
        using (body)
        {
            if (stall is not null)
            {
                context.Response.Body = new ImpatientStream(context, stall.Longest, time);
            }

            try
            {
                return await ForwardAsync(context, path, body!);
            }
            finally
            {
                context.Response.Body = answer;
            }
        }
    }

    private async ValueTask<ApiError?> ForwardAsync(HttpContext context, string path, PassthroughBody body)
    {
        // Chat Completions says 404 where Responses says 400; a model that the caller may not use is answered like one that does not exist.
        if (await routes.FindAsync(body.Model, context.RequestAborted) is not { } found || filter?.Invoke(context, body.Model) is not null)
        {
            return ApiError.ModelNotFound(body.Model) with { Status = StatusCodes.Status404NotFound };
        }

        var tenant = tenantOf?.Invoke(context) ?? "";
        return await ForwardAsync(context, path, body, new UpstreamCall
        {
            Routes = found,
            Tenant = tenant,
            AffinityKey = body.PromptCacheKey is { } key ? UpstreamRequests.AffinityKey(tenant, key) : null,
        });
    }

    private async ValueTask<ApiError?> ForwardAsync(HttpContext context, string path, PassthroughBody body, UpstreamCall call)
    {
        ApiError? failed = null;
        var freshLeft = true;
        while (true)
        {
            var mayWait = failed is not { Status: StatusCodes.Status429TooManyRequests };
            if (call.Attempts > 0 && (call.AttemptsLeft == 0 || !picker.HasUntried(call, mayWait) || !picker.MayAttempt(call)))
            {
                return failed;
            }

            var place = await queue.EnterAsync(call, again: false, mayWait, context.RequestAborted);
            if (!place.IsTaken)
            {
                return failed ?? UpstreamRequests.ErrorOf(place.Missing);
            }

            if (call.Attempts == 0)
            {
                picker.MayAttempt(call);
            }

            try
            {
                (failed, var isLast) = await AttemptAsync(context, path, body, call, place, freshLeft);
                if (isLast)
                {
                    return failed;
                }
            }
            finally
            {
                picker.Leave(place);
            }

            freshLeft = false;
        }
    }

    /// <summary>One attempt; a kept-alive connection that turned out to be dead is replaced within it. Without an error it is the last one.</summary>
    private async ValueTask<(ApiError? Error, bool IsLast)> AttemptAsync(
        HttpContext context, string path, PassthroughBody body, UpstreamCall call, Place place, bool freshLeft)
    {
        body.SetModel(place.Candidate!.Route.Model);
        call.BeginAttempt();
        // Known before the answer: an error status is held back only when it can be replaced by another destination's answer.
        call.FailedAt(place.Stats!, UpstreamFailure.None);
        var elsewhereLeft = call.AttemptsLeft > 0 && picker.HasUntried(call, mayWait: false) && picker.HasBudget(call);
        var (forwarded, transformer) = await SendAsync(context, path, body, place, fresh: false, elsewhereLeft);
        if (freshLeft && !IsAnswered(context, forwarded, transformer) && UpstreamRequests.IsLostConnection(context.GetForwarderErrorFeature()?.Exception))
        {
            UpstreamLog.StaleConnection(logger, place.Stats!.Upstream);
            Undo(context);
            (forwarded, transformer) = await SendAsync(context, path, body, place, fresh: true, elsewhereLeft);
        }

        var failure = Report(place, context, forwarded, transformer, call.Attempts);
        if (IsAnswered(context, forwarded, transformer))
        {
            return (null, true);
        }

        Undo(context);
        switch (transformer.KeptBack)
        {
            case 401 or 403:
                UpstreamLog.CredentialsRefused(logger, place.Stats!.Upstream, transformer.KeptBack.Value);
                return (ApiError.UpstreamAuth(), true);
            case >= 300 and < 400:
                return (ApiError.UpstreamError("The model server failed."), true);
            case StatusCodes.Status429TooManyRequests:
                return (ApiError.RateLimited("The model server is busy.", transformer.RetryAfter ?? TimeSpan.FromSeconds(1)), false);
            default:
                call.FailedAt(place.Stats!, failure);
                return (failure == UpstreamFailure.FirstByteTimeout ? ApiError.UpstreamTimeout() : ApiError.UpstreamUnavailable(), false);
        }
    }

    /// <summary>Something went to the client, or an answer with an empty body is complete, or nobody waits any more.</summary>
    private static bool IsAnswered(HttpContext context, ForwarderError forwarded, PassthroughTransformer transformer) =>
        context.RequestAborted.IsCancellationRequested || context.Response.HasStarted
        || (forwarded == ForwarderError.None && transformer.KeptBack is null);

    /// <summary>Takes back what the forwarder left; headers are those of middleware, and stay.</summary>
    private static void Undo(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = null;
    }

    private async ValueTask<(ForwarderError Error, PassthroughTransformer Transformer)> SendAsync(
        HttpContext context, string path, PassthroughBody body, Place place, bool fresh, bool elsewhereLeft)
    {
        var upstream = place.Candidate!.Upstream;
        var cluster = place.Candidate.Cluster.Model;
        var destination = place.Stats!.Destination;
        var config = (cluster.Config.HttpRequest ?? ForwarderRequestConfig.Empty) with
        {
            ActivityTimeout = upstream.FirstByteTimeout > upstream.IdleTimeout ? upstream.FirstByteTimeout : upstream.IdleTimeout,
        };
        var transformer = new PassthroughTransformer(upstream, destination, path, fresh, elsewhereLeft, time);
        Rewind(context, body);
        var error = await forwarder.SendAsync(context, destination.Model.Config.Address, cluster.HttpClient, config, transformer);
        // A server that has answered need not have read the rest of the request, and says so where that is a stream of its own (HTTP/2).
        return (transformer.IsWhole ? ForwarderError.None : error, transformer);
    }

    private static void Rewind(HttpContext context, PassthroughBody body)
    {
        context.Request.Body = body.OpenRead();
        // The length is known now, however the client sent it.
        context.Request.Headers.TransferEncoding = default;
        context.Request.ContentLength = body.Length;
    }

    /// <summary>Counts what happened against the destination, or for it.</summary>
    private UpstreamFailure Report(Place place, HttpContext context, ForwarderError forwarded, PassthroughTransformer transformer, int attempt)
    {
        var destination = place.Stats!;
        if (Failure(context, forwarded, transformer) is not { } failure)
        {
            metrics.Attempted(destination.Upstream, Outcome.Cancelled);
            return UpstreamFailure.None;
        }

        metrics.Attempted(destination.Upstream, Outcome.Of(failure));
        var status = transformer.Status ?? 0;
        if (failure == UpstreamFailure.Refused && status == StatusCodes.Status500InternalServerError)
        {
            // Many servers answer a bad request so, and the body that would tell goes by unread: it says nothing either way.
            return failure;
        }

        if (failure != UpstreamFailure.None && (failure != UpstreamFailure.Refused || UpstreamRequests.IsServerFailure(status)))
        {
            UpstreamLog.AttemptFailed(logger, destination.Upstream, attempt, failure, status, forwarded.ToString());
            picker.ReportFailure(destination, failure);
            return failure;
        }

        destination.ClearFailures();
        if (status == StatusCodes.Status429TooManyRequests)
        {
            picker.ReportThrottled(destination, transformer.RetryAfter);
        }

        return failure;
    }

    /// <summary>Null when it was the client who ended it.</summary>
    private static UpstreamFailure? Failure(HttpContext context, ForwarderError forwarded, PassthroughTransformer transformer) => forwarded switch
    {
        ForwarderError.None => transformer.Status >= 400 ? UpstreamFailure.Refused : UpstreamFailure.None,
        _ when context.RequestAborted.IsCancellationRequested => null,
        ForwarderError.RequestTimedOut => UpstreamFailure.FirstByteTimeout,
        ForwarderError.ResponseBodyCanceled or ForwarderError.ResponseBodyClient or ForwarderError.RequestBodyClient or ForwarderError.RequestCanceled => null,
        // It took the connection: small servers close it on a body over their limit.
        ForwarderError.RequestBodyDestination => UpstreamFailure.Protocol,
        ForwarderError.ResponseHeaders or ForwarderError.ResponseBodyDestination => UpstreamFailure.Protocol,
        _ => UpstreamFailure.Connect,
    };
}
