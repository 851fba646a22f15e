using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Telemetry;
using Gateway.Upstream;

namespace Gateway.Tools;

/// <summary>Limits on what is read from upstreams, and how often a silent client is thought of.</summary>
/// <param name="EventBytes">The longest event of a stream.</param>
/// <param name="BodyBytes">The longest body of an answer that is not streamed.</param>
/// <param name="Calls">The most tool calls in one answer.</param>
/// <param name="Tick">How often waits are looked after.</param>
internal sealed record RoundLimits(int EventBytes, int BodyBytes, int Calls, TimeSpan Tick);

/// <summary>
/// Sends one round and reads its answer into the event stream: the upstream is read only after the client took what came before, the client is
/// kept alive through the upstream's silence, and every wait has its end.
/// </summary>
internal sealed class RoundReader(TimeProvider time, RoundLimits limits, GatewayMetrics metrics)
{
    /// <summary>Sends the call, keeping the client's connection alive while the upstream thinks.</summary>
    public async Task<ChatReply> SendAsync(ChatClient client, ChatCall call, ILoopOutput output, CancellationToken cancellationToken)
    {
        var sending = client.SendAsync(call, cancellationToken).AsTask();
        try
        {
            return await KeepAliveWhileAsync(sending, output, cancellationToken);
        }
        catch (Exception) when (!sending.IsCanceled && !sending.IsFaulted)
        {
            _ = DisposeLaterAsync(sending);
            throw;
        }
    }

    /// <summary>Waits for a task that writes no events, and keeps the client's connection alive meanwhile.</summary>
    public async Task<T> KeepAliveWhileAsync<T>(Task<T> waited, ILoopOutput output, CancellationToken cancellationToken)
    {
        if (!output.IsStream || waited.IsCompleted)
        {
            return await waited;
        }

        using var ticks = new PeriodicTimer(limits.Tick, time);
        while (true)
        {
            var tick = ticks.WaitForNextTickAsync(CancellationToken.None).AsTask();
            if (await Task.WhenAny(waited, tick) == waited)
            {
                return await waited;
            }

            await output.KeepAliveAsync(cancellationToken);
        }
    }

    /// <summary>Reads the reply's body to its end and closes the round.</summary>
    public async Task<(RoundOutcome Outcome, UpstreamFailure Failure)> ReadAsync(
        ChatReply reply, RoundAttempt attempt, ResponseEventStream events, ILoopOutput output, CancellationToken cancellationToken)
    {
        using var translator = new ResponseTranslator(attempt.ToContext(limits.Calls), events);
        var round = new Round(reply, translator, attempt.Route.Upstream, time.GetTimestamp());
        try
        {
            return reply.IsEventStream
                ? await ReadStreamAsync(round, output, cancellationToken)
                : await ReadBodyAsync(round, output, cancellationToken);
        }
        catch (OperationCanceledException e) when (e is not ClientGoneException && !cancellationToken.IsCancellationRequested)
        {
            return (translator.Fail(ApiError.UpstreamTimeout()), UpstreamFailure.FirstByteTimeout);
        }
        catch (InvalidDataException)
        {
            return (translator.Fail(ApiError.UpstreamError("The model server's answer is longer than the gateway's limit.")), UpstreamFailure.TooLarge);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            if (translator.HasFinished)
            {
                // All that the model said is there; only the end of the stream is not.
                return (translator.Finish(isWhole: true), UpstreamFailure.None);
            }

            return (translator.Fail(ApiError.UpstreamError("The connection to the model server broke in the middle of its answer.")), UpstreamFailure.Protocol);
        }
    }

    /// <summary>Nobody waits for the reply any more; what it holds must be given back all the same.</summary>
    private static async Task DisposeLaterAsync(Task<ChatReply> sending)
    {
        try
        {
            await (await sending).DisposeAsync();
        }
        catch (OperationCanceledException)
        {
            // It ended by the same token.
        }
    }

    private async Task<(RoundOutcome, UpstreamFailure)> ReadStreamAsync(Round round, ILoopOutput output, CancellationToken cancellationToken)
    {
        using var chunks = new ChunkStream(round.Reply.Body, time, limits.Tick, limits.EventBytes);
        var lastData = time.GetTimestamp();
        while (true)
        {
            var any = Consume(chunks, round);
            if (round.Translator.HasFailed)
            {
                // The stream need not ever end.
                return (round.Translator.Finish(isWhole: false), FailureOf(round));
            }

            if (chunks.IsDone)
            {
                return (round.Translator.Finish(isWhole: true), UpstreamFailure.None);
            }

            if (any)
            {
                await output.FlushAsync(cancellationToken);
            }

            switch (await chunks.WaitAsync(cancellationToken))
            {
                case ChunkWait.Data:
                    lastData = time.GetTimestamp();
                    break;
                case ChunkWait.Tick:
                    if (!round.HasBegun && time.GetElapsedTime(round.SentAt) >= round.Reply.FirstByteTimeout)
                    {
                        return (round.Translator.Fail(ApiError.UpstreamTimeout()), UpstreamFailure.FirstByteTimeout);
                    }

                    if (round.HasBegun && time.GetElapsedTime(lastData) >= round.Reply.IdleTimeout)
                    {
                        if (round.Translator.HasFinished)
                        {
                            return (round.Translator.Finish(isWhole: true), UpstreamFailure.None);
                        }

                        return (round.Translator.Fail(ApiError.UpstreamTimeout()), UpstreamFailure.IdleTimeout);
                    }

                    await output.KeepAliveAsync(cancellationToken);
                    break;
                default:
                    Consume(chunks, round);
                    var isWhole = chunks.IsDone || round.Translator.HasFinished;
                    return (round.Translator.Finish(isWhole), isWhole ? UpstreamFailure.None : UpstreamFailure.Protocol);
            }
        }
    }

    /// <summary>Translates every whole chunk in hand. True when there was one.</summary>
    private bool Consume(ChunkStream chunks, Round round)
    {
        var any = false;
        while (chunks.TryRead(out var json))
        {
            any = true;
            if (round.Chunks.TryRead(json, out var chunk))
            {
                if (!round.HasBegun && chunk.IsMeaningful)
                {
                    round.HasBegun = true;
                    metrics.FirstChunkArrived(round.Upstream, stream: true, time.GetElapsedTime(round.SentAt));
                }

                round.Translator.Consume(chunk);
            }
        }

        return any;
    }

    private async Task<(RoundOutcome, UpstreamFailure)> ReadBodyAsync(Round round, ILoopOutput output, CancellationToken cancellationToken)
    {
        using var body = await KeepAliveWhileAsync(BufferBodyAsync(round, cancellationToken), output, cancellationToken);
        metrics.FirstChunkArrived(round.Upstream, stream: false, time.GetElapsedTime(round.SentAt));
        return ConsumeBody(round, body.WrittenSpan);
    }

    private async Task<PooledBuffer> BufferBodyAsync(Round round, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(round.Reply.FirstByteTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        // Given back by the caller; after a failure or a client that left it stays out of the pool, since a read may be pending.
        var body = new PooledBuffer(4096);
        int count;
        while ((count = await round.Reply.Body.ReadAsync(body.GetMemory(4096), either.Token)) > 0)
        {
            body.Advance(count);
            if (body.Length > limits.BodyBytes)
            {
                throw new InvalidDataException("The body is longer than the limit.");
            }
        }

        return body;
    }

    private static (RoundOutcome, UpstreamFailure) ConsumeBody(Round round, ReadOnlySpan<byte> json)
    {
        if (!round.Chunks.TryRead(json, out var chunk) || (!chunk.HasChoices && chunk.Error.IsEmpty))
        {
            return (round.Translator.Fail(ApiError.UpstreamError("The model server's answer is no chat completion.")), UpstreamFailure.Protocol);
        }

        round.Translator.Consume(chunk);
        return (round.Translator.Finish(isWhole: true), FailureOf(round));
    }

    /// <summary>An error that the server tells is an answer; more calls than the gateway takes are not.</summary>
    private static UpstreamFailure FailureOf(Round round) => round.Translator.IsOverLimit ? UpstreamFailure.TooLarge : UpstreamFailure.None;

    /// <summary>One answer being read.</summary>
    private sealed class Round(ChatReply reply, ResponseTranslator translator, string upstream, long sentAt)
    {
        public ChatReply Reply => reply;

        public ResponseTranslator Translator => translator;

        public string Upstream => upstream;

        public long SentAt => sentAt;

        public ChatChunkReader Chunks { get; } = new();

        /// <summary>A meaningful chunk arrived.</summary>
        public bool HasBegun { get; set; }
    }
}
