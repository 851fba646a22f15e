using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Gateway.Testing.Mcp;

/// <summary>
/// An MCP server on a loopback socket with the tools that a test gives it. It records every request, misbehaves when told to, and can be stopped and
/// started again on its port. The protocol is the SDK's; the listing is its own, so that it can be wrong.
/// </summary>
public sealed class TestMcpServer : IAsyncDisposable
{
    private const int MaxQueued = 10_000;

    private readonly TestMcpServerOptions _options;
    private readonly Lock _lock = new();
    private readonly List<(JsonNode? Entry, TestMcpTool? Tool)> _tools = [];
    private readonly ConcurrentQueue<RecordedMcpRequest> _requests = new();
    private readonly ConcurrentDictionary<HttpContext, bool> _streams = new();
    private readonly Channel<RecordedMcpRequest> _calls = Channel.CreateBounded<RecordedMcpRequest>(MaxQueued);
    private WebApplication? _app;
    private CancellationTokenSource _stopping = new();
    private (McpFault Fault, string? Method, int Left)? _fault;

    private TestMcpServer(TestMcpServerOptions options) => _options = options;

    /// <summary>The address of streamable HTTP.</summary>
    public Uri Endpoint => new(BaseAddress, "/mcp");

    /// <summary>The address of the legacy HTTP+SSE transport.</summary>
    public Uri SseEndpoint => new(BaseAddress, "/sse");

    /// <summary>The bearer token that requests must have, else they get a 401; null for any or none.</summary>
    public string? RequiredBearer { get; set; }

    /// <summary>A header that requests must have with this value, else they get a 401.</summary>
    public (string Name, string Value)? RequiredHeader { get; set; }

    /// <summary>The most entries that a page of the listing has; null for all in one page.</summary>
    public int? PageSize { get; set; }

    /// <summary>Every page of the listing names a next one: the cursors lead round and round.</summary>
    public bool ListingNeverEnds { get; set; }

    /// <summary>Requests so far, oldest first, those refused too.</summary>
    public IReadOnlyList<RecordedMcpRequest> Requests => [.. _requests];

    /// <summary>The <c>tools/call</c> requests so far, oldest first.</summary>
    public IReadOnlyList<RecordedMcpRequest> Calls => [.. Of(RequestMethods.ToolsCall)];

    private Uri BaseAddress { get; set; } = null!;

    public static async Task<TestMcpServer> StartAsync(TestMcpServerOptions? options = null)
    {
        var server = new TestMcpServer(options ?? new TestMcpServerOptions());
        await server.ListenAsync(server._options.Port);
        return server;
    }

    /// <summary>The requests so far with this JSON-RPC method, such as <c>initialize</c> or <c>tools/list</c>.</summary>
    public IEnumerable<RecordedMcpRequest> Of(string method) => _requests.Where(request => request.Method == method);

    /// <summary>Adds tools to the end of the listing, also while clients are connected.</summary>
    public TestMcpServer Add(params IEnumerable<TestMcpTool> tools)
    {
        lock (_lock)
        {
            _tools.AddRange(tools.Select(tool => ((JsonNode?)tool.ToEntry(), (TestMcpTool?)tool)));
        }

        return this;
    }

    /// <summary>Adds something to the end of the listing that need not be a tool.</summary>
    public TestMcpServer AddEntry(JsonNode? entry)
    {
        lock (_lock)
        {
            _tools.Add((entry, null));
        }

        return this;
    }

    /// <summary>Takes every tool and entry back.</summary>
    public TestMcpServer RemoveTools()
    {
        lock (_lock)
        {
            _tools.Clear();
        }

        return this;
    }

    /// <summary>From now on this befalls requests: all of them, or those with one JSON-RPC method; for so many, or until <see cref="Recover"/>.</summary>
    public void Fail(McpFault fault, string? method = null, int times = int.MaxValue)
    {
        lock (_lock)
        {
            _fault = (fault, method, times);
        }
    }

    /// <summary>Serves requests again.</summary>
    public void Recover()
    {
        lock (_lock)
        {
            _fault = null;
        }
    }

    /// <summary>Breaks every stream that a client opened with GET with a TCP reset: the legacy transport's sessions end by it.</summary>
    public void CutStreams()
    {
        foreach (var context in _streams.Keys)
        {
            McpFault.ResetConnection(context);
        }
    }

    /// <summary>Waits for the next <c>tools/call</c> that no earlier call of this method has returned.</summary>
    public async Task<RecordedMcpRequest> NextCallAsync(CancellationToken cancellationToken) => await _calls.Reader.ReadAsync(cancellationToken);

    /// <summary>Forgets the tools, the recorded requests, the fault and what is required, for the next test.</summary>
    public void Reset()
    {
        RemoveTools();
        Recover();
        RequiredBearer = null;
        RequiredHeader = null;
        PageSize = null;
        ListingNeverEnds = false;
        _requests.Clear();
        while (_calls.Reader.TryRead(out _))
        {
        }
    }

    /// <summary>Closes the socket and every connection; the sessions are lost.</summary>
    public async Task StopAsync()
    {
        if (_app is { } app)
        {
            _app = null;
            await _stopping.CancelAsync();
            await app.StopAsync(new CancellationToken(canceled: true));
            await app.DisposeAsync();
            _stopping.Dispose();
        }
    }

    /// <summary>Listens again on the same port after <see cref="StopAsync"/>, with the same tools and no session.</summary>
    public async Task StartAgainAsync()
    {
        _stopping = new CancellationTokenSource();
        await ListenAsync(BaseAddress.Port);
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    private async Task ListenAsync(int port)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
        });
        builder.Services.AddRouting();
        builder.Services.AddMcpServer(ConfigureServer).WithHttpTransport(ConfigureTransport);
        var app = builder.Build();
        app.Use(HandleAsync);
        if (_options.StreamableHttp)
        {
            app.MapMcp("/mcp");
        }

        if (_options.LegacySse)
        {
            // Streamable HTTP comes with it, at the root, where no client looks for it.
            app.MapMcp();
        }

        await app.StartAsync();
        _app = app;
        BaseAddress = new Uri(app.Urls.Single());
    }

    private void ConfigureServer(McpServerOptions options)
    {
        options.ServerInfo = new Implementation { Name = "test-mcp-server", Version = "1.0.0" };
        options.Handlers.ListToolsHandler = ListAsync;
        options.Handlers.CallToolHandler = CallAsync;
        options.Filters.Message.OutgoingFilters.Add(RawMcpResult.Unwrap);
    }

    private void ConfigureTransport(HttpServerTransportOptions options)
    {
        options.SessionMode = _options.SessionMode;
#pragma warning disable MCP9004 // Obsolete, and still what servers in the field offer: the gateway has to get on with it.
        options.EnableLegacySse = _options.LegacySse && _options.SessionMode != HttpServerSessionMode.Stateless;
#pragma warning restore MCP9004
    }

    private ValueTask<ListToolsResult> ListAsync(RequestContext<ListToolsRequestParams> context, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var start = context.Params?.Cursor is { } cursor ? int.Parse(cursor, CultureInfo.InvariantCulture) : 0;
            var end = PageSize is { } size ? Math.Min(start + size, _tools.Count) : _tools.Count;
            var result = new JsonObject
            {
                ["tools"] = new JsonArray([.. _tools.Skip(start).Take(end - start).Select(tool => tool.Entry?.DeepClone())]),
            };
            if (end < _tools.Count || ListingNeverEnds)
            {
                result["nextCursor"] = (end < _tools.Count ? end : 0).ToString(CultureInfo.InvariantCulture);
            }

            return ValueTask.FromResult(RawMcpResult.ForListing(result));
        }
    }

    private async ValueTask<CallToolResult> CallAsync(RequestContext<CallToolRequestParams> context, CancellationToken cancellationToken)
    {
        var call = context.Params!;
        TestMcpTool? tool;
        lock (_lock)
        {
            tool = _tools.FirstOrDefault(tool => tool.Tool?.Name == call.Name).Tool;
        }

        if (tool is null)
        {
            throw new McpProtocolException($"Unknown tool: '{call.Name}'", McpErrorCode.InvalidParams);
        }

        var arguments = new JsonObject(call.Arguments?.Select(a => KeyValuePair.Create(a.Key, JsonSerializer.SerializeToNode(a.Value))) ?? []);
        return await tool.Handler(arguments, call.Meta, cancellationToken);
    }

    private async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping.Token);
        var request = await RecordAsync(context);
        using var left = context.RequestAborted.Register(request.SetClientLeft);
        try
        {
            if (!IsAllowed(request))
            {
                context.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
                await McpFault.Status(401, """{"error":"invalid_token"}""", "application/json").AnswerAsync(context, next, ends.Token);
            }
            else if (TakeFault(request) is { } fault)
            {
                await fault.AnswerAsync(context, next, ends.Token);
            }
            else if (HttpMethods.IsGet(request.HttpMethod))
            {
                _streams.TryAdd(context, true);
                await next(context);
            }
            else
            {
                await next(context);
            }
        }
        catch (OperationCanceledException) when (ends.IsCancellationRequested)
        {
            // The client left, or the test is over.
        }
        finally
        {
            _streams.TryRemove(context, out _);
            if (context.RequestAborted.IsCancellationRequested)
            {
                // The callback above may not have run: callbacks run last in, first out.
                request.SetClientLeft();
            }
        }
    }

    private async Task<RecordedMcpRequest> RecordAsync(HttpContext context)
    {
        var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        body.Position = 0;
        context.Request.Body = body;
        var request = new RecordedMcpRequest(context.Request, body.ToArray(), context.Connection.Id);
        _requests.Enqueue(request);
        if (request.Method == RequestMethods.ToolsCall)
        {
            _calls.Writer.TryWrite(request);
        }

        return request;
    }

    private bool IsAllowed(RecordedMcpRequest request) =>
        (RequiredBearer is null || request.Headers.GetValueOrDefault("Authorization") == $"Bearer {RequiredBearer}")
        && (RequiredHeader is not { } required || request.Headers.GetValueOrDefault(required.Name) == required.Value);

    private McpFault? TakeFault(RecordedMcpRequest request)
    {
        lock (_lock)
        {
            if (_fault is not { Left: > 0 } fault || (fault.Method is not null && fault.Method != request.Method))
            {
                return null;
            }

            _fault = fault with { Left = fault.Left - 1 };
            return fault.Fault;
        }
    }
}
