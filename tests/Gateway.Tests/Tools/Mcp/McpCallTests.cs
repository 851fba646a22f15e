using System.Text;
using System.Text.Json.Nodes;
using Gateway.Testing.Mcp;
using Gateway.Tests.Upstream;
using Gateway.Tools.Mcp;
using ModelContextProtocol.AspNetCore;

namespace Gateway.Tests.Tools.Mcp;

/// <summary>What becomes of lists and calls when servers fail, keep silent, forget or misbehave.</summary>
public sealed class McpCallTests : IAsyncLifetime
{
    private TestMcpServer _mcp = null!;
    private McpPoolHost _host = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private McpServer Server => _host.Server(_mcp.Endpoint);

    public async ValueTask InitializeAsync()
    {
        _mcp = (await TestMcpServer.StartAsync()).Add(TestMcpTools.Echo, TestMcpTools.Failing, TestMcpTools.Throwing, TestMcpTools.EveryContent);
        _host = new McpPoolHost();
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _mcp.DisposeAsync();
    }

    [Fact]
    public async Task Call_ToolThatFails_IsItsErrorText()
    {
        var outcome = await CallAsync(Server, "failing");

        Assert.Equal(("The tool failed.", true), (outcome.Text, outcome.IsError));
        Assert.Null(outcome.Failure);
        Assert.True(outcome.Result?.IsError);
    }

    [Fact]
    public async Task Call_JsonRpcError_IsAProtocolFailureAndKeepsTheConnection()
    {
        var outcome = await CallAsync(Server, "throwing");
        await CallAsync(Server, "echo");

        Assert.Equal(new McpFailure(McpFailureKind.Protocol, null, "MCP error -32603: The server failed.") { ErrorCode = -32603 }, outcome.Failure);
        Assert.Equal(("MCP error -32603: The server failed.", true), (outcome.Text, outcome.IsError));
        Assert.Null(outcome.Result);
        Assert.Equal(1, Count("initialize"));
    }

    [Fact]
    public async Task Call_EveryKindOfContent_IsText()
    {
        var outcome = await CallAsync(Server, "every_content");

        Assert.Equal(
            """
            Some text
            [image image/png, 68 bytes]
            [audio audio/wav, 44 bytes]
            [resource link test://files/1, text/plain] one.txt
            [resource test://texts/1]
            Embedded text
            [resource test://blobs/1, image/png, 68 bytes]
            """,
            outcome.Text);
    }

    [Fact]
    public async Task Call_Session_IsInItsMeta()
    {
        await _host.Pool.CallToolAsync(Server, "echo", default, "conv-1", Cancellation);
        await _host.Pool.CallToolAsync(Server, "echo", default, null, Cancellation);

        Assert.Equal("conv-1", (string?)_mcp.Calls[0].Meta?["responses-gateway/session"]);
        Assert.Null(_mcp.Calls[1].Meta?["responses-gateway/session"]);
        Assert.All(_mcp.Calls, call => Assert.Equal("{}", call.Arguments?.ToJsonString()));
    }

    [Theory]
    [InlineData(HttpServerSessionMode.Stateful, McpTransport.Http)]
    [InlineData(HttpServerSessionMode.Stateless, McpTransport.Http)]
    [InlineData(HttpServerSessionMode.Stateful, McpTransport.Sse)]
    internal async Task Call_ToolOfAnyName_IsMade(HttpServerSessionMode mode, McpTransport transport)
    {
        await using var mcp = await TestMcpServer.StartAsync(new TestMcpServerOptions { SessionMode = mode });
        mcp.Add(TestMcpTools.OddNames.Append("two\nlines").Select(name => TestMcpTools.Saying(name, name)));
        var server = _host.Server(transport == McpTransport.Sse ? mcp.SseEndpoint : mcp.Endpoint, transport);

        foreach (var tool in (await _host.Pool.ListToolsAsync(server, Cancellation)).Tools)
        {
            Assert.Equal(tool.Name, (await CallAsync(server, tool.Name)).Text);
        }

        Assert.Equal(TestMcpTools.OddNames.Count + 1, mcp.Calls.Count);
    }

    [Fact]
    public async Task Call_ArgumentThatTheServerWantsAsAHeader_IsSentAsOne()
    {
        await using var mcp = await TestMcpServer.StartAsync(new TestMcpServerOptions { SessionMode = HttpServerSessionMode.Stateless });
        const string Schema = """{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}""";
        mcp.Add(TestMcpTools.Saying("where", "here") with { InputSchema = JsonNode.Parse(Schema) });
        var server = _host.Server(mcp.Endpoint);
        await _host.Pool.ListToolsAsync(server, Cancellation);

        Assert.Equal("here", (await CallAsync(server, "where", """{"region":"north"}""")).Text);

        Assert.Equal("north", Assert.Single(mcp.Calls).Headers["Mcp-Param-Region"]);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"text\"")]
    [InlineData("{} {}")]
    [InlineData("""{"text":"\ud800"}""")]
    public async Task Call_ArgumentsThatAreNoObject_IsNotMade(string arguments)
    {
        var outcome = await CallAsync(Server, "echo", arguments);

        Assert.Equal((McpFailureKind.Protocol, true), (outcome.Failure!.Kind, outcome.Failure.IsNotRun));
        Assert.Empty(_mcp.Requests);
    }

    [Fact]
    public async Task Call_SessionLostByARestart_ConnectsOnceMoreAndCalls()
    {
        await CallAsync(Server, "echo");
        await _mcp.StopAsync();
        await _mcp.StartAgainAsync();

        var outcome = await CallAsync(Server, "echo", """{"message":"again"}""");

        Assert.Equal("Echo: again", outcome.Text);
        Assert.Equal(2, Count("initialize"));
    }

    [Theory]
    [InlineData(McpTransport.Http)]
    [InlineData(McpTransport.Sse)]
    internal async Task Call_SessionNotFound_ConnectsOnceMoreAndCalls(McpTransport transport)
    {
        var server = _host.Server(transport == McpTransport.Sse ? _mcp.SseEndpoint : _mcp.Endpoint, transport);
        await CallAsync(server, "echo");
        _mcp.Fail(McpFault.Status(404), "tools/call", times: 1);

        var outcome = await CallAsync(server, "echo", """{"message":"again"}""");

        Assert.Equal("Echo: again", outcome.Text);
        Assert.Equal((2, 3), (Count("initialize"), _mcp.Calls.Count));
        await _host.ConnectionsAsync(1);
    }

    [Fact]
    public async Task Call_SessionNeverFound_GivesUpAfterTheSecondTime()
    {
        await CallAsync(Server, "echo");
        _mcp.Fail(McpFault.Status(404), "tools/call");

        var outcome = await CallAsync(Server, "echo");

        Assert.Equal(404, outcome.Failure?.HttpStatus);
        Assert.Equal((2, 3), (Count("initialize"), _mcp.Calls.Count));
        await _host.ConnectionsAsync(0);
    }

    [Fact]
    public async Task List_SessionForgottenWithStatus400_ConnectsOnceMoreAndLists()
    {
        await using var raw = await StartForgettingAsync("tools/list", """{"tools":[]}""");
        var server = _host.Server(raw.Endpoint);
        await CallAsync(server, "tool");

        Assert.Null((await _host.Pool.ListToolsAsync(server, Cancellation)).Failure);

        Assert.Equal((2, 2), (raw.Count("initialize"), raw.Count("tools/list")));
    }

    [Fact]
    public async Task Call_Status400_IsNotRepeatedAndTheNextOneConnectsAnew()
    {
        await using var raw = await StartForgettingAsync("tools/call", """{"content":[{"type":"text","text":"done"}]}""");
        var server = _host.Server(raw.Endpoint);
        await _host.Pool.ListToolsAsync(server, Cancellation);

        var outcome = await CallAsync(server, "tool");

        Assert.Equal(
            ("MCP error -32000: Bad Request: No valid session ID provided", false), (outcome.Failure?.Message, outcome.Failure?.IsNotRun));
        Assert.Equal((1, 1), (raw.Count("initialize"), raw.Count("tools/call")));
        Assert.Equal("done", (await CallAsync(server, "tool")).Text);
        Assert.Equal((2, 2), (raw.Count("initialize"), raw.Count("tools/call")));
    }

    [Fact]
    public async Task Call_ConnectionBreaks_IsNotRepeated()
    {
        await CallAsync(Server, "echo");
        _mcp.Fail(McpFault.Reset, "tools/call");

        var outcome = await CallAsync(Server, "echo");

        Assert.Equal((McpFailureKind.Unreachable, false), (outcome.Failure!.Kind, outcome.Failure.IsNotRun));
        Assert.Equal(2, _mcp.Calls.Count);
        await _host.ConnectionsAsync(0);
    }

    [Fact]
    public async Task Call_SseStreamBreaks_IsNotRepeated()
    {
        using var held = new HeldMcpTool();
        _mcp.Add(held.Tool);
        var call = CallAsync(_host.Server(_mcp.SseEndpoint, McpTransport.Sse), "held");
        await held.ReachedAsync(Cancellation);

        _mcp.CutStreams();

        Assert.Equal((McpFailureKind.Unreachable, false), ((await call).Failure!.Kind, (await call).Failure!.IsNotRun));
        Assert.Single(_mcp.Calls);
        await _host.ConnectionsAsync(0);
    }

    [Fact]
    public async Task Call_SseStreamBrokenBefore_IsMadeOnANewOne()
    {
        var server = _host.Server(_mcp.SseEndpoint, McpTransport.Sse);
        await CallAsync(server, "echo");
        _mcp.CutStreams();

        await Until.TrueAsync(async () => (await CallAsync(server, "echo", """{"message":"again"}""")).Text == "Echo: again");

        Assert.Equal(2, Count("initialize"));
    }

    [Fact]
    public async Task Call_ServerDown_IsUnreachableUntilItIsBack()
    {
        await _mcp.StopAsync();

        var outcome = await CallAsync(Server, "echo");
        Assert.Equal(new McpFailure(McpFailureKind.Unreachable, null, "The server could not be connected to.") { IsNotRun = true }, outcome.Failure);
        var listing = await _host.Pool.ListToolsAsync(Server, Cancellation);
        Assert.Equal(McpFailureKind.Unreachable, listing.Failure?.Kind);

        await _mcp.StartAgainAsync();
        Assert.Equal("Echo: back", (await CallAsync(Server, "echo", """{"message":"back"}""")).Text);
    }

    [Theory]
    [InlineData(401, "Http status code: 401 (Unauthorized)")]
    [InlineData(403, "Http status code: 403 (Forbidden)")]
    [InlineData(500, "Http status code: 500 (Internal Server Error)")]
    public async Task List_ServerRefuses_IsItsStatusAndNoOtherTransportIsTried(int status, string message)
    {
        _mcp.Fail(McpFault.Status(status, "a page", "text/html"));

        var listing = await _host.Pool.ListToolsAsync(Server, Cancellation);

        Assert.Equal((McpFailureKind.Http, status, message), (listing.Failure!.Kind, listing.Failure.HttpStatus!.Value, listing.Failure.Message));
        Assert.DoesNotContain(_mcp.Requests, request => request.HttpMethod == "GET");
    }

    [Fact]
    public async Task List_WrongBearer_Is401AndTheRightOneWorks()
    {
        _mcp.RequiredBearer = "right";

        var wrong = await _host.Pool.ListToolsAsync(_host.Server(_mcp.Endpoint, headers: ("Authorization", "Bearer wrong")), Cancellation);
        var right = await _host.Pool.ListToolsAsync(_host.Server(_mcp.Endpoint, headers: ("Authorization", "Bearer right")), Cancellation);

        Assert.Equal(401, wrong.Failure?.HttpStatus);
        Assert.Null(right.Failure);
    }

    [Fact]
    public async Task List_AddressThatMayNotBeReached_IsRefused()
    {
        var server = new McpServer { Tenant = "acme", Label = "tools", Url = _mcp.Endpoint, Transport = McpTransport.Http, Egress = _host.TenantScope() };

        var listing = await _host.Pool.ListToolsAsync(server, Cancellation);

        Assert.Equal((McpFailureKind.Refused, true), (listing.Failure!.Kind, listing.Failure.IsNotRun));
        Assert.DoesNotContain("127.0.0.1", listing.Failure.Message, StringComparison.Ordinal);
        Assert.Empty(_mcp.Requests);
    }

    [Fact]
    public async Task Connect_SseNamesAnotherHost_SendsNothingThere()
    {
        await using var other = await RawMcpServer.StartAsync(_ => Task.FromResult(false));
        await using var raw = await RawMcpServer.StartAsync(async exchange =>
        {
            if (exchange.HttpMethod != "GET")
            {
                return false;
            }

            await exchange.EventAsync(new Uri(other.Endpoint, "/message").AbsoluteUri, "endpoint");
            await Until.TrueAsync(() => exchange.Context.RequestAborted.IsCancellationRequested);
            return true;
        });

        var listing = await _host.Pool.ListToolsAsync(
            _host.Server(raw.Endpoint, McpTransport.Sse, headers: ("Authorization", "Bearer secret")), Cancellation);

        Assert.Equal(McpFailureKind.Refused, listing.Failure?.Kind);
        Assert.Empty(other.Seen);
    }

    [Fact]
    public async Task Connect_ServerKeepsSilent_TimesOutAndIsTriedAnew()
    {
        _mcp.Fail(McpFault.Silence);
        var listing = _host.Pool.ListToolsAsync(Server, Cancellation);
        await Until.TrueAsync(() => _mcp.Requests.Count > 0);

        // Half of the time is for servers that do not know the first question.
        _host.Time.Advance(TimeSpan.FromSeconds(5));
        await Until.TrueAsync(() => Count("initialize") > 0);
        _host.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(
            new McpFailure(McpFailureKind.Timeout, null, "The server did not answer within 10 seconds.") { IsNotRun = true }, (await listing).Failure);
        _mcp.Recover();
        Assert.Null((await _host.Pool.ListToolsAsync(Server, Cancellation)).Failure);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task List_ServerKeepsSilent_TimesOut(bool streams)
    {
        _mcp.Fail(streams ? McpFault.SilentStream : McpFault.Silence, "tools/list");
        var listing = _host.Pool.ListToolsAsync(Server, Cancellation);
        await Until.TrueAsync(() => Count("tools/list") > 0);

        _host.Time.Advance(TimeSpan.FromSeconds(15));

        Assert.Equal(new McpFailure(McpFailureKind.Timeout, null, "The server did not answer within 15 seconds."), (await listing).Failure);
        await _host.ConnectionsAsync(0);
    }

    [Theory]
    [InlineData(HttpServerSessionMode.Stateful, McpTransport.Http)]
    [InlineData(HttpServerSessionMode.Stateless, McpTransport.Http)]
    [InlineData(HttpServerSessionMode.Stateful, McpTransport.Sse)]
    internal async Task Call_TakesTooLong_TimesOutAndTheServerLearnsIt(HttpServerSessionMode mode, McpTransport transport)
    {
        await using var mcp = await TestMcpServer.StartAsync(new TestMcpServerOptions { SessionMode = mode });
        using var held = new HeldMcpTool();
        mcp.Add(held.Tool);
        var call = CallAsync(_host.Server(transport == McpTransport.Sse ? mcp.SseEndpoint : mcp.Endpoint, transport), "held");
        await held.ReachedAsync(Cancellation);

        _host.Time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(new McpFailure(McpFailureKind.Timeout, null, "The server did not answer within 60 seconds."), (await call).Failure);
        await held.CancelledAsync(Cancellation);
        await _host.ConnectionsAsync(0);
    }

    [Theory]
    [InlineData(McpTransport.Http)]
    [InlineData(McpTransport.Sse)]
    internal async Task Call_CallerLeaves_TheServerLearnsItAndOthersGoOn(McpTransport transport)
    {
        using var held = new HeldMcpTool();
        _mcp.Add(held.Tool);
        var server = _host.Server(transport == McpTransport.Sse ? _mcp.SseEndpoint : _mcp.Endpoint, transport);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var leaver = _host.Pool.CallToolAsync(server, "held", default, null, leaving.Token);
        await held.ReachedAsync(Cancellation);
        var left = Assert.Single(_mcp.Calls).Message!["id"]!.ToJsonString();
        var other = CallAsync(server, "held");
        await held.ReachedAsync(Cancellation);

        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaver);
        await held.CancelledAsync(Cancellation);
        await Until.TrueAsync(() => Count("notifications/cancelled") > 0);
        Assert.Equal(left, Assert.Single(_mcp.Of("notifications/cancelled")).Params!["requestId"]!.ToJsonString());
        held.Release();
        Assert.Equal("released", (await other).Text);
        Assert.Equal(1, Count("initialize"));
    }

    [Fact]
    public async Task Call_CallerLeavesBeforeItsRequestIsAnswered_TheServerLearnsItToo()
    {
        using var held = new HeldMcpTool();
        _mcp.Add(held.Tool);
        _mcp.Fail(McpFault.Unanswered, "tools/call");
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var leaver = _host.Pool.CallToolAsync(_host.Server(_mcp.SseEndpoint, McpTransport.Sse), "held", default, null, leaving.Token);
        await held.ReachedAsync(Cancellation);

        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaver);
        await held.CancelledAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(10), Cancellation);
        Assert.Equal(
            Assert.Single(_mcp.Calls).Message!["id"]!.ToJsonString(),
            Assert.Single(_mcp.Of("notifications/cancelled")).Params!["requestId"]!.ToJsonString());
    }

    [Fact]
    public async Task Call_CancelledBefore_IsNotMade() =>
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _host.Pool.CallToolAsync(Server, "echo", default, null, new CancellationToken(canceled: true)));

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task Call_AnswerThatIsNoMcp_IsAProtocolFailure(string name, McpFault fault)
    {
        await CallAsync(Server, "echo");
        _mcp.Fail(fault, "tools/call");

        var outcome = await CallAsync(Server, "echo");

        Assert.True(outcome.Failure is { Kind: McpFailureKind.Protocol, IsNotRun: false }, $"{name}: {outcome.Failure}");
        Assert.Equal(2, _mcp.Calls.Count);
    }

    public static TheoryData<string, McpFault> Malformed() => new()
    {
        { nameof(McpFault.MalformedJson), McpFault.MalformedJson },
        { nameof(McpFault.NotJsonRpc), McpFault.NotJsonRpc },
        { nameof(McpFault.WebPage), McpFault.WebPage },
        { nameof(McpFault.EndedAnswer), McpFault.EndedAnswer },
    };

    [Theory]
    [InlineData("[]")]
    [InlineData("\"done\"")]
    [InlineData("null")]
    [InlineData("""{"structuredContent":{"results":[{"text":"\ud83d"}]}}""")]
    [InlineData("""{"structuredContent":{"\ud83d":1,"results":[]}}""")]
    [InlineData("""{"structuredContent":{"results":DEEP}}""")]
    public async Task Call_ResultThatCanNotBeRead_IsAProtocolFailure(string result)
    {
        result = result.Replace("DEEP", new string('[', 100) + new string(']', 100), StringComparison.Ordinal);
        await using var raw = await RawMcpServer.StartAsync(async exchange =>
        {
            if (exchange.Method != "tools/call")
            {
                return false;
            }

            await exchange.ResultAsync(result);
            return true;
        });

        Assert.Equal(McpFailureKind.Protocol, (await CallAsync(_host.Server(raw.Endpoint), "tool")).Failure?.Kind);
    }

    [Fact]
    public async Task Call_ResultAboveTheLimit_IsAProtocolFailure()
    {
        await using var host = new McpPoolHost(egress: egress => (egress.Egress.ResponseBytes, egress.Egress.EventBytes) = (10_000, 10_000));
        _mcp.Add(TestMcpTools.Huge(20_000));

        var outcome = await host.Pool.CallToolAsync(host.Server(_mcp.Endpoint), "huge", default, null, Cancellation);

        Assert.Equal(McpFailureKind.Protocol, outcome.Failure?.Kind);
        Assert.Single(_mcp.Calls);
    }

    [Fact]
    public async Task List_Pages_AreAllRead()
    {
        _mcp.RemoveTools().Add(TestMcpTools.Many(25));
        _mcp.PageSize = 10;

        var listing = await _host.Pool.ListToolsAsync(Server, Cancellation);

        Assert.Equal(TestMcpTools.Many(25).Select(tool => tool.Name), listing.Tools.Select(tool => tool.Name));
        Assert.Equal(3, Count("tools/list"));
    }

    [Fact]
    public async Task List_EndlessPages_AreAFailure()
    {
        _mcp.ListingNeverEnds = true;

        var listing = await _host.Pool.ListToolsAsync(Server, Cancellation);

        Assert.Equal("The list of the server's tools has more than 100 pages.", listing.Failure?.Message);
        Assert.Equal(100, Count("tools/list"));
    }

    [Fact]
    public async Task List_TooManyTools_IsAFailureThatIsNotKept()
    {
        _mcp.RemoveTools().Add(TestMcpTools.Many(513));
        Assert.Equal("The server has more than 512 tools.", (await _host.Pool.ListToolsAsync(Server, Cancellation)).Failure?.Message);

        _mcp.RemoveTools().Add(TestMcpTools.Many(512));

        Assert.Equal(512, (await _host.Pool.ListToolsAsync(Server, Cancellation)).Tools.Count);
        Assert.Equal(1, Count("initialize"));
    }

    [Fact]
    public async Task List_EntriesThatAreNoTools_AreLeftOutAndLogged()
    {
        _mcp.AddEntry(JsonNode.Parse("""{"name":"secret_name","inputSchema":"no"}""")).AddEntry(null).Add(TestMcpTools.Echo);

        var listing = await _host.Pool.ListToolsAsync(Server, Cancellation);

        Assert.Equal(4, listing.Tools.Count);
        var log = Assert.Single(_host.Logs.All, log => log.EventId.Id == 4100);
        Assert.Contains("'tools' lists 3 tool(s)", log.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret_name", _host.Logs.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sampling/createMessage")]
    [InlineData("elicitation/create")]
    [InlineData("roots/list")]
    public async Task Call_ServerAsksTheClient_IsToldNoAndAnswers(string method)
    {
        var refusal = new TaskCompletionSource<JsonObject>();
        await using var raw = await RawMcpServer.StartAsync(async exchange =>
        {
            if (exchange.Method == "tools/call")
            {
                await exchange.EventAsync($$$"""{"jsonrpc":"2.0","id":"question","method":"{{{method}}}","params":{}}""");
                var answer = await refusal.Task;
                await exchange.ResultEventAsync($$$"""{"content":[{"type":"text","text":"{{{answer["error"]!["code"]}}}"}]}""");
                return true;
            }

            if (exchange.Message?["id"]?.ToJsonString() == "\"question\"")
            {
                refusal.SetResult(exchange.Message!);
            }

            return false;
        });

        Assert.Equal("-32601", (await CallAsync(_host.Server(raw.Endpoint), "tool")).Text);
        Assert.Equal("{}", raw.Seen.First(exchange => exchange.Method == "initialize").Message!["params"]!["capabilities"]!.ToJsonString());
    }

    /// <summary>
    /// A server that knows its second session and has forgotten its first, in the words of servers that look sessions up in a map of their own, as
    /// the examples of the TypeScript SDK do.
    /// </summary>
    private static Task<RawMcpServer> StartForgettingAsync(string method, string result) => RawMcpServer.StartAsync(async exchange =>
    {
        if (exchange.Method != method)
        {
            return false;
        }

        await (exchange.SessionId == "1" ? exchange.ErrorAsync(400, -32000, "Bad Request: No valid session ID provided") : exchange.ResultAsync(result));
        return true;
    });

    private Task<McpCallOutcome> CallAsync(McpServer server, string tool, string arguments = "{}") =>
        _host.Pool.CallToolAsync(server, tool, Encoding.UTF8.GetBytes(arguments), session: null, Cancellation);

    private int Count(string method) => _mcp.Of(method).Count();
}
