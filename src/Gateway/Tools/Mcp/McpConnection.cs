using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Telemetry;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Gateway.Tools.Mcp;

/// <summary>One open connection to an MCP server. Used by many requests at once.</summary>
internal sealed class McpConnection : IAsyncDisposable
{
    /// <summary>The most pages of a list; a server whose cursor leads nowhere must not be followed for ever.</summary>
    private const int MaxPages = 100;

    private const string SessionKey = "responses-gateway/session";

    /// <summary>
    /// The first version without sessions, where the end of an HTTP request is its cancellation, and where arguments that a schema marks are sent
    /// as headers too.
    /// </summary>
    private const string Sessionless = "2026-07-28";

    private static readonly TimeSpan GoodbyeTime = TimeSpan.FromSeconds(5);

    private readonly McpClient _client;
    private readonly HttpClient _http;
    private readonly McpServer _server;
    private readonly McpOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private Task _goodbyes = Task.CompletedTask;
    private int _calls;

    public McpConnection(McpClient client, HttpClient http, McpServer server, McpTransport transport, McpOptions options, TimeProvider time, ILogger logger)
    {
        _client = client;
        _http = http;
        _server = server;
        Transport = transport;
        _options = options;
        _time = time;
        _logger = logger;
    }

    /// <summary>What the server turned out to speak.</summary>
    public McpTransport Transport { get; }

    /// <summary>The server has not ended it, as far as is known.</summary>
    public bool IsOpen => !_client.Completion.IsCompleted;

    private bool IsSessionless => string.CompareOrdinal(_client.NegotiatedProtocolVersion, Sessionless) >= 0;

    private bool HasSession => Transport == McpTransport.Sse || _client.SessionId is not null;

    /// <summary>Reads the list of tools, all pages.</summary>
    public async Task<McpListing> ListToolsAsync(CancellationToken cancellationToken)
    {
        using var activity = GatewayActivitySource.StartMcp("list", _server.Url.Host);
        using var timeout = new CancellationTokenSource(_options.ListTimeout, _time);
        var list = new McpToolList(_options.MaxTools, _options.ListBytes);
        string? cursor = null;
        McpFailure? failure;
        var pages = 0;
        do
        {
            var request = new JsonRpcRequest { Method = RequestMethods.ToolsList, Params = cursor is null ? new JsonObject() : new JsonObject { ["cursor"] = cursor } };
            (var result, failure) = await SendAsync(request, McpHttpHandler.Watch(), _options.ListTimeout, timeout.Token, cancellationToken);
            failure ??= list.Add(result, out cursor);
            pages++;
        }
        while (failure is null && cursor is not null && pages < MaxPages);

        failure ??= cursor is null ? null : new McpFailure(McpFailureKind.Protocol, null, $"The list of the server's tools has more than {MaxPages} pages.");
        if (failure is not null)
        {
            GatewayActivitySource.Fail(activity, failure.Kind.ToString());
            return McpListing.Failed(failure);
        }

        if (list.LeftOut > 0)
        {
            McpLog.ToolsLeftOut(_logger, _server.Label, list.LeftOut);
        }

        LearnHeaders(list.Tools);
        return new McpListing(list.Tools, null);
    }

    /// <summary>Calls a tool, once.</summary>
    public async Task<McpCallOutcome> CallToolAsync(string tool, JsonObject arguments, string? session, CancellationToken cancellationToken)
    {
        // An id of our own, since the library does not tell the one it gives.
        var id = new RequestId($"call-{Interlocked.Increment(ref _calls)}");
        var request = new JsonRpcRequest
        {
            Id = id,
            Method = RequestMethods.ToolsCall,
            Params = new JsonObject { ["name"] = tool, ["arguments"] = arguments },
#pragma warning disable MCPEXP002 // Experimental; without it the library puts the name into a header as it is, which fails for names that are not ASCII.
            Context = new JsonRpcMessageContext { RoutingName = McpHeaderEncoder.EncodeValue(tool) },
#pragma warning restore MCPEXP002
        };
        if (session is not null)
        {
            request.Params["_meta"] = new JsonObject { [SessionKey] = session };
        }

        var note = McpHttpHandler.Watch();
        using var timeout = new CancellationTokenSource(_options.CallTimeout, _time);
        try
        {
            var (result, failure) = await SendAsync(request, note, _options.CallTimeout, timeout.Token, cancellationToken);
            if (failure is not null)
            {
                return McpCallOutcome.Failed(failure);
            }

            var read = McpResults.Read(result);
            return new McpCallOutcome(McpResults.ToText(read), read.IsError == true, null, read);
        }
        catch (JsonException)
        {
            return McpCallOutcome.Failed(McpFailures.NotMcp());
        }
        finally
        {
            if (timeout.IsCancellationRequested || cancellationToken.IsCancellationRequested)
            {
                TellCancelled(id, isAnswered: note.Status is not null);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        // The library waits without limit for the server's answer to its goodbye.
        using var patience = new CancellationTokenSource(GoodbyeTime, _time);
        await using var _ = patience.Token.Register(_http.Dispose);
        try
        {
            await _goodbyes;
            await _client.DisposeAsync();
        }
        catch (Exception e)
        {
            // It is closed one way or another; what the library throws here is not documented.
            McpLog.CloseFailed(_logger, e.GetType().Name);
        }

        _http.Dispose();
    }

    private async Task<(JsonNode? Result, McpFailure? Failure)> SendAsync(
        JsonRpcRequest request, McpHttpHandler.Note note, TimeSpan time, CancellationToken timeout, CancellationToken cancellationToken)
    {
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout, cancellationToken);
            var response = await _client.SendRequestAsync(request, either.Token);
            return (response.Result, null);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Every exception: what a server can make the library throw is not documented, and none of it is the gateway's fault.
            // 404 is how a server says that it does not know the session. Many say 400, which may also come of a call that has begun to run.
            var status = HasSession ? (int?)note.Status : null;
            return (null, timeout.IsCancellationRequested
                ? McpFailures.TimedOut(time)
                : McpFailures.From(e, isRejected: status == 404) with { MayEndSession = status is 400 or 404 });
        }
        catch (Exception)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }

    /// <summary>Tells the library of schemas that mark arguments which servers want as headers: it reads those of its own lists only.</summary>
    private void LearnHeaders(IReadOnlyList<McpTool> tools)
    {
        foreach (var tool in tools.Where(tool => IsSessionless && tool.InputSchema.Span.IndexOf("\"x-mcp-header\""u8) >= 0))
        {
            try
            {
                _client.AddKnownTools([new Tool { Name = tool.Name, InputSchema = JsonElement.Parse(tool.InputSchema.Span) }]);
            }
            catch (ArgumentException)
            {
                // The marks are not as they should be. The server will say so when the tool is called.
            }
        }
    }

    /// <summary>
    /// Tells the server that nobody waits for the result any more. The library does so with HTTP+SSE only, once the request was answered there:
    /// until then, and always with streamable HTTP, it breaks the request off, which means nothing to a server before <see cref="Sessionless"/>.
    /// </summary>
    private void TellCancelled(RequestId id, bool isAnswered)
    {
        if (IsSessionless || (Transport == McpTransport.Sse && isAnswered))
        {
            return;
        }

        lock (_lock)
        {
            _goodbyes = Task.WhenAll(_goodbyes, TellAsync());
        }

        async Task TellAsync()
        {
            try
            {
                using var patience = new CancellationTokenSource(GoodbyeTime, _time);
                var cancelled = new JsonRpcNotification
                {
                    Method = NotificationMethods.CancelledNotification,
                    Params = new JsonObject { ["requestId"] = id.ToString() },
                };
                await _client.SendMessageAsync(cancelled, patience.Token);
            }
            catch (Exception e)
            {
                // A courtesy to the server; it failed, as the call did.
                McpLog.CloseFailed(_logger, e.GetType().Name);
            }
        }
    }
}
