using System.Text;
using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using Gateway.Tools.Mcp;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Whatever tool servers do, the response goes on, and whatever the upstream does, no tool runs twice.</summary>
public sealed class ToolFailureTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private static readonly Dictionary<string, McpFault> Faults = new()
    {
        ["cut"] = McpFault.CutAnswer,
        ["ended"] = McpFault.EndedAnswer,
        ["malformed"] = McpFault.MalformedJson,
        ["not JSON-RPC"] = McpFault.NotJsonRpc,
        ["web page"] = McpFault.WebPage,
        ["reset"] = McpFault.Reset,
        ["500"] = McpFault.Status(500),
        ["403"] = McpFault.Status(403),
    };

    public static TheoryData<string, bool> CallFaults => [.. Faults.Keys.SelectMany(fault => (TheoryDataRow<string, bool>[])[(fault, true), (fault, false)])];

    [Theory]
    [MemberData(nameof(CallFaults))]
    public async Task CallThatBreaks_FailsOnceAndTheLoopGoesOn(string fault, bool streamed)
    {
        await StartAsync();
        Server.Fail(Faults[fault], RequestMethods.ToolsCall);
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))), ChatAnswer.Say("It broke."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);

        AssertFailedCall(response);
        Assert.Equal("It broke.", response.OutputText());
        Assert.Single(Server.Calls);
    }

    [Fact]
    public async Task ProtocolError_IsToldInTheServersWords()
    {
        await StartAsync();
        Server.Add(TestMcpTools.Throwing);
        Upstream.Enqueue(Calls(("srv__throwing", "{}")), ChatAnswer.Say("It broke."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal("MCP error -32603: The server failed.", response.Text("output[1].error"));
        AssertFailedCall(response);
    }

    [Fact]
    public async Task ServerGoneBetweenListAndCall_FailsTheCall()
    {
        await StartAsync();
        var listed = await CreateAsync($$"""{"input":"One","tools":[{{Mcp()}}]}""");
        await Server.StopAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))), ChatAnswer.Say("It is gone."));

        var response = await CreateAsync($$"""{"input":"Two","previous_response_id":"{{listed.Text("id")}}","tools":[{{Mcp()}}]}""");

        Assert.Equal(("failed", "It is gone."), (response.Text("output[0].status"), response.OutputText()));
    }

    [Fact]
    public async Task ServerBackAfterAStop_ServesTheChainAgain()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))), ChatAnswer.Say("One."));
        var first = await CreateAsync($$"""{"input":"One","tools":[{{Mcp()}}]}""");
        await Server.StopAsync();
        await Server.StartAgainAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("b"))), ChatAnswer.Say("Two."));

        var second = await CreateAsync($$"""{"input":"Two","previous_response_id":"{{first.Text("id")}}","tools":[{{Mcp()}}]}""");

        Assert.Equal("Echo: b", second.Text("output[0].output"));
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"content":"text"}""")]
    [InlineData("""{"content":[{"type":"text"}]}""")]
    [InlineData("""{"content":[{"type":"hologram","data":"x"}]}""")]
    [InlineData("""{"content":[null,7]}""")]
    [InlineData("""{"content":[],"isError":"yes"}""")]
    public async Task OddResult_IsReadAsFarAsItGoes(string result)
    {
        await StartAsync();
        Server.Add(TestMcpTools.Raw("odd", result));
        Upstream.Enqueue(Calls(("srv__odd", "{}")), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal("Done.", response.OutputText());
        Assert.StartsWith("tool: ", Prompt.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task EveryKindOfContent_IsReadableForTheModel()
    {
        await StartAsync();
        Server.Add(TestMcpTools.EveryContent, TestMcpTools.Empty);
        Upstream.Enqueue(Calls(("srv__every_content", "{}"), ("srv__empty", "{}")), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        var output = response.Text("output[1].output")!;
        Assert.Equal(
            ["Some text", "[image image/png, 68 bytes]", "[audio audio/wav, 44 bytes]", "[resource link test://files/1, text/plain] one.txt", "[resource test://texts/1]", "Embedded text"],
            output.Split('\n')[..6]);
        Assert.Equal([$"tool: {output}", "tool: "], Prompt.TakeLast(2));
    }

    [Fact]
    public async Task AnswerBeyondTheLimit_FailsTheCall()
    {
        await StartAsync(("Gateway:Tools:Egress:ResponseBytes", "65536"), ("Gateway:Tools:Egress:EventBytes", "65536"), ("Gateway:Tools:Images:ImageBytes", "65536"));
        Server.Add(TestMcpTools.Huge(1_000_000));
        Upstream.Enqueue(Calls(("srv__huge", "{}")), ChatAnswer.Say("Too much."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        AssertFailedCall(response);
        Assert.Equal("Too much.", response.OutputText());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task CallThatFailsByABug_FailsAndTheLoopGoesOn(bool streamed)
    {
        await StartAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream) with { ConfigureServices = services => services.AddSingleton<IMcpClientPool, BrokenPool>() });
        Gateway.AllowedErrors = log => log.EventId.Id == 4000;
        Upstream.Enqueue(Calls(("srv__echo", Echo("words of the user"))), ChatAnswer.Say("It broke."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp().Replace("127.0.0.1", "93.184.215.14", StringComparison.Ordinal)}}]}""", streamed);

        AssertFailedCall(response);
        Assert.Equal("The gateway could not make this call.", response.Text("output[1].error"));
        Assert.Equal("It broke.", response.OutputText());
        Assert.Contains("InvalidOperationException", Assert.Single(Gateway.Logs.Errors).Message, StringComparison.Ordinal);
        Assert.DoesNotContain("words of the user", Gateway.Logs.Text, StringComparison.Ordinal);
        Assert.Equal(["failed"], Gateway.Metrics.Of("gateway.tool.call.duration").Select(m => (string?)m.Tags["outcome"]));
    }

    [Fact]
    public async Task ListFailure_NotStreamed_IsAFailedDependency()
    {
        await StartAsync();
        Server.RequiredBearer = "right";

        var reply = await PostAsync(WithModel($$"""{"input":"Go","tools":[{{Mcp()}}]}"""));

        reply.AssertError(424, "http_error", "tools", "external_connector_error");
        Assert.Equal("Error retrieving tool list from MCP server: 'srv'. Http status code: 401 (Unauthorized)", reply.Json.Text("error.message"));
        Assert.Empty(Upstream.Calls);
        Assert.Empty((await GetAsync("/v1/responses")).AssertOk().Each("data"));
    }

    [Fact]
    public async Task ListFailure_Streamed_IsToldAndFailsTheResponse()
    {
        await StartAsync();
        Server.RequiredBearer = "right";

        var stream = await StreamAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal(
            [
                "response.created", "response.in_progress", "response.output_item.added", "response.mcp_list_tools.in_progress",
                "response.mcp_list_tools.failed", "response.output_item.done", "response.failed",
            ],
            stream.Types);
        const string message = "Error retrieving tool list from MCP server: 'srv'. Http status code: 401 (Unauthorized)";
        Assert.Equal((message, 0), (stream.Final.Text("output[0].error"), stream.Final.At("output[0].tools").GetArrayLength()));
        Assert.Equal(("http_error", message), (stream.Final.Text("error.code"), stream.Final.Text("error.message")));
        Assert.Empty(Upstream.Calls);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ListFailure_ByOption_LeavesThatServerOut(bool streamed)
    {
        await StartAsync(("Gateway:Tools:OnListFailure", "Continue"));
        var gone = Own(await TestMcpServer.StartAsync());
        var endpoint = Mcp("gone", server: gone);
        await gone.StopAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{endpoint}},{{Mcp()}}]}""", streamed);

        Assert.Equal(["mcp_list_tools", "mcp_list_tools", "mcp_call", "message"], response.Types("output"));
        Assert.StartsWith("Error retrieving tool list from MCP server: 'gone'.", response.Text("output[0].error"), StringComparison.Ordinal);
        Assert.Null(response.Find("output[1].error"));
        Assert.Equal("Echo: hi", response.Text("output[2].output"));

        await gone.StartAgainAsync();
        var next = await CreateAsync($$"""{"input":"More","previous_response_id":"{{response.Text("id")}}","tools":[{{endpoint}},{{Mcp()}}]}""", streamed);
        Assert.Equal("gone", next.Text("output[0].server_label"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task UpstreamFailureInALaterRound_IsTriedElsewhereWithoutRunningAToolAgain(bool streamed)
    {
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo);
        await UseOwnUpstreamAsync();
        await using var second = await ScriptedUpstream.StartAsync();
        Upstream.Default = second.Default = request => request["messages"]!.AsArray().Count switch
        {
            1 => Calls(("srv__echo", Echo("hi"))).For(request),
            _ when Upstream.Calls.Count + second.Calls.Count == 2 => ChatScript.Of(503, """{"error":{"message":"Overloaded"}}"""),
            _ => ChatAnswer.Say("Done.").For(request),
        };
        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream, ("Gateway:Tools:AllowedHosts:0", "127.0.0.1"), ("Gateway:Upstreams:main:Addresses:0", Upstream.Address.AbsoluteUri),
            ("Gateway:Upstreams:main:Addresses:1", second.Address.AbsoluteUri)) with
        { Upstreams = new Dictionary<string, Uri>() });

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);

        Assert.Equal(["mcp_list_tools", "mcp_call", "message"], response.Types("output"));
        Assert.Equal(("Done.", 1, 3), (response.OutputText(), Server.Calls.Count, Upstream.Calls.Count + second.Calls.Count));
        Assert.NotEmpty(Upstream.Calls);
        Assert.NotEmpty(second.Calls);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task UpstreamThatBreaksInALaterRound_FailsTheResponseAndKeepsWhatTheToolsDid(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")))).Default = _ => new ChatStream().Role().Text("Hal").Reset().ToScript();

        var response = streamed
            ? (await StreamAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""")).Final
            : (await PostAsync(WithModel($$"""{"input":"Go","tools":[{{Mcp()}}]}"""))).AssertOk();

        Assert.Equal("failed", response.Text("status"));
        Assert.Equal(("completed", "Echo: hi"), (response.Text("output[1].status"), response.Text("output[1].output")));
        Assert.Single(Server.Calls);
        Assert.Equal(response.At("output").GetRawText(), (await GetAsync("/v1/responses/" + response.Text("id"))).AssertOk().At("output").GetRawText());
    }

    [Theory]
    [InlineData("srv__echo", """{"message":"hi"}""", "false")]
    [InlineData("web_search", """{"query":"cats"}""", "false")]
    [InlineData("", "", null)]
    public async Task ResponseThatIsNotKept_TellsClientsNotToRetry_WhenToolsHaveRun(string tool, string arguments, string? shouldRetry)
    {
        var redis = Own(await RedisProcess.StartAsync());
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream, ("Gateway:Tools:AllowedHosts:0", "127.0.0.1"), ("Gateway:Store:CommandTimeout", "00:00:00.5"),
            ("Gateway:Tools:Servers:own:Url", Server.Endpoint.AbsoluteUri), ("Gateway:Tools:Bindings:web_search:Server", "own"), ("Gateway:Tools:Bindings:web_search:Tool", "echo")) with
        { Redis = redis.EndPoint });
        Gateway.AllowedErrors = log => log.Category.StartsWith("Gateway.Store", StringComparison.Ordinal);
        var last = ChatAnswer.Say("Done.").ToJson();
        last = last with { Steps = [new HoldStep(), .. last.Steps] };
        Upstream.Enqueue(tool.Length == 0 ? [last] : [Calls((tool, arguments)).ToJson(), last]);
        var reply = PostAsync(WithModel($$"""{"input":"Go","tools":[{{Mcp()}},{"type":"web_search"}]}"""));
        await last.Hold.Reached;

        await redis.KillAsync();
        last.Hold.Release();

        (await reply).AssertError(503, "store_unavailable", null, "server_error");
        Assert.Equal(shouldRetry, (await reply).Headers.TryGetValues("x-should-retry", out var values) ? string.Join(',', values) : null);
        Assert.Equal(tool.Length == 0 ? 0 : 1, Server.Calls.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ClientThatLeavesDuringACall_CancelsItAndStoresNothing(bool streamed)
    {
        await StartAsync();
        using var held = new HeldMcpTool();
        Server.Add(held.Tool);
        Upstream.Enqueue(Calls(("srv__held", "{}"), ("srv__held", """{"n":1}""")));
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        using var content = new StringContent(
            WithModel($$"""{"input":"Go","stream":{{(streamed ? "true" : "false")}},"tools":[{{Mcp()}}]}"""), Encoding.UTF8, "application/json");
        var request = Gateway.Client.PostAsync("/v1/responses", content, leave.Token);
        await held.ReachedAsync(Cancellation);
        await held.ReachedAsync(Cancellation);

        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await held.CancelledAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(20));
        await held.CancelledAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Single(Upstream.Calls);
        Assert.Empty((await GetAsync("/v1/responses")).AssertOk().Each("data"));
        Assert.Equal(["cancelled", "cancelled"], Gateway.Metrics.Of("gateway.tool.call.duration").Select(m => (string?)m.Tags["outcome"]));
    }

    [Fact]
    public async Task SlowTool_KeepsTheClientsConnectionAlive()
    {
        await StartAsync(("Gateway:Limits:KeepAliveInterval", "00:00:01"));
        using var held = new HeldMcpTool();
        Server.Add(held.Tool);
        Upstream.Enqueue(Calls(("srv__held", "{}")), ChatAnswer.Say("Done."));
        using var response = await OpenStreamAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation), Encoding.UTF8);
        var body = new StringBuilder();
        await held.ReachedAsync(Cancellation);

        string? line;
        do
        {
            line = await reader.ReadLineAsync(Cancellation).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            body.Append(line).Append('\n');
        }
        while (!line!.StartsWith(':'));

        held.Release();
        body.Append(await reader.ReadToEndAsync(Cancellation));
        var stream = ResponseStream.Parse(body.ToString());
        Assert.Equal(("released", "Done."), (stream.Final.Text("output[1].output"), stream.Text));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task RoundThatWasCut_RunsNothingAndTheChainGoesOn(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("whole")), ("srv__echo", """{"message":"ha""")) with { FinishReason = "length" });

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);

        Assert.Equal(("incomplete", "max_output_tokens", 0), (response.Text("status"), response.Text("incomplete_details.reason"), Server.Calls.Count));
        Assert.Equal(["mcp_list_tools", "mcp_call"], response.Types("output"));
        await CreateAsync($$"""{"input":"More","previous_response_id":"{{response.Text("id")}}","tools":[{{Mcp()}}]}""");
        Assert.Equal(["user: Go", "user: More"], Prompt);
    }

    [Fact]
    public async Task RoundThatWasCutInACallOfNoTool_EndsTheResponse()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__nothing", "{}")) with { FinishReason = "length" });

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Single(Upstream.Calls);
        Assert.Equal(("incomplete", "max_output_tokens"), (response.Text("status"), response.Text("incomplete_details.reason")));
    }

    [Fact]
    public async Task UnknownTool_IsToldTheModelAndTheLoopGoesOn()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__nothing", "{}"), ("srv__echo", Echo("hi"))), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal(["mcp_list_tools", "mcp_call", "message"], response.Types("output"));
        Assert.Equal(["tool: There is no tool 'srv__nothing'.", "tool: Echo: hi"], Prompt.TakeLast(2));
    }

    [Theory]
    [InlineData("[1]")]
    [InlineData("7")]
    [InlineData("{\"message\":")]
    [InlineData("{} {}")]
    [InlineData("not JSON")]
    public async Task ArgumentsThatAreNoObject_FailTheCallWithoutMakingIt(string arguments)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", arguments)), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal(("failed", "The arguments are not a JSON object."), (response.Text("output[1].status"), response.Text("output[1].error")));
        Assert.Equal(["assistant: srv__echo({})", "tool: The arguments are not a JSON object."], Prompt.TakeLast(2));
        Assert.Empty(Server.Calls);
    }

    /// <summary>Lists one tool, and breaks its promise when it is called.</summary>
    private sealed class BrokenPool : IMcpClientPool
    {
        public Task<McpListing> ListToolsAsync(McpServer server, CancellationToken cancellationToken) =>
            Task.FromResult(new McpListing([new McpTool("echo", null, Encoding.UTF8.GetBytes("{}"), default, false, false)], null));

        public Task<McpCallOutcome> CallToolAsync(
            McpServer server, string tool, ReadOnlyMemory<byte> argumentsJson, string? session, CancellationToken cancellationToken) =>
            throw new InvalidOperationException(Encoding.UTF8.GetString(argumentsJson.Span));
    }

    private void AssertFailedCall(JsonElement response)
    {
        Assert.Equal(["mcp_list_tools", "mcp_call", "message"], response.Types("output"));
        Assert.Equal(("failed", JsonValueKind.Null), (response.Text("output[1].status"), response.At("output[1].output").ValueKind));
        Assert.Equal($"tool: {response.Text("output[1].error")}", Prompt.Last());
        Assert.True(Prompt.Last().Length > "tool: ".Length);
    }
}
