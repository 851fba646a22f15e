using System.Text;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Sse;
using Gateway.Protocol.Translation;
using Gateway.Testing.Scripting;

namespace Gateway.Protocol.Tests.Translation;

/// <summary>Every stream of the scripted server gives the same events wherever the network cuts it.</summary>
public sealed class CutStreamTests
{
    /// <summary>Longer streams (a 5 MB argument) are cut at as many places, evenly spread.</summary>
    private const int MostCuts = 2048;

    public static TheoryData<string> Streams() =>
        [.. Misbehaviours.All.Where(c => BodyOf(c.ToString()).Length > 0).Select(c => c.ToString())];

    [Theory]
    [MemberData(nameof(Streams))]
    public void Stream_CutAtEachByte_GivesTheSameEvents(string name)
    {
        var body = BodyOf(name);
        var whole = Play(body, [body.Length]);
        var step = Math.Max(1, body.Length / MostCuts);
        if (body.Length > 1_000_000)
        {
            step = body.Length / 16;
        }

        for (var cut = 1; cut < body.Length; cut += step)
        {
            Assert.Equal(whole, Play(body, [cut, body.Length]));
        }
    }

    [Theory]
    [MemberData(nameof(Streams))]
    public void Stream_ByteByByteWithCrLf_GivesTheSameEvents(string name)
    {
        var body = BodyOf(name);
        var text = Encoding.Latin1.GetString(body);
        var crLf = Encoding.Latin1.GetBytes(text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal));
        var size = body.Length > 1_000_000 ? 4093 : 1;
        Assert.Equal(Play(body, [body.Length]), Play(crLf, [.. Enumerable.Range(1, (crLf.Length / size) + 1).Select(i => Math.Min(i * size, crLf.Length))]));
    }

    private static byte[] BodyOf(string name)
    {
        var script = Misbehaviours.Named(name).Script;
        return script.ContentType.StartsWith("text/event-stream", StringComparison.Ordinal) ? script.Body : [];
    }

    /// <summary>The events, and how the round ended, when the body arrives in pieces that end at <paramref name="ends"/>.</summary>
    private static string Play(byte[] body, int[] ends)
    {
        using var sse = new SseReader(64 * 1024 * 1024);
        var sink = new Sink();
        using var envelope = new ResponseEnvelope(
            Dialect.OpenAi, "resp_1", 1, "m", new ResponsesRequest { Input = [] }, store: true, maxToolCalls: null);
        using var events = new ResponseEventStream(envelope, sink, (prefix, index) => prefix + "_" + index, obfuscate: false);
        var calls = 0;
        using var translator = new ResponseTranslator(
            new RoundContext { Profile = RouteProfile.Generic, Tools = [], IsCallIdTaken = _ => false, NewCallId = () => "call_" + calls++ }, events);
        var chunks = new ChatChunkReader();
        var done = false;
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
                done = Take(sse, chunks, translator, done);
            }
        }

        sse.Complete();
        done = Take(sse, chunks, translator, done);
        var outcome = translator.Finish(done || translator.HasFinished);
        return $"{sink.Text}{outcome.End} {outcome.Error?.Code} {string.Join(' ', outcome.Calls.Select(c => c.CallId))} {outcome.Usage}";
    }

    private static bool Take(SseReader sse, ChatChunkReader chunks, ResponseTranslator translator, bool done)
    {
        while (!done && sse.TryRead(out var data))
        {
            done = data.StartsWith("[DONE]"u8);
            if (!done && data.StartsWith("{"u8) && chunks.TryRead(data, out var chunk))
            {
                translator.Consume(chunk);
            }
        }

        return done;
    }

    private sealed class Sink : IResponseEventSink
    {
        private readonly StringBuilder _text = new();

        public string Text => _text.ToString();

        public bool WantsEvents => true;

        public void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> json) =>
            _text.Append(Encoding.UTF8.GetString(type)).Append(' ').Append(Encoding.UTF8.GetString(json)).Append('\n');
    }
}
