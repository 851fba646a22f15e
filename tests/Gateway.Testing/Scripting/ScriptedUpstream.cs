using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Gateway.Testing.Scripting;

/// <summary>
/// A Chat Completions server on a loopback socket that says what it is told to: queued answers first, then <see cref="Default"/>. It records
/// every request and tells when a client leaves.
/// </summary>
public sealed class ScriptedUpstream : IAsyncDisposable
{
    private const int MaxQueued = 10_000;

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<ChatReaction> _queue = new();
    private readonly ConcurrentQueue<RecordedCall> _calls = new();
    private readonly ConcurrentQueue<RecordedCall> _rootCalls = new();
    private readonly Channel<RecordedCall> _arrivals = Channel.CreateBounded<RecordedCall>(MaxQueued);
    private readonly CancellationTokenSource _stopping = new();

    private ScriptedUpstream(WebApplication app) => _app = app;

    /// <summary>The first default: a greeting.</summary>
    public static ChatReaction Greeting { get; } = ChatAnswer.Say("Hello from the scripted model.").For;

    /// <summary>The base address that a gateway is configured with, ending in <c>/v1</c>.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>How requests are answered while nothing is queued.</summary>
    public ChatReaction Default { get; set; } = Greeting;

    /// <summary>For load: when set, every request is answered with this, unread and unrecorded.</summary>
    public ChatScript? Fixed { get; set; }

    /// <summary>The ids that <c>GET /v1/models</c> lists.</summary>
    public IReadOnlyList<string> Models { get; set; } = ["scripted"];

    /// <summary>How posts to the server's root, beside <c>/v1</c>, are answered, such as those to a tokenizer; null for 404. They are no <see cref="Calls"/>.</summary>
    public Func<RecordedCall, ChatScript>? Root { get; set; }

    /// <summary>Posts to the server's root so far, oldest first.</summary>
    public IReadOnlyList<RecordedCall> RootCalls => [.. _rootCalls];

    /// <summary>The key that requests must bear; null for any or none.</summary>
    public string? RequiredKey { get; set; }

    /// <summary>Requests so far, oldest first.</summary>
    public IReadOnlyList<RecordedCall> Calls => [.. _calls];

    /// <summary>The latest request.</summary>
    public RecordedCall LastCall => _calls.Last();

    /// <param name="port">The port to listen on; 0 for a free one. A server stopped before can be started again in its place.</param>
    /// <param name="address">The loopback address to listen on; null for 127.0.0.1. Several of one port are what a name may have.</param>
    public static async Task<ScriptedUpstream> StartAsync(int port = 0, IPAddress? address = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(address ?? IPAddress.Loopback, port);
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
        });
        var app = builder.Build();
        var upstream = new ScriptedUpstream(app);
        app.Run(upstream.HandleAsync);
        await app.StartAsync();
        upstream.Address = new Uri(app.Urls.Single() + "/v1");
        return upstream;
    }

    public ScriptedUpstream Enqueue(params IEnumerable<ChatScript> scripts)
    {
        foreach (var script in scripts)
        {
            _queue.Enqueue(_ => script);
        }

        return this;
    }

    public ScriptedUpstream Enqueue(params IEnumerable<ChatAnswer> answers)
    {
        foreach (var answer in answers)
        {
            _queue.Enqueue(answer.For);
        }

        return this;
    }

    public ScriptedUpstream Enqueue(ChatReaction reaction)
    {
        _queue.Enqueue(reaction);
        return this;
    }

    /// <summary>Forgets the queue, the recorded requests and the default, for the next test.</summary>
    public void Reset()
    {
        _queue.Clear();
        _calls.Clear();
        while (_arrivals.Reader.TryRead(out _))
        {
        }

        _rootCalls.Clear();
        Root = null;
        Default = Greeting;
        Fixed = null;
    }

    /// <summary>Waits for the next request that no earlier call of this method has returned.</summary>
    public async Task<RecordedCall> NextCallAsync(CancellationToken cancellationToken) => await _arrivals.Reader.ReadAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (!_stopping.IsCancellationRequested)
        {
            await _stopping.CancelAsync();
            await _app.DisposeAsync();
            _stopping.Dispose();
        }
    }

    private async Task HandleAsync(HttpContext context)
    {
        if (RequiredKey is not null && context.Request.Headers.Authorization != $"Bearer {RequiredKey}")
        {
            await SendAsync(context, ChatScript.Of(401, """{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}"""), context.RequestAborted);
            return;
        }

        if (HttpMethods.IsGet(context.Request.Method) && context.Request.Path == "/v1/models")
        {
            var models = new JsonArray([.. Models.Select(id => new JsonObject { ["id"] = id, ["object"] = "model", ["created"] = 1735000000, ["owned_by"] = "scripted" })]);
            await SendAsync(context, ChatScript.Of(200, new JsonObject { ["object"] = "list", ["data"] = models }.ToJsonString()), context.RequestAborted);
            return;
        }

        if (Fixed is { } script)
        {
            await SendAsync(context, script, context.RequestAborted);
            return;
        }

        if (!HttpMethods.IsPost(context.Request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        await AnswerAsync(context);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var call = new RecordedCall(context.Request, body.ToArray(), context.Connection.Id);
        if (!context.Request.Path.StartsWithSegments("/v1"))
        {
            _rootCalls.Enqueue(call);
            await SendAsync(context, Root?.Invoke(call) ?? ChatScript.Of(404, """{"detail":"Not Found"}"""), context.RequestAborted);
            return;
        }

        using var left = context.RequestAborted.Register(call.SetClientLeft);
        _calls.Enqueue(call);
        _arrivals.Writer.TryWrite(call);
        var script = (_queue.TryDequeue(out var reaction) ? reaction : Default)(call.Body);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping.Token);
        try
        {
            await SendAsync(context, script, ends.Token);
            call.SetFinished();
        }
        catch (OperationCanceledException) when (ends.IsCancellationRequested)
        {
            // The client left, or the test is over. The callback above may not have run: callbacks run last in, first out.
            if (context.RequestAborted.IsCancellationRequested)
            {
                call.SetClientLeft();
            }
        }
    }

    private static async Task SendAsync(HttpContext context, ChatScript script, CancellationToken cancellationToken)
    {
        var response = context.Response;
        response.StatusCode = script.Status;
        response.ContentType = script.ContentType.Length == 0 ? null : script.ContentType;
        foreach (var (name, value) in script.Headers)
        {
            response.Headers[name] = value;
        }

        foreach (var step in script.Steps)
        {
            switch (step)
            {
                case SendStep send:
                    await response.BodyWriter.WriteAsync(send.Bytes, cancellationToken);
                    await response.BodyWriter.FlushAsync(cancellationToken);
                    break;
                case HoldStep hold:
                    hold.SetReached();
                    await hold.Released.WaitAsync(cancellationToken);
                    break;
                case PaceStep pace:
                    using (var timer = new PeriodicTimer(pace.Interval))
                    {
                        await timer.WaitForNextTickAsync(cancellationToken);
                    }

                    break;
                case ResetStep:
                    context.Features.Get<IConnectionSocketFeature>()!.Socket.LingerState = new System.Net.Sockets.LingerOption(true, 0);
                    context.Abort();
                    return;
            }
        }
    }
}
