using Gateway.Protocol.Responses;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>Hands a stateless inference request to the upstream of its model, byte for byte. Errors are left in the features as ApiError.</summary>
internal sealed class Passthrough(
    RouteTable routes, UpstreamRegistry registry, IProxyStateLookup clusters, DestinationPicker picker, IHttpForwarder forwarder, UpstreamMetrics metrics,
    ILogger<Passthrough> logger, PassthroughModelFilter? filter = null, PassthroughLimit? limit = null)
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
        using (body)
        {
            return error ?? await ForwardAsync(context, path, body!);
        }
    }

    private async ValueTask<ApiError?> ForwardAsync(HttpContext context, string path, PassthroughBody body)
    {
        // Chat Completions says 404 where Responses says 400; a model that the caller may not use is answered like one that does not exist.
        if (await routes.FindAsync(body.Model, context.RequestAborted) is not { } route || filter?.Invoke(context, body.Model) is not null)
        {
            return ApiError.ModelNotFound(body.Model) with { Status = StatusCodes.Status404NotFound };
        }

        if (registry.Find(route.Upstream) is not { } upstream || !clusters.TryGetCluster(upstream.Name, out var cluster))
        {
            return ApiError.UpstreamUnavailable();
        }

        if (!string.Equals(route.Model, body.Model, StringComparison.Ordinal))
        {
            body.ReplaceModel(route.Model);
        }

        return await ForwardAsync(context, path, body, upstream, cluster);
    }

    private async ValueTask<ApiError?> ForwardAsync(HttpContext context, string path, PassthroughBody body, ConfiguredUpstream upstream, ClusterState cluster)
    {
        var request = cluster.Model.Config.HttpRequest ?? ForwarderRequestConfig.Empty;
        var config = request with
        {
            ActivityTimeout = upstream.FirstByteTimeout > upstream.IdleTimeout ? upstream.FirstByteTimeout : upstream.IdleTimeout,
        };
        var tried = new HashSet<string>(StringComparer.Ordinal);
        var fresh = false;
        var freshLeft = true;
        DestinationState? destination = null;
        for (var attempt = 1; ; attempt++)
        {
            destination = fresh ? destination : picker.Pick(cluster, affinityKey: null, tried);
            if (destination is null)
            {
                return ApiError.UpstreamUnavailable();
            }

            // Known before the answer: an error status is held back only when it can be replaced by another destination's answer.
            tried.Add(destination.DestinationId);
            var elsewhereLeft = attempt < UpstreamRequests.MaxAttempts && DestinationPicker.HasUntried(cluster, tried);
            var transformer = new PassthroughTransformer(upstream, destination, path, fresh, elsewhereLeft);
            Rewind(context, body);
            var forwarded = await SendAsync(context, upstream, cluster, destination, config, transformer);
            if (context.RequestAborted.IsCancellationRequested || context.Response.HasStarted)
            {
                Report(upstream, cluster, destination, context, forwarded, transformer, attempt);
                return null;
            }

            if (forwarded == ForwarderError.None && transformer.KeptBack is null)
            {
                // Complete, though nothing was written: an answer with an empty body.
                Report(upstream, cluster, destination, context, forwarded, transformer, attempt);
                return null;
            }

            var cause = context.GetForwarderErrorFeature()?.Exception;
            // What the forwarder left; headers are those of middleware, and stay.
            context.Response.StatusCode = StatusCodes.Status200OK;
            context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = null;
            if (freshLeft && forwarded != ForwarderError.None && UpstreamRequests.IsLostConnection(cause))
            {
                UpstreamLog.StaleConnection(logger, upstream.Name);
                (fresh, freshLeft) = (true, false);
                attempt--;
                continue;
            }

            (fresh, freshLeft) = (false, false);
            Report(upstream, cluster, destination, context, forwarded, transformer, attempt);
            if (transformer.KeptBack is 401 or 403)
            {
                UpstreamLog.CredentialsRefused(logger, upstream.Name, transformer.KeptBack.Value);
                return ApiError.UpstreamAuth();
            }

            if (transformer.KeptBack is >= 300 and < 400)
            {
                return ApiError.UpstreamError("The model server failed.");
            }

            if (forwarded == ForwarderError.RequestTimedOut)
            {
                return ApiError.UpstreamTimeout();
            }

            if (!elsewhereLeft)
            {
                return ApiError.UpstreamUnavailable();
            }
        }
    }

    private async ValueTask<ForwarderError> SendAsync(
        HttpContext context, ConfiguredUpstream upstream, ClusterState cluster, DestinationState destination, ForwarderRequestConfig config,
        PassthroughTransformer transformer)
    {
        var stats = picker.Stats(destination);
        stats.Enter();
        metrics.Started(upstream.Name);
        try
        {
            return await forwarder.SendAsync(context, destination.Model.Config.Address, cluster.Model.HttpClient, config, transformer);
        }
        finally
        {
            stats.Leave();
            metrics.Ended(upstream.Name);
        }
    }

    private static void Rewind(HttpContext context, PassthroughBody body)
    {
        context.Request.Body = body.OpenRead();
        // The length is known now, however the client sent it.
        context.Request.Headers.TransferEncoding = default;
        context.Request.ContentLength = body.Length;
    }

    /// <summary>Counts what happened against the destination, or for it.</summary>
    private void Report(
        ConfiguredUpstream upstream, ClusterState cluster, DestinationState destination, HttpContext context, ForwarderError forwarded,
        PassthroughTransformer transformer, int attempt)
    {
        var failure = Failure(context, forwarded, transformer);
        if (failure is null)
        {
            metrics.Attempted(upstream.Name, Outcome.Cancelled);
            return;
        }

        metrics.Attempted(upstream.Name, Outcome.Of(failure.Value));
        if (failure == UpstreamFailure.None)
        {
            picker.ReportSuccess(destination);
        }
        else if (failure != UpstreamFailure.Refused || UpstreamRequests.IsServerFailure(transformer.Status ?? 0))
        {
            UpstreamLog.AttemptFailed(logger, upstream.Name, attempt, failure.Value, transformer.Status ?? 0, forwarded.ToString());
            picker.ReportFailure(cluster, destination, failure.Value);
        }
    }

    /// <summary>Null when it was the client who ended it.</summary>
    private static UpstreamFailure? Failure(HttpContext context, ForwarderError forwarded, PassthroughTransformer transformer) => forwarded switch
    {
        ForwarderError.None => transformer.Status >= 400 ? UpstreamFailure.Refused : UpstreamFailure.None,
        _ when context.RequestAborted.IsCancellationRequested => null,
        ForwarderError.RequestTimedOut => UpstreamFailure.FirstByteTimeout,
        ForwarderError.ResponseBodyCanceled or ForwarderError.ResponseBodyClient or ForwarderError.RequestBodyClient or ForwarderError.RequestCanceled => null,
        ForwarderError.ResponseBodyDestination => UpstreamFailure.Protocol,
        _ => UpstreamFailure.Connect,
    };
}
