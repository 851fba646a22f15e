using System.Text.Json;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Tools;

/// <summary>
/// What the model sees only grows: the messages of each round begin with those of the round before, byte for byte, and the next request of the
/// chain goes on from there. Servers find the beginning in their caches, and the model never reads another past than it had.
/// </summary>
public sealed class PromptTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";

    [Fact]
    public async Task SingleCallsOneAfterAnother_Grow()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))), Calls(("srv__add", """{"a":1,"b":2}""")), Calls(("srv__failing", "{}")), ChatAnswer.Say("Done."));

        await GoOnAsync(await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}"""));

        AssertGrows(5);
        Assert.Equal(["user", "assistant", "tool", "assistant", "tool", "assistant", "tool", "assistant", "user"], Upstream.LastCall.Roles);
    }

    [Fact]
    public async Task ParallelCalls_StayInOneMessage()
    {
        await StartAsync();
        Upstream.Enqueue(
            Calls(("srv__echo", Echo("a")), ("srv__echo", Echo("b"))), Calls(("srv__echo", Echo("c")), ("srv__add", """{"a":1,"b":2}""")), ChatAnswer.Say("Done."));

        await GoOnAsync(await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}"""));

        AssertGrows(4);
        Assert.Equal(["user", "assistant", "tool", "tool", "assistant", "tool", "tool", "assistant", "user"], Upstream.LastCall.Roles);
    }

    [Fact]
    public async Task TextAndReasoningBetweenCalls_Grow()
    {
        await StartAsync();
        Upstream.Enqueue(
            Calls(("srv__echo", Echo("a"))) with { Text = "First.", Reasoning = "Hm." },
            Calls(("srv__echo", Echo("b"))),
            Calls(("srv__echo", Echo("c"))) with { Reasoning = "So." },
            Calls(("srv__echo", Echo("d"))) with { Text = "And then." },
            ChatAnswer.Say("Done."));

        await GoOnAsync(await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}"""));

        AssertGrows(6);
    }

    [Theory]
    [InlineData("functions.srv__echo:0")]
    [InlineData("chatcmpl-tool-8c3b0d7e")]
    [InlineData("call_0")]
    public async Task IdsOfTheUpstream_ComeBackToTheLetter(string id)
    {
        await StartAsync();
        Upstream.Enqueue(
            ChatAnswer.Call(new ChatToolCall(id, "srv__echo", Echo("a"))), ChatAnswer.Call(new ChatToolCall(id, "srv__echo", Echo("b"))), ChatAnswer.Say("Done."));

        await GoOnAsync(await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}"""));

        AssertGrows(4);
        Assert.Equal(
            [id, id], Upstream.LastCall.Messages.Where(message => (string?)message!["role"] == "tool").Select(message => (string?)message!["tool_call_id"]));
    }

    [Fact]
    public async Task CallOfTheClientAfterAServerRound_IsAMessageOfItsOwn()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))), Calls(("get_weather", "{}")), ChatAnswer.Say("Done."));
        var first = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}},{{Weather}}]}""");

        await AnswerAsync(first, "output[2].call_id");

        AssertGrows(3);
        Assert.Equal(["user", "assistant", "tool", "assistant", "tool"], Upstream.LastCall.Roles);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task MixedRoundAfterAServerRound_IsAMessageOfItsOwnInTheModelsOrder(bool clientFirst)
    {
        await StartAsync();
        (string, string)[] mixed = [("get_weather", "{}"), ("srv__echo", Echo("b"))];
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))), Calls(clientFirst ? mixed : mixed.Reverse()), ChatAnswer.Say("Done."));
        var first = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}},{{Weather}}]}""");
        Assert.Equal(
            clientFirst ? ["mcp_list_tools", "mcp_call", "function_call", "mcp_call"] : ["mcp_list_tools", "mcp_call", "mcp_call", "function_call"],
            first.Types("output"));

        await AnswerAsync(first, clientFirst ? "output[2].call_id" : "output[3].call_id");

        AssertGrows(3);
        string[] calls = ["get_weather({})", """srv__echo({"message":"b"})"""];
        string[] outputs = ["tool: rain", "tool: Echo: b"];
        Assert.Equal(
            [
                "user: Go", """assistant: srv__echo({"message":"a"})""", "tool: Echo: a",
                $"assistant: {string.Join(' ', clientFirst ? calls : calls.Reverse())}", .. clientFirst ? outputs : outputs.Reverse(),
            ],
            Prompt);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AskedCallAfterAServerRound_StandsWhereTheModelMadeIt(bool approve)
    {
        await StartAsync();
        var server = MoreMcp("""{"never":{"tool_names":["add"]}}""");
        Upstream.Enqueue(
            Calls(("srv__add", """{"a":1,"b":2}""")),
            ChatAnswer.Call(new ChatToolCall("functions.srv__echo:1", "srv__echo", Echo("b"))),
            Calls(("srv__add", """{"a":3,"b":4}""")),
            ChatAnswer.Say("Done."));
        var asked = await CreateAsync($$"""{"input":"Go","tools":[{{server}}]}""");
        Assert.Equal(["mcp_list_tools", "mcp_call", "mcp_approval_request"], asked.Types("output"));

        var answered = await CreateAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{server}}],
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Text("output[2].id")}}","approve":{{(approve ? "true" : "false")}}}]}
            """);
        await GoOnAsync(answered, server);

        AssertGrows(5);
        Assert.Equal(
            [
                "user: Go", """assistant: srv__add({"a":1,"b":2})""", "tool: 3", """assistant: srv__echo({"message":"b"})""",
                approve ? "tool: Echo: b" : "tool: The user declined this tool call.", """assistant: srv__add({"a":3,"b":4})""", "tool: 7", "assistant: Done.", "user: More",
            ],
            Prompt);
        Assert.Equal("functions.srv__echo:1", (string?)Upstream.LastCall.Messages[3]!["tool_calls"]![0]!["id"]);
        Assert.Equal("functions.srv__echo:1", (string?)Upstream.LastCall.Messages[4]!["tool_call_id"]);
    }

    [Fact]
    public async Task AskedAndUnaskedCallsInOneRound_StayInOneMessage()
    {
        await StartAsync();
        var server = MoreMcp("""{"never":{"tool_names":["add"]}}""");
        Upstream.Enqueue(Calls(("srv__add", """{"a":1,"b":2}"""), ("srv__echo", Echo("b")), ("srv__add", """{"a":3,"b":4}""")), ChatAnswer.Say("Done."));
        var asked = await CreateAsync($$"""{"input":"Go","tools":[{{server}}]}""");
        Assert.Equal(["mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_call"], asked.Types("output"));

        await GoOnAsync(
            await CreateAsync($$"""
                {"previous_response_id":"{{asked.Text("id")}}","tools":[{{server}}],
                 "input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Text("output[2].id")}}","approve":true}]}
                """),
            server);

        AssertGrows(3);
        Assert.Equal(
            [
                "user: Go", """assistant: srv__add({"a":1,"b":2}) srv__echo({"message":"b"}) srv__add({"a":3,"b":4})""", "tool: 3", "tool: Echo: b", "tool: 7",
                "assistant: Done.", "user: More",
            ],
            Prompt);
    }

    [Fact]
    public async Task CallWithoutAnItem_LeavesTheRoundsApart()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))), Calls(("srv__nothing", "{}"), ("srv__echo", Echo("b"))), ChatAnswer.Say("Done."));

        await GoOnAsync(await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}"""));

        Assert.Equal(
            ["user: Go", """assistant: srv__echo({"message":"a"})""", "tool: Echo: a", """assistant: srv__echo({"message":"b"})""", "tool: Echo: b", "assistant: Done.", "user: More"],
            Prompt);
    }

    [Fact]
    public async Task HostedCalls_ShowTheirOutputsAgain()
    {
        await StartAsync(server => [
            ("Gateway:Tools:Servers:own:Url", server.Endpoint.AbsoluteUri),
            ("Gateway:Tools:Bindings:web_search:Server", "own"),
            ("Gateway:Tools:Bindings:web_search:Tool", "echo"),
            ("Gateway:Tools:Bindings:web_search:Arguments:message", "query"),
        ]);
        Upstream.Enqueue(
            ChatAnswer.Call(new ChatToolCall("functions.web_search:0", "web_search", """{"query":"cats"}""")),
            Calls(("web_search", """{"query":"dogs"}"""), ("web_search", """{"query":"birds"}""")),
            ChatAnswer.Say("Done."));
        const string tools = """{"type":"web_search"}""";

        await GoOnAsync(await CreateAsync($$"""{"input":"Go","tools":[{{tools}}]}"""), tools);

        AssertGrows(4);
        Assert.Equal(["tool: Echo: cats", "tool: Echo: dogs", "tool: Echo: birds"], Prompt.Where(line => line.StartsWith("tool", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task CallAcrossThreeResponses_Grows()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))), ChatAnswer.Say("One."), Calls(("srv__echo", Echo("b"))), Calls(("srv__echo", Echo("c"))), ChatAnswer.Say("Two."));

        var first = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");
        var second = await CreateAsync($$"""{"input":"And","previous_response_id":"{{first.Text("id")}}","tools":[{{Mcp()}}]}""");
        await GoOnAsync(second);

        AssertGrows(6);
    }

    /// <summary>The server, with this <c>require_approval</c>.</summary>
    private string MoreMcp(string approval) =>
        $$"""{"type":"mcp","server_label":"srv","server_url":"{{Server.Endpoint}}","require_approval":{{approval}}}""";

    private Task<JsonElement> GoOnAsync(JsonElement response, string? tools = null) =>
        CreateAsync($$"""{"input":"More","previous_response_id":"{{response.Text("id")}}","tools":[{{tools ?? Mcp()}}]}""");

    private Task<JsonElement> AnswerAsync(JsonElement response, string callId) => CreateAsync($$"""
        {"previous_response_id":"{{response.Text("id")}}","tools":[{{Mcp()}},{{Weather}}],
         "input":[{"type":"function_call_output","call_id":"{{response.Text(callId)}}","output":"rain"}]}
        """);

    /// <summary>There were so many calls of the upstream, and the messages of each begin with those of the one before.</summary>
    private void AssertGrows(int calls)
    {
        Assert.Equal(calls, Upstream.Calls.Count);
        var prompts = Upstream.Calls.Select(call => call.Messages.Select(message => message!.ToJsonString()).ToArray()).ToArray();
        for (var i = 1; i < prompts.Length; i++)
        {
            Assert.True(prompts[i].Length > prompts[i - 1].Length, $"Call {i} says nothing new.");
            Assert.Equal(prompts[i - 1], prompts[i][..prompts[i - 1].Length]);
        }
    }
}
