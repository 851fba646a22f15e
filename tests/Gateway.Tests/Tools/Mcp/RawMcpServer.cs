using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Tools.Mcp;

/// <summary>
/// A streamable HTTP endpoint on loopback whose answers a test writes byte by byte, for what no real server does. It shakes hands by itself, with a new
/// session for each.
/// </summary>
internal sealed class RawMcpServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<RawMcpExchange> _seen;

    private RawMcpServer(WebApplication app, ConcurrentQueue<RawMcpExchange> seen)
    {
        _app = app;
        _seen = seen;
        Endpoint = new Uri(new Uri(app.Urls.Single()), "/mcp");
    }

    public Uri Endpoint { get; }

    public IReadOnlyList<RawMcpExchange> Seen => [.. _seen];

    /// <summary>Starts a server.</summary>
    /// <param name="answer">Answers a request, or says by false that it does not.</param>
    public static async Task<RawMcpServer> StartAsync(Func<RawMcpExchange, Task<bool>> answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var seen = new ConcurrentQueue<RawMcpExchange>();
        app.Run(async context =>
        {
            var exchange = new RawMcpExchange(context, context.Request.Method == "POST" ? await JsonNode.ParseAsync(context.Request.Body) as JsonObject : null);
            seen.Enqueue(exchange);
            if (!await answer(exchange))
            {
                await ShakeHandsAsync(exchange, seen);
            }
        });
        await app.StartAsync();
        return new RawMcpServer(app, seen);
    }

    public int Count(string method) => _seen.Count(exchange => exchange.Method == method);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    private static Task ShakeHandsAsync(RawMcpExchange exchange, ConcurrentQueue<RawMcpExchange> seen)
    {
        switch (exchange.Method)
        {
            case "initialize":
                var session = seen.Count(e => e.Method == "initialize");
                exchange.Context.Response.Headers["Mcp-Session-Id"] = session.ToString(CultureInfo.InvariantCulture);
                return exchange.ResultAsync("""{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"raw","version":"1"}}""");
            case "server/discover":
                return exchange.ErrorAsync(400, -32601, "Method not found");
            case "tools/list":
                return exchange.ResultAsync("""{"tools":[{"name":"tool","inputSchema":{"type":"object"}}]}""");
            default:
                exchange.Context.Response.StatusCode = exchange.HttpMethod == "GET" ? 405 : 202;
                return Task.CompletedTask;
        }
    }
}
