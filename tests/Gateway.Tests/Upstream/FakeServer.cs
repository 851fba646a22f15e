using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Upstream;

/// <summary>A model server on loopback that answers with what the test says.</summary>
internal sealed class FakeServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private FakeServer(WebApplication app) => _app = app;

    public string Address => $"{_app.Urls.First()}/v1";

    public int Port => new Uri(_app.Urls.First()).Port;

    /// <summary>Gives no answer until the client leaves.</summary>
    public static async Task HangAsync(HttpContext context)
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = context.RequestAborted.Register(left.SetResult);
        await left.Task;
    }

    /// <summary>Chat completion requests that came in.</summary>
    public ConcurrentQueue<SeenRequest> Requests { get; } = new();

    public static async Task<FakeServer> StartAsync(RequestDelegate answer, params string[] models)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(k => (k.Limits.MaxRequestBodySize, k.ResponseHeaderEncodingSelector) = (null, _ => Encoding.UTF8));
        var app = builder.Build();
        var server = new FakeServer(app);
        app.Run(async context =>
        {
            if (context.Request.Path.Value!.EndsWith("/models", StringComparison.Ordinal))
            {
                await context.Response.WriteAsync($$"""{"object":"list","data":[{{string.Join(',', models.Select(m => $$"""{"id":"{{m}}","object":"model"}"""))}}]}""");
                return;
            }

            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            server.Requests.Enqueue(new SeenRequest(
                context.Request.Path.Value, body.ToArray(), context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
            await answer(context);
        });
        await app.StartAsync();
        return server;
    }

    public static Task<FakeServer> AnswerAsync(int status, string body, string contentType = "application/json") => StartAsync(async context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        await context.Response.WriteAsync(body);
    });

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }
}
