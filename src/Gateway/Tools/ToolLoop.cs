using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Upstream;

namespace Gateway.Tools;

/// <summary>
/// Makes a response: calls the upstream and translates what comes until the model has answered. A round whose calls belong to the client ends
/// the loop. Everything that can be mended before the client has seen anything is mended here: a server that refuses an optional parameter, a
/// limit that overflows the context, a stream that ended before it began.
/// </summary>
internal sealed class ToolLoop(ChatClient client, RouteTable routes, RoundReader rounds)
{
    /// <summary>How often one round may be sent again in another form.</summary>
    private const int MaxMends = 8;

    /// <summary>How often one round may be sent to some destination, failures before the first byte included.</summary>
    private const int MaxAttempts = 3;

    /// <summary>Fewer output tokens than this are no answer.</summary>
    private const int MinOutputTokens = 16;

    /// <summary>Bytes of text in a token, for servers that report no usage.</summary>
    private const int BytesPerToken = 4;

    /// <summary>Some upstream serves the model. Just after the start it waits a little for the first lists of models.</summary>
    public async ValueTask<bool> ServesAsync(string model, CancellationToken cancellationToken) =>
        await routes.FindAsync(model, cancellationToken) is not null;

    /// <summary>Runs the loop. Only cancellation is thrown.</summary>
    public async Task<LoopOutcome> RunAsync(LoopRequest loop, ResponseEventStream events, ILoopOutput output, CancellationToken cancellationToken)
    {
        if (routes.Find(loop.Model) is not { } route)
        {
            return new LoopOutcome(RoundEnd.Failed, ApiError.ModelNotFound(loop.Model), null, []);
        }

        var attempt = new RoundAttempt(loop, route);
        var spent = default(Usage);
        for (var mends = 0; ; mends++)
        {
            // Given back only when no connection reads from it any more: the next request to rent it may be another tenant's.
            var body = new PooledBuffer(16 * 1024);
            if (ChatRequestWriter.Write(attempt.ToChatRequest(), body) is { } refused)
            {
                return new LoopOutcome(RoundEnd.Failed, refused, null, []);
            }

            var call = new ChatCall
            {
                Route = attempt.Route,
                Body = body.WrittenMemory,
                Stream = attempt.Stream,
                AffinityKey = attempt.Loop.AffinityKey,
            };
            var outcome = await RunRoundAsync(attempt, call, events, output, cancellationToken);
            var requestBytes = body.Length;
            if (!call.IsBodyInUse)
            {
                body.Dispose();
            }

            var untouched = !events.HasOpenItem && events.State.Output.Count == 0;
            if (mends < MaxMends && untouched && outcome.Error is not null && Mend(attempt, outcome))
            {
                continue;
            }

            if (mends < MaxMends && attempt.ShouldAskAgain(outcome, output.IsStream))
            {
                events.State.Output.Clear();
                attempt.AskedAgain = true;
                spent += outcome.Usage ?? default;
                continue;
            }

            var usage = outcome.Usage ?? Estimate(outcome, requestBytes);
            return new LoopOutcome(outcome.End, outcome.Error, usage + spent, outcome.Calls);
        }
    }

    /// <summary>One round, sent again to another destination while the client has seen nothing of it and the client side may try more.</summary>
    private async Task<RoundOutcome> RunRoundAsync(
        RoundAttempt attempt, ChatCall call, ResponseEventStream events, ILoopOutput output, CancellationToken cancellationToken)
    {
        attempt.UpstreamMessage = null;
        RoundOutcome? earlier = null;
        while (true)
        {
            await using var reply = await rounds.SendAsync(client, call, output, cancellationToken);
            if (reply.Failure != UpstreamFailure.None)
            {
                attempt.UpstreamMessage = reply.UpstreamMessage;
                return earlier ?? new RoundOutcome(RoundEnd.Failed, reply.Error ?? ApiError.UpstreamUnavailable(), [], null, 0);
            }

            var (outcome, failure) = await rounds.ReadAsync(reply, attempt, events, output, cancellationToken);
            if (failure != UpstreamFailure.None)
            {
                reply.ReportFailure(failure);
            }

            var untouched = !events.HasOpenItem && events.State.Output.Count == 0;
            if (!untouched || outcome.Error is not { Status: >= 500 } || failure == UpstreamFailure.FirstByteTimeout || call.Attempts >= MaxAttempts)
            {
                return outcome;
            }

            earlier = outcome;
        }
    }

    /// <summary>Changes the attempt so that it may succeed. False when there is nothing to change.</summary>
    private bool Mend(RoundAttempt attempt, RoundOutcome outcome)
    {
        if (outcome.Error!.Code == "context_length_exceeded")
        {
            return attempt.ShrinkForContext(MinOutputTokens);
        }

        if (attempt.UpstreamMessage is { } message && attempt.Route.Profile.StreamOptions
            && message.Contains("stream_options", StringComparison.OrdinalIgnoreCase))
        {
            routes.Remember(attempt.Route, static profile => profile with { StreamOptions = false });
            attempt.Route = attempt.Route with { Profile = attempt.Route.Profile with { StreamOptions = false } };
            return true;
        }

        return false;
    }

    private static Usage? Estimate(RoundOutcome outcome, int requestBytes)
    {
        if (outcome.End == RoundEnd.Failed)
        {
            return null;
        }

        var input = requestBytes / BytesPerToken;
        var output = (outcome.OutputBytes + BytesPerToken - 1) / BytesPerToken;
        return new Usage(input, 0, 0, output, 0, input + output);
    }
}
