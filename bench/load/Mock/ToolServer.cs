using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Gateway.Load.Mock;

/// <summary>An MCP server over streamable HTTP, with sessions, whose one tool waits as long as it is told and says how long it was.</summary>
internal sealed class ToolServer
{
    public const string Label = "clock";
    public const string Tool = "wait";

    /// <summary>Milliseconds to wait.</summary>
    public const string WaitArgument = "milliseconds";

    /// <summary>What was waited before, in <see cref="Stopwatch"/> ticks.</summary>
    public const string BeforeArgument = "before";

    public const string Path = "/mcp";
    public const string CountersPath = "/counters";

    private static readonly JsonElement Schema = JsonElement.Parse(
        $$"""{"properties":{"{{WaitArgument}}":{"type":"integer"},"{{BeforeArgument}}":{"type":"integer"} },"type":"object"}""");

    private readonly ConcurrentDictionary<string, long> _requests = new();
    private long _ownTicks;

    public static async Task RunAsync(ToolServerOptions options, CancellationToken cancellationToken)
    {
        var server = new ToolServer();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls($"http://127.0.0.1:{options.Port}");
        builder.Services.AddRouting();
        builder.Services.AddMcpServer(server.Configure).WithHttpTransport(transport => transport.SessionMode = HttpServerSessionMode.Stateful);
        await using var app = builder.Build();
        app.Use(server.TimeAsync);
        app.MapMcp(Path);
        app.MapGet(CountersPath, context => context.Response.WriteAsJsonAsync(
            new ToolServerCounters(server._requests, Volatile.Read(ref server._ownTicks)), ToolServerJson.Default.ToolServerCounters));
        await app.StartAsync(cancellationToken);
        await app.WaitForShutdownAsync(cancellationToken);
    }

    private void Configure(McpServerOptions options)
    {
        options.ServerInfo = new Implementation { Name = "load-tool-server", Version = "1.0.0" };
        options.Filters.Message.IncomingFilters.Add(next => (context, cancellationToken) =>
        {
            if (context.JsonRpcMessage is JsonRpcRequest request)
            {
                _requests.AddOrUpdate(request.Method, 1, (_, count) => count + 1);
            }

            return next(context, cancellationToken);
        });
        options.Handlers.ListToolsHandler = (_, _) => ValueTask.FromResult(
            new ListToolsResult { Tools = [new Tool { Name = Tool, Description = "Waits.", InputSchema = Schema }] });
        options.Handlers.CallToolHandler = CallAsync;
    }

    private async ValueTask<CallToolResult> CallAsync(RequestContext<CallToolRequestParams> context, CancellationToken cancellationToken)
    {
        var arguments = context.Params!.Arguments!;
        var waited = await Waited.ForAsync(TimeSpan.FromMilliseconds(arguments[WaitArgument].GetInt32()), cancellationToken);
        Interlocked.Add(ref _ownTicks, -waited);
        return new CallToolResult { Content = [new TextContentBlock { Text = Waited.ToText(arguments[BeforeArgument].GetInt64() + waited) }] };
    }

    private async Task TimeAsync(HttpContext context, RequestDelegate next)
    {
        var started = Stopwatch.GetTimestamp();
        await next(context);
        if (HttpMethods.IsPost(context.Request.Method))
        {
            Interlocked.Add(ref _ownTicks, Stopwatch.GetTimestamp() - started);
        }
    }
}
