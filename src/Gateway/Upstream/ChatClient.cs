using System.Buffers;
using System.Net.Http.Headers;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Responses;

namespace Gateway.Upstream;

/// <summary>
/// Sends one Chat Completions request up to the headers of its answer, and owns what can go wrong till then: other destinations are tried
/// while nothing was answered, and every failure comes back as the client's error.
/// </summary>
internal sealed class ChatClient(DestinationPicker picker, PlaceQueue queue, UpstreamMetrics metrics, TimeProvider time, ILogger<ChatClient> logger)
{
    private const int MaxErrorBodyBytes = 64 * 1024;
    private static readonly TimeSpan ErrorBodyTimeout = TimeSpan.FromSeconds(5);
    private static readonly MediaTypeHeaderValue Json = new("application/json");
    private static readonly MediaTypeWithQualityHeaderValue AcceptJson = new("application/json");
    private static readonly MediaTypeWithQualityHeaderValue AcceptEvents = new("text/event-stream");

    /// <summary>The answer's body, or a failure. Dispose it in any case. A call that is sent again is tried further, within the same limits.</summary>
    /// <exception cref="OperationCanceledException">The caller gave up; the upstream's work is cancelled.</exception>
    public async ValueTask<ChatReply> SendAsync(ChatCall call, CancellationToken cancellationToken)
    {
        FailedChatReply? failed = null, excluded = null;
        var freshLeft = true;
        while (true)
        {
            // Where a stream broke may be asked again when there is no other place; a silent server not, nor one that has reached its limit.
            var again = failed is null && !call.WasSilent && !call.WasThrottled;
            var mayWait = !call.WasThrottled;
            if (call.Attempts > 0 && (call.AttemptsLeft == 0 || !(again || picker.HasUntried(call, mayWait)) || !picker.MayAttempt(call)))
            {
                return failed ?? excluded ?? NoDestination(call, NoPlace.AllTried);
            }

            var place = await queue.EnterAsync(call, again, mayWait, cancellationToken);
            if (!place.IsTaken)
            {
                // An upstream that is busy or down could have been asked: then it is not the request's fault.
                var another = picker.CandidatesOf(call.Routes).Any(candidate => !call.IsExcluded(candidate.Route));
                return failed ?? (another ? null : excluded) ?? NoDestination(call, place.Missing);
            }

            var reply = await AttemptAsync(call, place, freshLeft, cancellationToken);
            if (reply is not FailedChatReply { ElsewhereMayWork: true } next)
            {
                return reply;
            }

            if (call.IsExcluded(place.Candidate!.Route))
            {
                // Told only when nothing else was: what failed before says more about why there is no answer.
                excluded = next;
                continue;
            }

            failed = next;
            freshLeft = false;
        }
    }

    private FailedChatReply NoDestination(UpstreamCall call, NoPlace missing)
    {
        if (call.Attempts == 0)
        {
            // A call that was tried is counted with what came of that.
            metrics.Attempted(call.Routes.First.Upstream, Outcome.Of(UpstreamFailure.NoDestination));
        }

        return new FailedChatReply { Failure = UpstreamFailure.NoDestination, Error = UpstreamRequests.ErrorOf(missing) };
    }

    private async ValueTask<ChatReply> AttemptAsync(ChatCall call, Place place, bool mayUseFresh, CancellationToken cancellationToken)
    {
        ChatReply? reply = null;
        try
        {
            var body = call.BodyFor(place.Candidate!.Route);
            if (body.Error is { } refused)
            {
                // Another upstream may understand what this one has no words for.
                call.Exclude(place.Candidate.Route);
                return new FailedChatReply { Failure = UpstreamFailure.Refused, Error = refused, ElsewhereMayWork = true };
            }

            if (call.Attempts == 0)
            {
                picker.MayAttempt(call);
            }

            call.BeginAttempt();
            reply = await ExchangeAsync(new Attempt(call, body, place, time.GetTimestamp()), mayUseFresh, cancellationToken);
            if (reply is FailedChatReply { ElsewhereMayWork: true })
            {
                call.FailedAt(place.Stats!, reply.Failure);
            }

            return reply;
        }
        catch (OperationCanceledException)
        {
            metrics.Attempted(place.Stats!.Upstream, Outcome.Cancelled);
            throw;
        }
        finally
        {
            // A reply with a body keeps the place until it is disposed.
            if (reply is not HttpChatReply)
            {
                picker.Leave(place);
            }
        }
    }

    private async ValueTask<ChatReply> ExchangeAsync(Attempt attempt, bool mayUseFresh, CancellationToken cancellationToken)
    {
        HttpResponseMessage response;
        using (var timeout = new CancellationTokenSource(attempt.Upstream.FirstByteTimeout, time))
        using (var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token))
        {
            try
            {
                response = await SendOnceAsync(attempt, mayUseFresh, linked.Token);
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

        metrics.HeadersReceived(attempt.Upstream.Name, time.GetElapsedTime(attempt.Started));
        if (response.IsSuccessStatusCode)
        {
            return await ReadAsync(attempt, response, cancellationToken);
        }

        using (response)
        {
            return await RefusedAsync(attempt, response, cancellationToken);
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(Attempt attempt, bool mayUseFresh, CancellationToken cancellationToken)
    {
        var client = attempt.Place.Candidate!.Cluster.Model.HttpClient;
        try
        {
            return await client.SendAsync(MakeRequest(attempt, fresh: false), cancellationToken);
        }
        catch (HttpRequestException e) when (mayUseFresh && UpstreamRequests.IsLostConnection(e) && !cancellationToken.IsCancellationRequested)
        {
            UpstreamLog.StaleConnection(logger, attempt.Upstream.Name);
            return await client.SendAsync(MakeRequest(attempt, fresh: true), cancellationToken);
        }
    }

    private static HttpRequestMessage MakeRequest(Attempt attempt, bool fresh)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, attempt.Destination.ChatUri())
        {
            Content = attempt.Body.MakeContent(),
        };
        request.Content.Headers.ContentType = Json;
        request.Headers.Accept.Add(attempt.Body.Stream ? AcceptEvents : AcceptJson);
        UpstreamRequests.Address(request, attempt.Upstream, attempt.Destination.Destination);
        if (fresh)
        {
            request.Options.Set(FreshConnectionHandler.FreshConnection, true);
        }

        return request;
    }

    private async ValueTask<ChatReply> ReadAsync(Attempt attempt, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        return new HttpChatReply(response, attempt.Call, attempt.Place, picker, metrics, cancellationToken)
        {
            Body = body,
            IsEventStream = string.Equals(response.Content.Headers.ContentType?.MediaType, "text/event-stream", StringComparison.OrdinalIgnoreCase),
            FirstByteTimeout = TimeLeft(attempt),
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
            var route = attempt.Place.Candidate!.Route;
            var retryAfter = UpstreamRequests.RetryAfter(response, time);
            var isUnknownModel = UpstreamErrorReader.IsUnknownModel(status, body);
            var error = route.ByPattern && isUnknownModel
                ? ApiError.ModelNotFound(route.Model)
                : UpstreamErrorReader.FromBody(status, body, route.Profile.ContextErrorPatterns, retryAfter);

            // Servers answer a bad request with a 500 too (template errors, the context): only what is still their fault counts and is retried.
            var isTheirs = UpstreamRequests.IsServerFailure(status) && error.Status >= 500;
            Report(attempt, status, isTheirs);
            if (status == StatusCodes.Status429TooManyRequests)
            {
                attempt.Call.WasThrottled = true;
                picker.ReportThrottled(attempt.Destination, retryAfter);
            }

            return new FailedChatReply
            {
                Failure = UpstreamFailure.Refused,
                Error = error with { Message = attempt.Upstream.HideSecrets(error.Message) },
                UpstreamMessage = UpstreamErrorReader.ReadMessage(body),
                // A model that one destination named need not be at the others; a name that came through a glob may be anything.
                ElsewhereMayWork = isTheirs || status == StatusCodes.Status429TooManyRequests || (isUnknownModel && !route.ByPattern),
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
            picker.ReportFailure(attempt.Destination, UpstreamFailure.Refused);
            return;
        }

        attempt.Destination.ClearFailures();
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
        picker.ReportFailure(attempt.Destination, failure);
        return new FailedChatReply { Failure = failure, Error = error, ElsewhereMayWork = true };
    }

    /// <summary>How long the attempt may still wait for its first meaningful chunk.</summary>
    private TimeSpan TimeLeft(Attempt attempt)
    {
        var left = attempt.Upstream.FirstByteTimeout - time.GetElapsedTime(attempt.Started);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private readonly record struct Attempt(ChatCall Call, ChatBody Body, Place Place, long Started)
    {
        public ConfiguredUpstream Upstream => Place.Candidate!.Upstream;

        public DestinationStats Destination => Place.Stats!;
    }
}
