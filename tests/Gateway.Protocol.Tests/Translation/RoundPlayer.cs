using System.Text;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Sse;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

/// <summary>
/// Plays the answer of a model server through the translation as the gateway does, one round without a socket, with ids and times that are
/// always the same.
/// </summary>
internal sealed class RoundPlayer(ResponsesRequest request, RouteProfile profile)
{
    private const long CreatedAt = 1_750_000_000;
    private const long CompletedAt = CreatedAt + 2;

    /// <summary>Plays an event stream that arrives in pieces that end at <paramref name="ends"/>; by default in one.</summary>
    /// <param name="body">The bytes of the stream.</param>
    /// <param name="ends">Where each piece ends, ascending.</param>
    /// <param name="wantsEvents">False for a client that waits for one JSON body.</param>
    public PlayedRound PlayStream(byte[] body, IEnumerable<int>? ends = null, bool wantsEvents = true) =>
        Play(wantsEvents, translator => ReadStream(translator, body, ends ?? [body.Length]));

    /// <summary>Plays the same stream in a response that was begun elsewhere, behind what was told of it. Only what is new is among its events.</summary>
    public PlayedRound PlayAgain(byte[] body, ToldEvents told) => Play(wantsEvents: true, translator => ReadStream(translator, body, [body.Length]), told);

    /// <summary>Plays an answer that is one JSON document.</summary>
    public PlayedRound PlayBody(byte[] json, bool wantsEvents) => Play(wantsEvents, translator =>
    {
        Assert.True(new ChatChunkReader().TryRead(json, out var chunk));
        translator.Consume(chunk);
        return translator.Finish(isWhole: true);
    });

    /// <summary>The stream with every LF as CRLF.</summary>
    public static byte[] ToCrLf(byte[] body) => Encoding.Latin1.GetBytes(
        Encoding.Latin1.GetString(body).Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal));

    private PlayedRound Play(bool wantsEvents, Func<ResponseTranslator, RoundOutcome> read, ToldEvents? told = null)
    {
        using var sink = new Sink(wantsEvents);
        using var envelope = new ResponseEnvelope(Dialect.OpenAi, "resp_1", CreatedAt, request.Model ?? "m", request, request.Store, request.MaxToolCalls);
        using var events = new ResponseEventStream(
            envelope,
            sink,
            (prefix, index) => $"{prefix}_{index}",
            obfuscate: false,
            request.Include.HasFlag(Includes.EncryptedReasoning) ? utf8 => "sealed:" + Encoding.UTF8.GetString(utf8) : null);
        if (told is not null)
        {
            events.Resume(told, isQueued: false);
            events.RestoreTold();
        }

        using var translator = new ResponseTranslator(ToContext(events), events);
        var outcome = read(translator);
        var final = End(outcome, envelope, events);
        if (events.HasStarted)
        {
            sink.End();
        }

        return new PlayedRound(sink.Text, final, string.Join(' ', outcome.Calls.Select(c => $"{c.CallId}={c.UpstreamId}")));
    }

    private RoundContext ToContext(ResponseEventStream events)
    {
        var newCalls = 0;
        List<Item> known = [.. request.Input, .. events.State.Output.Select(ItemTable.View)];
        return new RoundContext
        {
            Profile = profile,
            Tools = request.Tools,
            WantsLogprobs = request.Include.HasFlag(Includes.Logprobs) || request.TopLogprobs > 0,
            WantsSummary = request.ReasoningSummary is not null,
            OneCallOnly = request.ParallelToolCalls == false,
            MaxCalls = 128,
            IsCallIdTaken = id => known.Exists(item => item.CallIdUtf8.SequenceEqual(Encoding.UTF8.GetBytes(id))),
            NewCallId = () => $"call_new{(known.Count == request.Input.Count ? "" : "_again")}{newCalls++}",
        };
    }

    private static RoundOutcome ReadStream(ResponseTranslator translator, byte[] body, IEnumerable<int> ends)
    {
        using var sse = new SseReader(64 * 1024 * 1024);
        var chunks = new ChatChunkReader();
        var isDone = false;
        var start = 0;
        foreach (var end in ends)
        {
            while (start < end)
            {
                var room = sse.GetBuffer();
                var count = Math.Min(room.Length, end - start);
                body.AsMemory(start, count).CopyTo(room);
                sse.Advance(count);
                start += count;
                isDone = Consume(sse, chunks, translator, isDone);
            }
        }

        sse.Complete();
        isDone = Consume(sse, chunks, translator, isDone);
        return translator.Finish(isDone || translator.HasFinished);
    }

    private static bool Consume(SseReader sse, ChatChunkReader chunks, ResponseTranslator translator, bool isDone)
    {
        while (!isDone && sse.TryRead(out var data))
        {
            data = data.TrimStart(" \t\n"u8);
            isDone = data.StartsWith("[DONE]"u8);
            if (data.StartsWith("{"u8) && chunks.TryRead(data, out var chunk))
            {
                translator.Consume(chunk);
            }
        }

        return isDone;
    }

    /// <summary>Writes the terminal event and returns the final object; when nothing was told yet, the body of an HTTP error instead.</summary>
    private static string End(RoundOutcome outcome, ResponseEnvelope envelope, ResponseEventStream events)
    {
        using var final = new PooledBuffer();
        if (outcome.Error is { } error && !events.HasStarted)
        {
            Dialect.OpenAi.WriteErrorBody(error, final);
            return Encoding.UTF8.GetString(final.WrittenSpan);
        }

        var state = events.State;
        state.Usage = outcome.Usage;
        state.Error = outcome.Error;
        state.CompletedAt = outcome.End == RoundEnd.Completed ? CompletedAt : null;
        (state.Status, state.IncompleteReason) = outcome.End switch
        {
            RoundEnd.Completed => (ResponseStatus.Completed, null),
            RoundEnd.Failed => (ResponseStatus.Failed, null),
            RoundEnd.ContentFilter => (ResponseStatus.Incomplete, "content_filter"),
            _ => (ResponseStatus.Incomplete, "max_output_tokens"),
        };
        events.End();
        envelope.WriteBody(state, [], final);
        return Encoding.UTF8.GetString(final.WrittenSpan);
    }

    /// <summary>Frames events as they stand on the wire.</summary>
    private sealed class Sink(bool wantsEvents) : IResponseEventSink, IDisposable
    {
        private readonly PooledBuffer _frames = new();

        public string Text => Encoding.UTF8.GetString(_frames.WrittenSpan);

        public bool WantsEvents => wantsEvents;

        public void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> json)
        {
            _frames.Append("event: "u8);
            _frames.Append(type);
            _frames.Append("\ndata: "u8);
            _frames.Append(json);
            _frames.Append("\n\n"u8);
        }

        public void End()
        {
            if (wantsEvents)
            {
                _frames.Append("data: [DONE]\n\n"u8);
            }
        }

        public void Dispose() => _frames.Dispose();
    }
}
