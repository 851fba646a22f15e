using BenchmarkDotNet.Attributes;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Tools;

namespace Gateway.Benchmarks;

/// <summary>One text chunk of an upstream's stream becoming one delta event: what every token costs. It is to allocate nothing.</summary>
public class DeltaBenchmarks : IDisposable
{
    /// <summary>Enough for the compiled code to settle within one invocation, and for one message.</summary>
    private const int Chunks = 65536;

    private readonly byte[][] _chunks = [.. Enumerable.Range(0, 64).Select(i => System.Text.Encoding.UTF8.GetBytes(
        $$"""{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" word{{i % 10}}"},"logprobs":null,"finish_reason":null}]}"""))];

    private readonly byte[][] _escaped = [.. Enumerable.Range(0, 64).Select(i => System.Text.Encoding.UTF8.GetBytes(
        $$"""{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"\"{{i % 10}}\n"},"logprobs":null,"finish_reason":null}]}"""))];

    private readonly ChatChunkReader _reader = new();
    private ResponseEnvelope? _envelope;
    private ResponseEventStream? _events;
    private ResponseTranslator? _translator;
    private int _next;

    [IterationSetup]
    public void Setup()
    {
        Dispose();
        var request = new ResponsesRequest { Input = [] };
        _envelope = new ResponseEnvelope(Dialect.OpenAi, "resp_1", 1, "m", request, store: true, maxToolCalls: null);
        _events = new ResponseEventStream(_envelope, new NullSink(), static (prefix, index) => prefix + index, obfuscate: false);
        _translator = new ResponseTranslator(
            new RoundContext { Profile = RouteProfile.Generic, Tools = [], MaxCalls = 128, IsCallIdTaken = static _ => false, NewCallId = CallIds.New }, _events);
        Text();
    }

    /// <summary>A chunk like the one before, with other text.</summary>
    [Benchmark(OperationsPerInvoke = Chunks)]
    public void Text()
    {
        for (var i = 0; i < Chunks; i++)
        {
            Feed(_chunks[_next++ & 63]);
        }
    }

    /// <summary>A chunk whose text has escapes: it is parsed in full.</summary>
    [Benchmark(OperationsPerInvoke = Chunks)]
    public void EscapedText()
    {
        for (var i = 0; i < Chunks; i++)
        {
            Feed(_escaped[_next++ & 63]);
        }
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _translator?.Dispose();
        _events?.Dispose();
        _envelope?.Dispose();
        GC.SuppressFinalize(this);
    }

    private void Feed(byte[] json)
    {
        _reader.TryRead(json, out var chunk);
        _translator!.Consume(chunk);
    }

    private sealed class NullSink : IResponseEventSink
    {
        public bool WantsEvents => true;

        public void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> json)
        {
        }
    }
}
