using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.FunctionalTests.Tools;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;
using ModelContextProtocol.Protocol;

namespace Gateway.FunctionalTests.Fireworks;

/// <summary>Fact 88 of the contract's checklist, and what its section 3.5 says of server-run tools in Fireworks' dialect.</summary>
public sealed class FireworksToolFacts(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Path = "/inference/v1/responses";

    /// <summary>What the dialect derives from the server's address.</summary>
    private string Label => $"127_0_0_1_{Server.Endpoint.Port}";

    [Theory]
    [InlineData("sse", true, false)]
    [InlineData("sse", true, true)]
    [InlineData("sse", false, false)]
    [InlineData("mcp", true, false)]
    [InlineData("mcp", false, true)]
    public async Task Fact88_SseTool_WorksOverTheTransportThatTheServerSpeaks(string type, bool legacy, bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls((Label + "__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("<think>Hm.</think>Done."));
        var url = legacy ? Server.SseEndpoint : Server.Endpoint;

        var response = await CreateHereAsync($$"""{"input":"Go","tools":[{"type":"{{type}}","server_url":"{{url}}"}]}""", streamed);

        var items = response.Each("output").Where(item => item.Find("role")?.GetString() != "user").ToArray();
        Assert.Equal(["mcp_call", "tool_output", "message"], items.Select(item => item.Text("type")));
        Assert.Equal((Label, "echo", Echo("hi"), "completed"), (items[0].Text("server_label"), items[0].Text("name"), items[0].Text("arguments"), items[0].Text("status")));
        Assert.Null(items[0].Find("output"));
        Assert.Equal((items[0].Text("id"), "Echo: hi"), (items[1].Text("tool_call_id"), items[1].Text("output")));
        Assert.Equal("Done.", items[2].Text("content[0].text")!.Split("</think>")[^1]);
        Assert.Equal((type, url.AbsoluteUri), (response.Text("tools[0].type"), response.Text("tools[0].server_url")));
        Assert.All(Server.Calls, call => Assert.Equal(legacy ? "/message" : "/mcp", call.Path));
        Assert.Single(Server.Calls);
    }

    [Fact]
    public async Task Stream_TellsModelItemsAtTheirPlacesInTheOutputAndNoToolEvents()
    {
        await StartAsync();
        Upstream.Enqueue(
            new ChatAnswer { Text = "Let me look.", ToolCalls = [new("a", Label + "__echo", Echo("one")), new("b", Label + "__add", """{"a":1,"b":2}""")] },
            new ChatAnswer { Text = "Once more.", ToolCalls = [new("c", Label + "__failing", "{}")] },
            ChatAnswer.Say("Done."));

        var stream = await StreamHereAsync($$"""{"input":"Go","tools":[{{Sse()}}]}""");

        Assert.Equal(
            ["message", "mcp_call", "tool_output", "mcp_call", "tool_output", "message", "mcp_call", "tool_output", "message"], stream.Final.Types("output"));
        Assert.Equal([0, 5, 8], stream.Of("response.output_item.added").Select(e => e.Number("output_index")));
        Assert.Equal([0, 5, 8], stream.Of("response.output_item.done").Select(e => e.Number("output_index")));
        Assert.Equal("Let me look.Once more.Done.", stream.Text);
        Assert.Equal(["Echo: one", "3", "The tool failed."], Outputs(stream.Final));
        Assert.Equal(["completed", "completed", "failed"], stream.Final.Each("output").Where(item => item.Text("type") == "mcp_call").Select(item => item.Text("status")));
    }

    [Fact]
    public async Task JsonAndStream_GiveEqualModelItems()
    {
        await StartAsync();
        var script = (ChatAnswer[])[Calls((Label + "__echo", Echo("hi")), (Label + "__failing", "{}")), ChatAnswer.Say("Done.")];
        Upstream.Enqueue(script).Enqueue(script);
        var request = $$"""{"input":"Go","tools":[{{Sse()}}]}""";

        var json = await CreateHereAsync(request);
        var streamed = (await StreamHereAsync(request)).Final;

        Assert.Equal(json.Each("output").Skip(1).Select(WithoutIds), streamed.Each("output").Select(WithoutIds));
        Assert.Equal(json.At("usage").GetRawText(), streamed.At("usage").GetRawText());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Continuation_SeesTheCallsAndListsNothingAgain(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls((Label + "__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("It has two."), ChatAnswer.Say("So."));
        var first = await CreateHereAsync($$"""{"input":"One","tools":[{{Sse()}}]}""", streamed);

        var second = await CreateHereAsync($$"""{"input":"Two","previous_response_id":"{{first.Text("id")}}","tools":[{{Sse()}}]}""", streamed);

        Assert.Equal(["user: One", $"assistant: {Label}__echo({Echo("hi")})", "tool: Echo: hi", "assistant: It has two.", "user: Two"], Prompt);
        Assert.Equal(first.Text("id"), second.Text("previous_response_id"));
        Assert.Single(Server.Of(RequestMethods.ToolsList));
        Assert.Equal("So.", second.Each("output").Last().Text("content[0].text"));
    }

    [Fact]
    public async Task ResponseOfTheOtherDialect_IsReadAndListedInTheCallers()
    {
        await StartAsync();
        Upstream.Enqueue(Calls((Label + "__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("Done."));
        var here = await CreateHereAsync($$"""{"input":"Go","tools":[{{Sse()}}]}""");
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("Done."));
        var there = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        foreach (var id in (string[])[here.Text("id")!, there.Text("id")!])
        {
            var asFireworks = (await GetAsync($"{Path}/{id}")).AssertOk();
            var asOpenAi = (await GetAsync($"/v1/responses/{id}")).AssertOk();

            Assert.Equal(["message", "mcp_call", "tool_output", "message"], asFireworks.Types("output"));
            ResponseShape.AssertFinal(asOpenAi);
            Assert.Equal(["mcp_list_tools", "mcp_call", "message"], asOpenAi.Types("output"));
            Assert.Equal("Echo: hi", asOpenAi.Text("output[1].output"));
            Assert.Equal(asFireworks.GetRawText(), await ListedAsync(Path, id));
            Assert.Equal(asOpenAi.GetRawText(), await ListedAsync("/v1/responses", id));
        }

        Assert.Equal(here.GetRawText(), (await GetAsync($"{Path}/{here.Text("id")}")).AssertOk().GetRawText());
        Assert.Equal(there.GetRawText(), (await GetAsync($"/v1/responses/{there.Text("id")}")).AssertOk().GetRawText());
    }

    [Theory]
    [InlineData(Path)]
    [InlineData("/v1/responses")]
    public async Task ReplayedOutput_GivesTheSamePromptAsTheChain(string path)
    {
        await StartAsync();
        Upstream.Enqueue(
            new ChatAnswer { Text = "Look.", ToolCalls = [new("call_0", Label + "__echo", Echo("hi")), new("call_1", Label + "__failing", "{}")] }, ChatAnswer.Say("Done."));
        var first = await CreateHereAsync($$"""{"input":"One","tools":[{{Sse()}}]}""");
        await CreateHereAsync($$"""{"input":"Two","previous_response_id":"{{first.Text("id")}}"}""");
        var chained = Prompt.ToArray();
        var output = string.Join(',', first.Each("output").Select(item => item.GetRawText()));

        var replayed = (await PostAsync(
            WithModel($$"""{"input":[{{output}},{"role":"user","content":"Two"}]}"""), path: path)).AssertOk();

        Assert.Equal(
            [
                "user: One", $"assistant: Look.{Label}__echo({Echo("hi")}) {Label}__failing({{}})", "tool: Echo: hi", "tool: The tool failed.", "assistant: Done.",
                "user: Two",
            ],
            chained);
        Assert.Equal(chained, Prompt);

        await CreateAsync($$"""{"input":"Three","previous_response_id":"{{replayed.Text("id")}}"}""");
        Assert.Equal([.. chained, "assistant: Hello from the scripted model.", "user: Three"], Prompt);
        var items = (await GetAsync($"/v1/responses/{replayed.Text("id")}/input_items?order=asc")).AssertOk();
        Assert.Equal(["message", "message", "mcp_call", "tool_output", "mcp_call", "tool_output", "message", "message"], items.Types("data"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ApprovalThatTheRequestAsksFor_GoesRound(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls((Label + "__echo", Echo("hi"))));
        var tool = $$"""{"type":"mcp","server_url":"{{Server.Endpoint}}","require_approval":"always"}""";
        var asked = await CreateHereAsync($$"""{"input":"Go","tools":[{{tool}}]}""", streamed);
        var request = asked.Each("output").Single(item => item.Text("type") == "mcp_approval_request");
        Assert.Equal(("completed", Label, "echo"), (asked.Text("status"), request.Text("server_label"), request.Text("name")));
        Assert.Empty(Server.Calls);

        var answered = await CreateHereAsync(
            $$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{tool}}],
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{request.Text("id")}}","approve":true}]}
            """,
            streamed);

        Assert.Equal(["mcp_call", "tool_output", "message"], answered.Types("output"));
        Assert.Equal(["Echo: hi"], Outputs(answered));
        Assert.Single(Server.Calls);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task MixedRound_ReturnsTheFunctionCallBehindTheToolsOutput(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls((Label + "__echo", Echo("hi")), ("get_weather", "{}")));
        var tools = $$$"""{{{Sse()}}},{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";

        var asked = await CreateHereAsync($$"""{"input":"Go","tools":[{{tools}}]}""", streamed);
        var call = asked.Each("output").Single(item => item.Text("type") == "function_call");
        await CreateHereAsync(
            $$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{tools}}],
             "input":[{"type":"function_call_output","call_id":"{{call.Text("call_id")}}","output":"rain"}]}
            """,
            streamed);

        Assert.Equal(["mcp_call", "tool_output", "function_call"], asked.Types("output").Where(type => type != "message"));
        Assert.Equal(["user: Go", $"assistant: {Label}__echo({Echo("hi")}) get_weather({{}})", "tool: Echo: hi", "tool: rain"], Prompt);
    }

    [Fact]
    public async Task MaxToolCalls_Streamed_EndsIncompleteWithTheCallsThatRan()
    {
        await StartAsync();
        Upstream.Enqueue(
            new ChatAnswer { Text = "Look.", ToolCalls = [new("a", Label + "__echo", Echo("one")), new("b", Label + "__echo", Echo("two"))] },
            new ChatAnswer { Text = "More.", ToolCalls = [new("c", Label + "__echo", Echo("three"))] });

        var stream = await StreamHereAsync($$"""{"input":"Go","max_tool_calls":2,"tools":[{{Sse()}}]}""");

        Assert.Equal(("response.incomplete", "max_tool_calls"), (stream.Types.Last(), stream.Final.Text("incomplete_details.reason")));
        Assert.Equal(["message", "mcp_call", "tool_output", "mcp_call", "tool_output", "message"], stream.Final.Types("output"));
        Assert.Equal(["Echo: one", "Echo: two"], Outputs(stream.Final));
        Assert.Equal(2, Server.Calls.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ListFailure_IsTheDialectsError(bool streamed)
    {
        await StartAsync();
        Server.Fail(McpFault.Status(500));
        var request = $$"""{"input":"Go","tools":[{{Sse()}}]}""";

        if (streamed)
        {
            var stream = await StreamHereAsync(request);
            Assert.Equal(["response.created", "response.in_progress", "response.failed"], stream.Types);
            Assert.Equal("http_error", stream.Final.Text("error.code"));
        }
        else
        {
            var reply = await PostAsync(WithModel(request), path: Path);
            reply.AssertError(424, "http_error", "tools", "external_connector_error");
            Assert.NotNull(reply.Json.Find("detail"));
        }

        Assert.Empty(Upstream.Calls);
    }

    private static IEnumerable<string?> Outputs(JsonElement response) =>
        response.Each("output").Where(item => item.Text("type") == "tool_output").Select(item => item.Text("output"));

    private static string WithoutIds(JsonElement item) =>
        string.Join(',', item.EnumerateObject().Where(member => !member.Name.EndsWith("id", StringComparison.Ordinal)).Select(member => member.ToString()));

    private string Sse() => $$"""{"type":"sse","server_url":"{{Server.SseEndpoint}}"}""";

    private async Task<string> ListedAsync(string path, string id) =>
        (await GetAsync(path)).AssertOk().Each("data").Single(response => response.Text("id") == id).GetRawText();

    private async Task<JsonElement> CreateHereAsync(string json, bool streamed = false) =>
        streamed ? (await StreamHereAsync(json)).Final : (await PostAsync(WithModel(json), path: Path)).AssertOk();

    private async Task<FireworksStream> StreamHereAsync(string json)
    {
        using var response = await OpenStreamAsync(json, path: Path);
        return FireworksStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
    }
}
