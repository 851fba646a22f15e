using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Testing.Mcp;
using ModelContextProtocol;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Gateway.FunctionalTests.Tools.Mcp;

/// <summary>The scripted MCP server does to the SDK's own client what tests rely on.</summary>
public sealed class TestMcpServerTests : IAsyncLifetime
{
    private const string Protocol2026 = "2026-07-28";
    private const string Protocol2025 = "2025-11-25";

    private TestMcpServer _server = null!;

    /// <summary>Streamable HTTP or not, and its session mode.</summary>
    public static TheoryData<HttpTransportMode, HttpServerSessionMode> Transports { get; } = new()
    {
        { HttpTransportMode.StreamableHttp, HttpServerSessionMode.Stateful },
        { HttpTransportMode.StreamableHttp, HttpServerSessionMode.Stateless },
        { HttpTransportMode.StreamableHttp, HttpServerSessionMode.StatefulForInitializeClients },
        { HttpTransportMode.Sse, HttpServerSessionMode.Stateful },
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await TestMcpServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Call_OfEveryKindOfContent_ReachesTheClientWhole(HttpTransportMode transport, HttpServerSessionMode mode)
    {
        await UseServerAsync(new TestMcpServerOptions { SessionMode = mode });
        _server.Add(TestMcpTools.EveryContent);
        await using var client = await ConnectAsync(transport);

        var result = await client.CallToolAsync("every_content", cancellationToken: Cancellation);

        Assert.Equal(["text", "image", "audio", "resource_link", "resource", "resource"], result.Content.Select(block => block.Type));
        Assert.Equal(TestMcpTools.Png.ToArray(), Assert.IsType<ImageContentBlock>(result.Content[1]).DecodedData.ToArray());
        Assert.Equal(TestMcpTools.Wav.ToArray(), Assert.IsType<AudioContentBlock>(result.Content[2]).DecodedData.ToArray());
        Assert.Equal("test://files/1", Assert.IsType<ResourceLinkBlock>(result.Content[3]).Uri);
        var text = Assert.IsType<EmbeddedResourceBlock>(result.Content[4]).Resource;
        var blob = Assert.IsType<EmbeddedResourceBlock>(result.Content[5]).Resource;
        Assert.Equal("Embedded text", Assert.IsType<TextResourceContents>(text).Text);
        Assert.Equal(TestMcpTools.Png.ToArray(), Assert.IsType<BlobResourceContents>(blob).DecodedData.ToArray());
        Assert.Equal(6, result.StructuredContent?.GetProperty("kinds").GetInt32());
        Assert.Null(result.IsError);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Call_OfReadyMadeTools_AnswersAsTheySay(HttpTransportMode transport, HttpServerSessionMode mode)
    {
        await UseServerAsync(new TestMcpServerOptions { SessionMode = mode });
        _server.Add(TestMcpTools.Echo, TestMcpTools.Add, TestMcpTools.Failing, TestMcpTools.Throwing, TestMcpTools.Empty, TestMcpTools.Huge(1_000_000));
        await using var client = await ConnectAsync(transport);

        Assert.Equal("Echo: hi", TextOf(await CallAsync(client, "echo", ("message", "hi"))));
        var sum = await CallAsync(client, "add", ("a", 2), ("b", 0.5));
        Assert.Equal("2.5", TextOf(sum));
        Assert.Equal(2.5, sum.StructuredContent?.GetProperty("sum").GetDouble());
        var failed = await CallAsync(client, "failing");
        Assert.True(failed.IsError);
        Assert.Equal("The tool failed.", TextOf(failed));
        Assert.Empty((await CallAsync(client, "empty")).Content);
        Assert.Equal(1_000_000, TextOf(await CallAsync(client, "huge")).Length);
        var thrown = await Assert.ThrowsAsync<McpProtocolException>(() => CallAsync(client, "throwing"));
        Assert.Equal(McpErrorCode.InternalError, thrown.ErrorCode);
        var unknown = await Assert.ThrowsAsync<McpProtocolException>(() => CallAsync(client, "nothing"));
        Assert.Equal(McpErrorCode.InvalidParams, unknown.ErrorCode);
    }

    [Fact]
    public async Task Call_OfARawResult_IsSentAsItIs()
    {
        _server.Add(TestMcpTools.Raw("raw", """{"content":[{"type":"hologram","beams":3}],"_meta":{"trace":"1"}}"""));
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);

        var request = new JsonRpcRequest { Method = RequestMethods.ToolsCall, Params = new JsonObject { ["name"] = "raw" } };
        var response = await client.SendRequestAsync(request, Cancellation);

        Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""{"content":[{"type":"hologram","beams":3}],"_meta":{"trace":"1"}}"""), response.Result));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Call_Recorded_HasArgumentsMetaHeadersAndSession(HttpTransportMode transport, HttpServerSessionMode mode)
    {
        await UseServerAsync(new TestMcpServerOptions { SessionMode = mode });
        _server.Add(TestMcpTools.Echo);
        await using var client = await ConnectAsync(transport, ("Authorization", "Bearer secret"), ("X-Custom", "custom"));

        await client.CallToolAsync(
            new CallToolRequestParams
            {
                Name = "echo",
                Arguments = new Dictionary<string, JsonElement> { ["message"] = JsonSerializer.SerializeToElement("hi") },
                Meta = new JsonObject { ["trace"] = "abc" },
            },
            Cancellation);

        var call = await _server.NextCallAsync(Cancellation);
        Assert.Same(call, Assert.Single(_server.Calls));
        Assert.Equal("echo", call.Name);
        Assert.Equal("hi", (string?)call.Arguments?["message"]);
        Assert.Equal("abc", (string?)call.Meta?["trace"]);
        Assert.Equal("Bearer secret", call.Headers["Authorization"]);
        Assert.Equal("custom", call.Headers["X-Custom"]);
        Assert.Equal(transport == HttpTransportMode.Sse ? "/message" : "/mcp", call.Path);
        Assert.Equal(mode == HttpServerSessionMode.Stateful, call.SessionId is not null);
    }

    [Theory]
    [InlineData(HttpServerSessionMode.Stateful, null, Protocol2025, 1)]
    [InlineData(HttpServerSessionMode.Stateful, Protocol2025, Protocol2025, 1)]
    [InlineData(HttpServerSessionMode.Stateless, null, Protocol2026, 0)]
    [InlineData(HttpServerSessionMode.Stateless, Protocol2025, Protocol2025, 1)]
    [InlineData(HttpServerSessionMode.StatefulForInitializeClients, null, Protocol2026, 0)]
    [InlineData(HttpServerSessionMode.StatefulForInitializeClients, Protocol2025, Protocol2025, 1)]
    public async Task Client_Connecting_InitializesAsTheSessionModeAsks(HttpServerSessionMode mode, string? asked, string negotiated, int initializes)
    {
        await UseServerAsync(new TestMcpServerOptions { SessionMode = mode });

        var transport = new HttpClientTransport(new HttpClientTransportOptions { Endpoint = _server.Endpoint });
        await using var client = await McpClient.CreateAsync(transport, new McpClientOptions { ProtocolVersion = asked }, cancellationToken: Cancellation);

        Assert.Equal(negotiated, client.NegotiatedProtocolVersion);
        Assert.Equal(initializes, _server.Of(RequestMethods.Initialize).Count());
        Assert.Equal(initializes == 1 && mode != HttpServerSessionMode.Stateless, client.SessionId is not null);
    }

    [Fact]
    public async Task Listing_WithAnnotations_ListsThemAndTheSchemas()
    {
        _server.Add(TestMcpTools.Add);
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);

        var tool = Assert.Single(await client.ListToolsAsync(cancellationToken: Cancellation)).ProtocolTool;

        Assert.Equal("Adds two numbers.", tool.Description);
        Assert.True(tool.Annotations?.ReadOnlyHint);
        Assert.True(tool.Annotations?.IdempotentHint);
        Assert.False(tool.Annotations?.DestructiveHint);
        Assert.False(tool.Annotations?.OpenWorldHint);
        Assert.Equal("number", tool.InputSchema.GetProperty("properties").GetProperty("a").GetProperty("type").GetString());
        Assert.Equal("number", tool.OutputSchema?.GetProperty("properties").GetProperty("sum").GetProperty("type").GetString());
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Listing_OfManyTools_ComesInPages(HttpTransportMode transport, HttpServerSessionMode mode)
    {
        await UseServerAsync(new TestMcpServerOptions { SessionMode = mode });
        _server.Add(TestMcpTools.Many(500));
        _server.PageSize = 120;
        await using var client = await ConnectAsync(transport);

        var tools = await client.ListToolsAsync(cancellationToken: Cancellation);

        Assert.Equal(Enumerable.Range(0, 500).Select(i => $"tool_{i}"), tools.Select(tool => tool.Name));
        Assert.Equal(5, _server.Of(RequestMethods.ToolsList).Count());
    }

    [Fact]
    public async Task Listing_ThatNeverEnds_LeadsFromTheLastPageToTheFirst()
    {
        _server.Add(TestMcpTools.Many(3));
        _server.PageSize = 2;
        _server.ListingNeverEnds = true;
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);

        var names = new List<string>();
        string? cursor = null;
        for (var page = 0; page < 4; page++)
        {
            var result = await client.ListToolsAsync(new ListToolsRequestParams { Cursor = cursor }, Cancellation);
            names.AddRange(result.Tools.Select(tool => tool.Name));
            cursor = Assert.IsType<string>(result.NextCursor);
        }

        Assert.Equal(["tool_0", "tool_1", "tool_2", "tool_0", "tool_1", "tool_2"], names);
    }

    [Fact]
    public async Task Listing_ChangedBetweenListings_ListsWhatIsThereNow()
    {
        _server.Add(TestMcpTools.Echo);
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);

        var before = await client.ListToolsAsync(cancellationToken: Cancellation);
        _server.RemoveTools().Add(TestMcpTools.Add, TestMcpTools.Empty);
        var after = await client.ListToolsAsync(cancellationToken: Cancellation);

        Assert.Equal(["echo"], before.Select(tool => tool.Name));
        Assert.Equal(["add", "empty"], after.Select(tool => tool.Name));
    }

    [Fact]
    public async Task Listing_OfOddAndDoubledNames_ListsAndCallsThem()
    {
        _server.Add(TestMcpTools.OddNames.Select(name => TestMcpTools.Saying(name, "I am " + name)));
        _server.Add(TestMcpTools.Saying("twice", "first"), TestMcpTools.Saying("twice", "second"));
        // Streamable HTTP names the tool in a header too, and the client can not write there what is not ASCII.
        await using var client = await ConnectAsync(HttpTransportMode.Sse);

        var tools = await client.ListToolsAsync(cancellationToken: Cancellation);

        Assert.Equal([.. TestMcpTools.OddNames, "twice", "twice"], tools.Select(tool => tool.Name));
        foreach (var name in TestMcpTools.OddNames)
        {
            Assert.Equal("I am " + name, TextOf(await CallAsync(client, name)));
        }

        Assert.Equal("first", TextOf(await CallAsync(client, "twice")));
    }

    public static TheoryData<string> InvalidEntries { get; } = [.. TestMcpTools.InvalidEntries];

    [Theory]
    [MemberData(nameof(InvalidEntries))]
    public async Task Listing_WithAnInvalidEntry_SendsItAsItIs(string entry)
    {
        _server.Add(TestMcpTools.Echo).AddEntry(JsonNode.Parse(entry));
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);

        var response = await client.SendRequestAsync(new JsonRpcRequest { Method = RequestMethods.ToolsList }, Cancellation);

        var tools = response.Result!["tools"]!.AsArray();
        Assert.Equal("echo", (string?)tools[0]!["name"]);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(entry), tools[1]));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Server_WithOneTransport_ServesThatAlone(bool streamableHttp, bool legacySse)
    {
        await UseServerAsync(new TestMcpServerOptions { StreamableHttp = streamableHttp, LegacySse = legacySse });
        var (served, other) = streamableHttp
            ? ((_server.Endpoint, HttpTransportMode.StreamableHttp), (_server.SseEndpoint, HttpTransportMode.Sse))
            : ((_server.SseEndpoint, HttpTransportMode.Sse), (_server.Endpoint, HttpTransportMode.StreamableHttp));

        await using var client = await McpClients.ConnectAsync(served.Item1, served.Item2);
        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => McpClients.ConnectAsync(other.Item1, other.Item2));

        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
    }

    [Fact]
    public async Task Client_ThatDetectsTheTransport_FallsBackToSseAtTheSameAddress()
    {
        await UseServerAsync(new TestMcpServerOptions { StreamableHttp = false });
        _server.Add(TestMcpTools.Echo);

        await using var client = await McpClients.ConnectAsync(_server.SseEndpoint);

        Assert.Equal("Echo: hi", TextOf(await CallAsync(client, "echo", ("message", "hi"))));
        Assert.Null(client.SessionId);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Server_WithARequiredBearerAndHeader_RefusesOthers(HttpTransportMode transport, HttpServerSessionMode mode)
    {
        await UseServerAsync(new TestMcpServerOptions { SessionMode = mode });
        _server.RequiredBearer = "right";
        _server.RequiredHeader = ("X-Key", "right");

        var without = await Assert.ThrowsAsync<HttpRequestException>(() => ConnectAsync(transport));
        var wrong = await Assert.ThrowsAsync<HttpRequestException>(() => ConnectAsync(transport, ("Authorization", "Bearer wrong"), ("X-Key", "right")));
        var header = await Assert.ThrowsAsync<HttpRequestException>(() => ConnectAsync(transport, ("Authorization", "Bearer right"), ("X-Key", "wrong")));
        await using var client = await ConnectAsync(transport, ("Authorization", "Bearer right"), ("X-Key", "right"));

        Assert.All([without, wrong, header], refused => Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode));
    }

    [Theory]
    [InlineData(HttpTransportMode.StreamableHttp, 401)]
    [InlineData(HttpTransportMode.StreamableHttp, 403)]
    [InlineData(HttpTransportMode.StreamableHttp, 404)]
    [InlineData(HttpTransportMode.StreamableHttp, 500)]
    [InlineData(HttpTransportMode.Sse, 401)]
    [InlineData(HttpTransportMode.Sse, 403)]
    [InlineData(HttpTransportMode.Sse, 404)]
    [InlineData(HttpTransportMode.Sse, 500)]
    public async Task Fault_OfAStatus_LastsUntilTheServerRecovers(HttpTransportMode transport, int status)
    {
        _server.Fail(McpFault.Status(status));
        var first = await Assert.ThrowsAsync<HttpRequestException>(() => ConnectAsync(transport));
        var second = await Assert.ThrowsAsync<HttpRequestException>(() => ConnectAsync(transport));
        _server.Recover();
        await using var client = await ConnectAsync(transport);

        Assert.Equal((HttpStatusCode)status, first.StatusCode);
        Assert.Equal((HttpStatusCode)status, second.StatusCode);
    }

    [Theory]
    [InlineData(HttpTransportMode.StreamableHttp)]
    [InlineData(HttpTransportMode.Sse)]
    public async Task Fault_OfOneMethodAndSoManyTimes_LeavesTheOthersAlone(HttpTransportMode transport)
    {
        _server.Add(TestMcpTools.Empty);
        await using var client = await ConnectAsync(transport);
        _server.Fail(McpFault.Status(503), RequestMethods.ToolsCall, times: 2);

        Assert.Single(await client.ListToolsAsync(cancellationToken: Cancellation));
        await Assert.ThrowsAsync<HttpRequestException>(() => CallAsync(client, "empty"));
        await Assert.ThrowsAsync<HttpRequestException>(() => CallAsync(client, "empty"));
        Assert.Empty((await CallAsync(client, "empty")).Content);
        Assert.Equal(3, _server.Calls.Count);
    }

    public static TheoryData<string, Type> BrokenAnswers { get; } = new()
    {
        { nameof(McpFault.MalformedJson), typeof(McpException) },
        { nameof(McpFault.NotJsonRpc), typeof(McpException) },
        { nameof(McpFault.WebPage), typeof(McpException) },
        { nameof(McpFault.EndedAnswer), typeof(McpException) },
        { nameof(McpFault.Reset), typeof(HttpRequestException) },
        { nameof(McpFault.CutAnswer), typeof(McpException) },
    };

    [Theory]
    [MemberData(nameof(BrokenAnswers))]
    public async Task Fault_OfABrokenAnswer_FailsTheCallAlone(string fault, Type exception)
    {
        _server.Add(TestMcpTools.Empty);
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);
        _server.Fail((McpFault)typeof(McpFault).GetProperty(fault)!.GetValue(null)!, RequestMethods.ToolsCall, times: 1);

        var thrown = await Assert.ThrowsAnyAsync<Exception>(() => CallAsync(client, "empty"));

        Assert.IsType(exception, thrown);
        Assert.Empty((await CallAsync(client, "empty")).Content);
    }

    [Fact]
    public async Task Fault_OfACutAnswer_SendsHalfAnEventFirst()
    {
        _server.Fail(McpFault.CutAnswer);
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, _server.Endpoint) { Content = new StringContent("{}", Encoding.UTF8, "application/json") };

        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var body = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("event: message", await body.ReadLineAsync(Cancellation));
        await Assert.ThrowsAnyAsync<IOException>(() => body.ReadToEndAsync(Cancellation));
    }

    [Theory]
    [InlineData(nameof(McpFault.Silence))]
    [InlineData(nameof(McpFault.SilentStream))]
    public async Task Fault_OfSilence_LastsUntilTheClientLeaves(string fault)
    {
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);
        _server.Fail((McpFault)typeof(McpFault).GetProperty(fault)!.GetValue(null)!, RequestMethods.ToolsCall);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);

        var call = client.CallToolAsync("empty", cancellationToken: patience.Token).AsTask();
        var recorded = await _server.NextCallAsync(Cancellation);
        Assert.False(recorded.ClientLeft.IsCompleted);
        await patience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await recorded.ClientLeft.WaitAsync(Cancellation);
    }

    [Fact]
    public async Task Fault_OfARedirect_PointsElsewhere()
    {
        await using var other = await TestMcpServer.StartAsync();
        _server.Fail(McpFault.Redirect(other.Endpoint));
        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false };
        using var http = new HttpClient(handler);

        using var response = await http.PostAsync(_server.Endpoint, new StringContent("{}", Encoding.UTF8, "application/json"), Cancellation);

        Assert.Equal(HttpStatusCode.TemporaryRedirect, response.StatusCode);
        Assert.Equal(other.Endpoint, response.Headers.Location);
        Assert.Empty(other.Requests);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task HeldTool_CalledTwice_AnswersWhenReleased(HttpTransportMode transport, HttpServerSessionMode mode)
    {
        await UseServerAsync(new TestMcpServerOptions { SessionMode = mode });
        using var held = new HeldMcpTool();
        _server.Add(held.Tool);
        await using var client = await ConnectAsync(transport);

        var first = CallAsync(client, "held");
        var second = CallAsync(client, "held");
        await held.ReachedAsync(Cancellation);
        await held.ReachedAsync(Cancellation);
        Assert.False(first.IsCompleted || second.IsCompleted);
        held.Release(2);

        Assert.Equal("released", TextOf(await first));
        Assert.Equal("released", TextOf(await second));
    }

    [Fact]
    public async Task HeldTool_WhoseCallIsTakenBack_KnowsIt()
    {
        await UseServerAsync(new TestMcpServerOptions { SessionMode = HttpServerSessionMode.Stateless });
        using var held = new HeldMcpTool();
        _server.Add(held.Tool);
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);

        var call = client.CallToolAsync("held", cancellationToken: patience.Token).AsTask();
        await held.ReachedAsync(Cancellation);
        await patience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await held.CancelledAsync(Cancellation);
    }

    [Theory]
    [InlineData(HttpTransportMode.StreamableHttp)]
    [InlineData(HttpTransportMode.Sse)]
    public async Task HeldTool_CalledInASession_IsCancelledByANotification(HttpTransportMode transport)
    {
        using var held = new HeldMcpTool();
        _server.Add(held.Tool);
        await using var client = await ConnectAsync(transport);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);

        // In a session a call outlives its request, and the client can not be relied on to send a notification of its own when its token is set:
        // over streamable HTTP it sends none, over SSE none while the request is still being taken.
        var request = new JsonRpcRequest { Id = new RequestId("mine"), Method = RequestMethods.ToolsCall, Params = new JsonObject { ["name"] = "held" } };
        var call = client.SendRequestAsync(request, patience.Token);
        await held.ReachedAsync(Cancellation);
        await client.SendNotificationAsync(NotificationMethods.CancelledNotification, new CancelledNotificationParams { RequestId = request.Id }, cancellationToken: Cancellation);

        await held.CancelledAsync(Cancellation);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task Streams_Cut_EndTheSessionsOfTheLegacyTransport()
    {
        using var held = new HeldMcpTool();
        _server.Add(held.Tool);
        await using var client = await ConnectAsync(HttpTransportMode.Sse);

        var call = CallAsync(client, "held");
        await held.ReachedAsync(Cancellation);
        _server.CutStreams();

        await Assert.ThrowsAnyAsync<IOException>(() => call);
        await held.CancelledAsync(Cancellation);
    }

    [Fact]
    public async Task Server_Restarted_HasForgottenItsSessions()
    {
        _server.Add(TestMcpTools.Empty);
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);
        var endpoint = _server.Endpoint;

        await _server.StopAsync();
        var stopped = await Assert.ThrowsAsync<HttpRequestException>(() => CallAsync(client, "empty"));
        await _server.StartAgainAsync();
        var lost = await Assert.ThrowsAsync<HttpRequestException>(() => CallAsync(client, "empty"));
        await using var again = await ConnectAsync(HttpTransportMode.StreamableHttp);

        // Refused, or broken on the way: no answer in either case.
        Assert.Null(stopped.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, lost.StatusCode);
        Assert.Equal(endpoint, _server.Endpoint);
        Assert.Empty((await CallAsync(again, "empty")).Content);
    }

    [Fact]
    public async Task Server_RestartedWithoutSessions_ServesTheSameClient()
    {
        await UseServerAsync(new TestMcpServerOptions { SessionMode = HttpServerSessionMode.Stateless });
        _server.Add(TestMcpTools.Empty);
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);

        await _server.StopAsync();
        await _server.StartAgainAsync();

        Assert.Empty((await CallAsync(client, "empty")).Content);
    }

    [Fact]
    public async Task Reset_AfterATest_LeavesNothingOfIt()
    {
        _server.Add(TestMcpTools.Empty);
        _server.RequiredBearer = "key";
        _server.Fail(McpFault.Status(500));
        await Assert.ThrowsAsync<HttpRequestException>(() => ConnectAsync(HttpTransportMode.StreamableHttp, ("Authorization", "Bearer key")));

        _server.Reset();

        Assert.Empty(_server.Requests);
        await using var client = await ConnectAsync(HttpTransportMode.StreamableHttp);
        Assert.Empty(await client.ListToolsAsync(cancellationToken: Cancellation));
    }

    private async Task UseServerAsync(TestMcpServerOptions options)
    {
        await _server.DisposeAsync();
        _server = await TestMcpServer.StartAsync(options);
    }

    private Task<McpClient> ConnectAsync(HttpTransportMode transport, params IEnumerable<(string Name, string Value)> headers) =>
        McpClients.ConnectAsync(transport == HttpTransportMode.Sse ? _server.SseEndpoint : _server.Endpoint, transport, headers);

    private static async Task<CallToolResult> CallAsync(McpClient client, string tool, params IEnumerable<(string Name, object Value)> arguments) =>
        await client.CallToolAsync(tool, arguments.ToDictionary(a => a.Name, a => (object?)a.Value), cancellationToken: Cancellation);

    private static string TextOf(CallToolResult result) => Assert.IsType<TextContentBlock>(Assert.Single(result.Content)).Text;
}
