using Gateway.Testing.Scripting;
using ModelContextProtocol.Protocol;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Facts 62 to 69 of the contract's checklist: tools of MCP servers, run by the gateway.</summary>
public sealed class McpFacts(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task McpCall_Streamed_HasTheEventsOfTheContractInOrder()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("Done."));

        var stream = await StreamAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal(
            [
                "response.created", "response.in_progress", "response.output_item.added", "response.mcp_list_tools.in_progress",
                "response.mcp_list_tools.completed", "response.output_item.done", "response.output_item.added", "response.mcp_call.in_progress",
                "response.mcp_call_arguments.delta", "response.mcp_call_arguments.done", "response.mcp_call.completed", "response.output_item.done",
                "response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.done",
                "response.content_part.done", "response.output_item.done", "response.completed",
            ],
            stream.Types);
        var call = stream.Final.At("output[1]");
        Assert.Equal(("srv", "echo", "completed", "Echo: hi"), (call.Text("server_label"), call.Text("name"), call.Text("status"), call.Text("output")));
        Assert.Equal(36, stream.Final.Number("usage.total_tokens"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task McpCall_InSecondRound_IsSeenByTheModel(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);

        Assert.Equal(["mcp_list_tools", "mcp_call", "message"], response.Types("output"));
        Assert.Equal(["user: Go", """assistant: srv__echo({"message":"hi"})""", "tool: Echo: hi"], Prompt);
        Assert.Equal("Done.", response.OutputText());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fact62_MixedRound_RunsServerCallsAndReturnsClientCalls(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")), ("get_weather", """{"city":"Oslo"}""")));

        var response = await CreateAsync(
            $$$"""{"input":"Go","tools":[{{{Mcp()}}},{"type":"function","name":"get_weather","parameters":{"type":"object"}}]}""", streamed);

        Assert.Equal(("completed", 1), (response.Text("status"), Server.Calls.Count));
        Assert.Equal(["mcp_list_tools", "mcp_call", "function_call"], response.Types("output"));
        Assert.Single(Upstream.Calls);

        await CreateAsync($$"""
            {"previous_response_id":"{{response.Text("id")}}","tools":[{{Mcp()}}],
             "input":[{"type":"function_call_output","call_id":"{{response.Text("output[2].call_id")}}","output":"rain"}]}
            """);

        Assert.Equal(
            ["user: Go", """assistant: srv__echo({"message":"hi"}) get_weather({"city":"Oslo"})""", "tool: Echo: hi", "tool: rain"], Prompt);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public async Task Fact63_MaxToolCalls_OpenAi_AnswersWithoutTools(int limit)
    {
        await StartAsync();
        var n = 0;
        Upstream.Default = request => request["tools"] is null
            ? ChatAnswer.Say("Enough.").For(request)
            : Calls(("srv__echo", Echo($"{n++}"))).For(request);

        var response = await CreateAsync($$"""{"input":"Go","max_tool_calls":{{limit}},"tools":[{{Mcp()}}]}""");

        Assert.Equal(limit, Server.Calls.Count);
        Assert.Equal(("completed", "Enough.", limit), (response.Text("status"), response.OutputText(), response.Number("max_tool_calls")));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public async Task Fact63_MaxToolCalls_Fireworks_EndsIncomplete(int limit)
    {
        await StartAsync();
        var n = 0;
        Upstream.Default = request => Calls(("srv__echo", Echo($"{n++}"))).For(request);

        var reply = await PostAsync(
            WithModel($$"""{"input":"Go","max_tool_calls":{{limit}},"tools":[{{Mcp()}}]}"""), path: "/inference/v1/responses");

        var response = reply.AssertOk();
        Assert.Equal(limit, Server.Calls.Count);
        Assert.Equal(("incomplete", "max_tool_calls"), (response.Text("status"), response.Text("incomplete_details.reason")));
        Assert.Equal(["message", .. Enumerable.Repeat<string[]>(["mcp_call", "tool_output"], limit).SelectMany(pair => pair)], response.Types("output"));
    }

    [Fact]
    public async Task Fact63_RoundThatAsksForMoreThanIsLeft_RunsTheFirstOnes()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("a")), ("srv__echo", Echo("b")), ("srv__echo", Echo("c")))).Enqueue(ChatAnswer.Say("Enough."));

        var response = await CreateAsync($$"""{"input":"Go","max_tool_calls":2,"tools":[{{Mcp()}}]}""");

        Assert.Equal(["Echo: a", "Echo: b"], response.Each("output").Where(item => item.Text("type") == "mcp_call").Select(item => item.Text("output")));
        Assert.Equal(2, Server.Calls.Count);
        Assert.Equal(
            ["tool: Echo: a", "tool: Echo: b", "tool: The tool call limit is reached: this call was not made. Answer with what you have."],
            Prompt.Where(line => line.StartsWith("tool", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Fact64_List_HappensOncePerLabelAndChain()
    {
        await StartAsync(("Gateway:Tools:Mcp:ListAge", "00:00:01"));
        var first = await CreateAsync($$"""{"input":"One","tools":[{{Mcp()}}]}""");
        Server.Reset();

        var second = await CreateAsync($$"""{"input":"Two","previous_response_id":"{{first.Text("id")}}","tools":[{{Mcp()}}]}""");

        Assert.Equal(["message"], second.Types("output"));
        Assert.Empty(Server.Of(RequestMethods.ToolsList));
        Assert.Contains(Upstream.LastCall.Body["tools"]!.AsArray(), tool => (string?)tool!["function"]!["name"] == "srv__echo");
    }

    [Theory]
    [InlineData("""["add"]""", "srv__add")]
    [InlineData("""{"tool_names":["echo","failing"],"read_only":true}""", "srv__echo")]
    public async Task Fact65_AllowedTools_HoldOnListAndOnCall(string allowed, string offered)
    {
        await StartAsync();
        Upstream.Enqueue(Calls((offered == "srv__add" ? "srv__echo" : "srv__add", Echo("hi")))).Enqueue(ChatAnswer.Say("Then not."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp(more: $",\"allowed_tools\":{allowed}")}}]}""");

        Assert.Equal([offered], Upstream.Calls[0].Body["tools"]!.AsArray().Select(tool => (string?)tool!["function"]!["name"]));
        Assert.Empty(Server.Calls);
        Assert.Equal([offered["srv__".Length..]], response.Each("output[0].tools").Select(tool => tool.Text("name")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fact66_ApprovedCall_RunsOnce(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))));
        var asked = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp(approval: "always")}}]}""", streamed);
        Assert.Equal(["mcp_list_tools", "mcp_approval_request"], asked.Types("output"));
        Assert.Equal(("completed", 0), (asked.Text("status"), Server.Calls.Count));
        var approval = asked.Text("output[1].id");
        var answer = $$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{Mcp(approval: "always")}}],
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{approval}}","approve":true}]}
            """;

        var response = await CreateAsync(answer, streamed);

        Assert.Equal(["mcp_call", "message"], response.Types("output"));
        Assert.Equal((approval, "Echo: hi"), (response.Text("output[0].approval_request_id"), response.Text("output[0].output")));
        Assert.Equal(["user: Go", """assistant: srv__echo({"message":"hi"})""", "tool: Echo: hi"], Prompt);
        (await PostAsync(WithModel(answer))).AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Single(Server.Calls);
    }

    [Fact]
    public async Task Fact66_RefusedCall_NeverRuns()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))));
        var asked = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp(approval: "always")}}]}""");

        var response = await CreateAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{Mcp(approval: "always")}}],
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Text("output[1].id")}}","approve":false,"reason":"Too loud"}]}
            """);

        Assert.Equal(["message"], response.Types("output"));
        Assert.Equal(["user: Go", """assistant: srv__echo({"message":"hi"})""", "tool: The user declined this tool call: Too loud"], Prompt);
        Assert.Empty(Server.Calls);
    }

    [Fact]
    public async Task Fact66_UnknownApproval_Is400()
    {
        await StartAsync();

        var reply = await PostAsync(WithModel($$"""
            {"tools":[{{Mcp()}}],"input":[{"type":"mcp_approval_response","approval_request_id":"mcpr_none","approve":true}]}
            """));

        reply.AssertError(400, "invalid_value", "input[0].approval_request_id");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fact67_ToolError_IsToldAndTheLoopGoesOn(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__failing", "{}"))).Enqueue(ChatAnswer.Say("It failed."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);

        Assert.Equal(("failed", "The tool failed."), (response.Text("output[1].status"), response.Text("output[1].error")));
        Assert.Equal("tool: The tool failed.", Prompt.Last());
        Assert.Equal("It failed.", response.OutputText());
    }

    [Fact]
    public async Task Fact69_RequiredChoice_IsRelaxedAfterTheFirstServerRound()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("Done."));

        await CreateAsync($$"""{"input":"Go","tool_choice":"required","tools":[{{Mcp()}}]}""");

        Assert.Equal("required", (string?)Upstream.Calls[0].Body["tool_choice"]);
        Assert.NotEqual("required", (string?)Upstream.Calls[1].Body["tool_choice"]);
    }
}
