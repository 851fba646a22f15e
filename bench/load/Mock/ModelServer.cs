using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Gateway.Load.Mock;

/// <summary>
/// A Chat Completions server that takes time as a model does, with a prefix cache whose hits it reports, and that can be stopped and started again at its
/// address. Several of them make the servers of one upstream; they live in the bench's own process, where their counters are read.
/// </summary>
internal sealed class ModelServer : IAsyncDisposable
{
    /// <summary>So many text chunks has a streamed answer.</summary>
    public const int Deltas = 10;

    private const double SlowestStart = 0.5;
    private const string Head = """{"id":"chatcmpl-load","object":"chat.completion.chunk","created":1767225600,"model":"mock","choices":[""";

    private readonly int _port;
    private readonly int _cacheBlocks;
    private readonly string _text;
    private readonly Lock _lock = new();
    private PrefixCache _cache;
    private ModelPace _pace;
    private SemaphoreSlim _places;
    private WebApplication? _app;
    private long _started;
    private int _inFlight;
    private ModelCounters _counters = new(0, 0, 0, 0);

    private ModelServer(int port, int cacheBlocks, int textBytes)
    {
        _port = port;
        _cacheBlocks = cacheBlocks;
        _text = LoadText.OfLength(textBytes);
        _cache = new PrefixCache(cacheBlocks);
        _pace = new ModelPace(TimeSpan.Zero, TimeSpan.Zero, int.MaxValue, TimeSpan.Zero);
        _places = new SemaphoreSlim(_pace.Places);
    }

    /// <summary>The base address, without <c>/v1</c>.</summary>
    public Uri Address => new($"http://127.0.0.1:{_port}");

    public ModelCounters Counters
    {
        get
        {
            lock (_lock)
            {
                return _counters;
            }
        }
    }

    /// <param name="port">Where it listens on 127.0.0.1.</param>
    /// <param name="cacheBlocks">The most blocks in its prefix cache.</param>
    /// <param name="textBytes">Length of the text of an answer.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static async Task<ModelServer> StartAsync(int port, int cacheBlocks, int textBytes, CancellationToken cancellationToken)
    {
        var server = new ModelServer(port, cacheBlocks, textBytes);
        await server.StartAsync(cancellationToken);
        return server;
    }

    /// <summary>Begins anew, without anything cached or counted. Only while it works on nothing.</summary>
    public void Begin(ModelPace pace)
    {
        lock (_lock)
        {
            (_pace, _counters, _cache) = (pace, new ModelCounters(0, 0, 0, 0), new PrefixCache(_cacheBlocks));
            _places = new SemaphoreSlim(pace.Places);
        }
    }

    /// <summary>Listens. What was cached before is lost.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.AddServerHeader = false).UseUrls(Address.AbsoluteUri);
        _app = builder.Build();
        _app.Run(AnswerAsync);
        lock (_lock)
        {
            _cache = new PrefixCache(_cacheBlocks);
        }

        _started = Stopwatch.GetTimestamp();
        await _app.StartAsync(cancellationToken);
    }

    /// <summary>Listens no longer, as a server that is told to end: connections are refused, and what it works on is answered.</summary>
    public async Task StopAsync()
    {
        if (_app is { } app)
        {
            _app = null;
            await app.StopAsync();
            await app.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _places.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (!HttpMethods.IsPost(context.Request.Method))
        {
            await WriteJsonAsync(context.Response, MockAnswers.Models);
            return;
        }

        Enter();
        try
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            await AnswerAsync(context, body.GetBuffer().AsMemory(0, (int)body.Length));
        }
        finally
        {
            Leave();
        }
    }

    private async Task AnswerAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        var (messages, streams) = ReadRequest(body.Span);
        var (pace, places) = (_pace, _places);
        await places.WaitAsync(context.RequestAborted);
        try
        {
            var tokens = (messages.End.Value - messages.Start.Value) / PrefixCache.TokenBytes;
            var cached = _cache.Read(body.Span[messages]);
            CountTokens(tokens, cached);
            var time = (pace.Turn + (pace.Token * (tokens - cached))) * Slowness(pace);
            if (streams)
            {
                await StreamAsync(context, Usage(tokens, cached), time);
            }
            else
            {
                await Task.Delay(time, context.RequestAborted);
                await WriteJsonAsync(context.Response, Encoding.UTF8.GetBytes(
                    """{"id":"chatcmpl-load","object":"chat.completion","created":1767225600,"model":"mock","choices":[{"index":0,"message":{"role":"assistant","content":"""
                    + $"\"{_text}\"" + """},"finish_reason":"stop"}],"usage":""" + Usage(tokens, cached) + "}"));
            }
        }
        finally
        {
            places.Release();
        }
    }

    private static async Task StreamAsync(HttpContext context, string usage, TimeSpan time)
    {
        var response = context.Response;
        response.ContentType = "text/event-stream";
        await SendAsync("""{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}""");
        for (var i = 0; i < Deltas; i++)
        {
            await Task.Delay(time / Deltas, context.RequestAborted);
            await SendAsync("""{"index":0,"delta":{"content":"word "},"finish_reason":null}]}""");
        }

        await SendAsync("""{"index":0,"delta":{},"finish_reason":"stop"}]}""");
        await response.WriteAsync($"data: {Head}],\"usage\":{usage}}}\n\ndata: [DONE]\n\n", context.RequestAborted);

        Task SendAsync(string rest) => response.WriteAsync($"data: {Head}{rest}\n\n", context.RequestAborted);
    }

    private static async Task WriteJsonAsync(HttpResponse response, ReadOnlyMemory<byte> json)
    {
        response.ContentType = "application/json";
        response.ContentLength = json.Length;
        await response.BodyWriter.WriteAsync(json);
    }

    /// <summary>Where the messages stand, without the brackets around them, and whether a stream is wanted.</summary>
    private static (Range Messages, bool Streams) ReadRequest(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body);
        var (messages, streams) = (new Range(0, 0), false);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var (isMessages, isStream) = (reader.ValueTextEquals("messages"u8), reader.ValueTextEquals("stream"u8));
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            streams |= isStream && reader.TokenType == JsonTokenType.True;
            reader.Skip();
            messages = isMessages ? new Range(start + 1, (int)reader.BytesConsumed - 1) : messages;
        }

        return (messages, streams);
    }

    private static string Usage(int tokens, int cached) =>
        $$$"""{"prompt_tokens":{{{tokens}}},"completion_tokens":100,"total_tokens":{{{tokens + 100}}},"prompt_tokens_details":{"cached_tokens":{{{cached}}}}}""";

    private double Slowness(ModelPace pace) => pace.SlowStart > TimeSpan.Zero
        ? 1 + (SlowestStart * Math.Max(0, 1 - (Stopwatch.GetElapsedTime(_started) / pace.SlowStart)))
        : 1;

    private void Enter()
    {
        lock (_lock)
        {
            _inFlight++;
            _counters = _counters with { Requests = _counters.Requests + 1, Peak = Math.Max(_counters.Peak, _inFlight) };
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            _inFlight--;
        }
    }

    private void CountTokens(int prompt, int cached)
    {
        lock (_lock)
        {
            _counters = _counters with { PromptTokens = _counters.PromptTokens + prompt, CachedTokens = _counters.CachedTokens + cached };
        }
    }
}
