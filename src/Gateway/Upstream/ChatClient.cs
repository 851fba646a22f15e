using System.Buffers;
using System.Net.Http.Headers;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Responses;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>
/// Sends one Chat Completions request up to the headers of its answer, and owns what can go wrong till then: other destinations are tried
/// while nothing was answered, and every failure comes back as the client's error.
/// </summary>
internal sealed class ChatClient(
    IProxyStateLookup clusters, UpstreamRegistry registry, DestinationPicker picker, UpstreamMetrics metrics, TimeProvider time, ILogger<ChatClient> logger)
{
    private const int MaxErrorBodyBytes = 64 * 1024;
    private static readonly TimeSpan ErrorBodyTimeout = TimeSpan.FromSeconds(5);
    private static readonly MediaTypeHeaderValue Json = new("application/json");
    private static readonly MediaTypeWithQualityHeaderValue AcceptJson = new("application/json");
    private static readonly MediaTypeWithQualityHeaderValue AcceptEvents = new("text/event-stream");

    /// <summary>The answer's body, or a failure. Dispose it in any case.</summary>
    /// <exception cref="OperationCanceledException">The caller gave up; the upstream's work is cancelled.</exception>
    public async ValueTask<ChatReply> SendAsync(ChatCall call, CancellationToken cancellationToken)
    {
        if (registry.Find(call.Route.Upstream) is not { } upstream || !clusters.TryGetCluster(upstream.Name, out var cluster))
        {
            return NoDestination(call.Route.Upstream);
        }

        call.StartedAt ??= time.GetTimestamp();
        FailedChatReply? failed = null;
        var freshLeft = true;
        while (true)
        {
            var destination = picker.Pick(cluster, call.AffinityKey, call.Tried);
            if (destination is null || (failed is not null && call.Tried.Contains(destination.DestinationId)))
            {
                return failed ?? NoDestination(upstream.Name);
            }

            call.Attempts++;
            var reply = await AttemptAsync(new Attempt(call, upstream, cluster, destination), freshLeft, cancellationToken);
            if (reply is not FailedChatReply { ElsewhereMayWork: true } next)
            {
                return reply;
            }

            failed = next;
            freshLeft = false;
            call.Tried.Add(destination.DestinationId);
            if (call.Attempts >= UpstreamRequests.MaxAttempts || TimeLeft(call, upstream) == TimeSpan.Zero)
            {
                return failed;
            }
        }
    }

    /// <summary>How long the call may still wait for its first meaningful chunk, whatever attempts it took so far.</summary>
    private TimeSpan TimeLeft(ChatCall call, ConfiguredUpstream upstream)
    {
        var left = upstream.FirstByteTimeout - time.GetElapsedTime(call.StartedAt!.Value);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private FailedChatReply NoDestination(string upstream)
    {
        metrics.Attempted(upstream, Outcome.Of(UpstreamFailure.NoDestination));
        return new FailedChatReply { Failure = UpstreamFailure.NoDestination, Error = ApiError.UpstreamUnavailable() };
    }

    private async ValueTask<ChatReply> AttemptAsync(Attempt attempt, bool mayUseFresh, CancellationToken cancellationToken)
    {
        var stats = picker.Stats(attempt.Destination);
        stats.Enter();
        metrics.Started(attempt.Upstream.Name);
        ChatReply? reply = null;
        try
        {
            return reply = await ExchangeAsync(attempt, stats, mayUseFresh, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            metrics.Attempted(attempt.Upstream.Name, Outcome.Cancelled);
            throw;
        }
        finally
        {
            // A reply with a body keeps the destination busy until it is disposed.
            if (reply is not HttpChatReply)
            {
                stats.Leave();
                metrics.Ended(attempt.Upstream.Name);
            }
        }
    }

    private async ValueTask<ChatReply> ExchangeAsync(Attempt attempt, DestinationStats stats, bool mayUseFresh, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        HttpResponseMessage response;
        using (var timeout = new CancellationTokenSource(TimeLeft(attempt.Call, attempt.Upstream), time))
        using (var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token))
        {
            try
            {
                response = await SendOnceAsync(attempt, stats, mayUseFresh, linked.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or HttpRequestException)
            {
                cancellationToken.ThrowIfCancellationRequested();
                // Without either token it is the handler's own ConnectTimeout.
                return timeout.IsCancellationRequested
                    ? Fail(attempt, UpstreamFailure.FirstByteTimeout, ApiError.UpstreamTimeout(), e)
                    : Fail(attempt, UpstreamFailure.Connect, ApiError.UpstreamUnavailable(), e);
            }
        }

        metrics.HeadersReceived(attempt.Upstream.Name, time.GetElapsedTime(started));
        if (response.IsSuccessStatusCode)
        {
            return await ReadAsync(attempt, response, cancellationToken);
        }

        using (response)
        {
            return await RefusedAsync(attempt, response, cancellationToken);
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(Attempt attempt, DestinationStats stats, bool mayUseFresh, CancellationToken cancellationToken)
    {
        var client = attempt.Cluster.Model.HttpClient;
        try
        {
            return await client.SendAsync(MakeRequest(attempt, stats, fresh: false), cancellationToken);
        }
        catch (HttpRequestException e) when (mayUseFresh && UpstreamRequests.IsLostConnection(e) && !cancellationToken.IsCancellationRequested)
        {
            UpstreamLog.StaleConnection(logger, attempt.Upstream.Name);
            return await client.SendAsync(MakeRequest(attempt, stats, fresh: true), cancellationToken);
        }
    }

    private static HttpRequestMessage MakeRequest(Attempt attempt, DestinationStats stats, bool fresh)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, stats.ChatUri(attempt.Destination))
        {
            Content = attempt.Call.MakeContent(),
        };
        request.Content.Headers.ContentType = Json;
        UpstreamRequests.SetVersion(request);
        request.Headers.Host = attempt.Destination.Model.Config.Host;
        request.Headers.Accept.Add(attempt.Call.Stream ? AcceptEvents : AcceptJson);
        UpstreamRequests.AddCredentials(request, attempt.Upstream);
        if (fresh)
        {
            request.Options.Set(FreshConnectionHandler.FreshConnection, true);
        }

        return request;
    }

    private async ValueTask<ChatReply> ReadAsync(Attempt attempt, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        return new HttpChatReply(response, attempt.Call, attempt.Upstream, attempt.Cluster, attempt.Destination, picker, metrics, cancellationToken)
        {
            Body = body,
            IsEventStream = string.Equals(response.Content.Headers.ContentType?.MediaType, "text/event-stream", StringComparison.OrdinalIgnoreCase),
            FirstByteTimeout = TimeLeft(attempt.Call, attempt.Upstream),
            IdleTimeout = attempt.Upstream.IdleTimeout,
        };
    }

    private async ValueTask<ChatReply> RefusedAsync(Attempt attempt, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        var buffer = ArrayPool<byte>.Shared.Rent(MaxErrorBodyBytes);
        try
        {
            var length = await ReadErrorBodyAsync(response, buffer.AsMemory(0, MaxErrorBodyBytes), cancellationToken);
            var body = buffer.AsSpan(0, length);
            var route = attempt.Call.Route;
            var error = route.ByPattern && UpstreamErrorReader.IsUnknownModel(status, body)
                ? ApiError.ModelNotFound(route.Model)
                : UpstreamErrorReader.FromBody(status, body, route.Profile.ContextErrorPatterns, UpstreamRequests.RetryAfter(response, time));

            // Servers answer a bad request with a 500 too (template errors, the context): only what is still their fault counts and is retried.
            var isTheirs = UpstreamRequests.IsServerFailure(status) && error.Status >= 500;
            Report(attempt, status, isTheirs);
            return new FailedChatReply
            {
                Failure = UpstreamFailure.Refused,
                Error = error with { Message = attempt.Upstream.HideSecrets(error.Message) },
                UpstreamMessage = UpstreamErrorReader.ReadMessage(body),
                ElsewhereMayWork = isTheirs || status == 429,
            };
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void Report(Attempt attempt, int status, bool isTheirs)
    {
        metrics.Attempted(attempt.Upstream.Name, Outcome.Of(UpstreamFailure.Refused));
        if (isTheirs)
        {
            UpstreamLog.AttemptFailed(logger, attempt.Upstream.Name, attempt.Call.Attempts, UpstreamFailure.Refused, status, "error status");
            picker.ReportFailure(attempt.Cluster, attempt.Destination, UpstreamFailure.Refused);
            return;
        }

        picker.ReportSuccess(attempt.Destination);
        if (status is 401 or 403)
        {
            UpstreamLog.CredentialsRefused(logger, attempt.Upstream.Name, status);
        }
    }

    /// <summary>Reads the body to its end, the buffer's end, or the end of patience, whichever comes first.</summary>
    private async ValueTask<int> ReadErrorBodyAsync(HttpResponseMessage response, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(ErrorBodyTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var length = 0;
        try
        {
            var body = await response.Content.ReadAsStreamAsync(linked.Token);
            while (length < buffer.Length && await body.ReadAsync(buffer[length..], linked.Token) is var read and > 0)
            {
                length += read;
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException)
        {
            // The status is known: what is missing of its explanation changes nothing.
            cancellationToken.ThrowIfCancellationRequested();
        }

        return length;
    }

    private FailedChatReply Fail(Attempt attempt, UpstreamFailure failure, ApiError error, Exception reason)
    {
        // The exception's message names the host: its kind says enough.
        var kind = reason is HttpRequestException http ? http.HttpRequestError.ToString() : reason.GetType().Name;
        UpstreamLog.AttemptFailed(logger, attempt.Upstream.Name, attempt.Call.Attempts, failure, 0, kind);
        metrics.Attempted(attempt.Upstream.Name, Outcome.Of(failure));
        picker.ReportFailure(attempt.Cluster, attempt.Destination, failure);
        // After a long wait another long wait helps nobody.
        return new FailedChatReply { Failure = failure, Error = error, ElsewhereMayWork = failure == UpstreamFailure.Connect };
    }

    private readonly record struct Attempt(ChatCall Call, ConfiguredUpstream Upstream, ClusterState Cluster, DestinationState Destination);
}
