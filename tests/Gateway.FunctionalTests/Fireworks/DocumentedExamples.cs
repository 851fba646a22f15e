using System.Text.Json;
using Gateway.FunctionalTests.Tools;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Fireworks;

/// <summary>Every example of the three original documents: the list reference, the guide, and the response object's reference.</summary>
public sealed class DocumentedExamples(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Path = "/inference/v1/responses";
    private const string Model = "accounts/fireworks/models/qwen3-235b-a22b";

    private const string Weather = """
        {"type":"function","name":"get_weather","description":"Get the current weather for a location","parameters":{"type":"object",
        "properties":{"location":{"type":"string","description":"The city and state, e.g. San Francisco, CA"}},"required":["location"]}}
        """;

    // Members that the reference documents for a response. "user" and "text" are documented without being required.
    private static readonly string[] ListedMembers =
    [
        "created_at", "status", "model", "output", "id", "object", "previous_response_id", "usage", "error", "incomplete_details", "instructions",
        "max_output_tokens", "max_tool_calls", "parallel_tool_calls", "reasoning", "store", "temperature", "text", "tool_choice", "tools", "top_p",
        "truncation", "user", "metadata",
    ];

    [Fact]
    public async Task List_HasTheDocumentedMembers()
    {
        await UseOwnGatewayAsync();
        var first = await CreateHereAsync("""{"input":"One"}""");
        var second = await CreateHereAsync("""{"input":"Two"}""");

        var list = (await GetAsync(Path + "?limit=1")).AssertOk();

        Assert.Equal(["data", "first_id", "has_more", "last_id", "object"], list.EnumerateObject().Select(member => member.Name).Order());
        Assert.Equal(("list", true, second.Text("id"), second.Text("id")), (list.Text("object"), list.At("has_more").GetBoolean(), list.Text("first_id"), list.Text("last_id")));
        Assert.Empty(ListedMembers.Except(list.At("data[0]").EnumerateObject().Select(member => member.Name)));
        Assert.Equal("response", list.Text("data[0].object"));
        var rest = (await GetAsync($"{Path}?limit=1&after={list.Text("last_id")}")).AssertOk();
        Assert.Equal((first.Text("id"), false), (rest.Text("data[0].id"), rest.At("has_more").GetBoolean()));
    }

    [Fact]
    public async Task CreatingAResponse_WithAnSseTool_RunsIt()
    {
        await StartAsync();
        Upstream.Enqueue(Calls((Tool("echo"), Echo("reward-kit")))).Enqueue(ChatAnswer.Say("<think>\nI have it.\n</think>\nIt has two features."));

        var response = await CreateHereAsync($$"""
            {"input":"What is reward-kit and what are its 2 main features? Keep it short Please analyze the fw-ai-external/reward-kit repository.",
             "tools":[{"type":"sse","server_url":"{{Server.SseEndpoint}}"}]}
            """);

        Assert.Equal("\nIt has two features.", response.Each("output").Last().Text("content[0].text")!.Split("</think>")[^1]);
        Assert.Equal(["message", "mcp_call", "tool_output", "message"], response.Types("output"));
        Assert.Equal("tool: Echo: reward-kit", Prompt.Last());
    }

    [Fact]
    public async Task StreamingResponses_WithAnMcpTool_AreChunksWithItsResultInTheLast()
    {
        await StartAsync();
        Upstream.Enqueue(Calls((Tool("echo"), Echo("python-sdk")))).Enqueue(ChatAnswer.Say("Five facts."));
        var body = $$"""
            {"input":"give me 5 interesting facts on modelcontextprotocol/python-sdk -- keep it short!","stream":true,
             "tools":[{"type":"mcp","server_url":"{{Server.Endpoint}}"}]}
            """;

        var stream = FireworksStream.Parse((await PostAsync(Body(body), path: Path)).Body);

        Assert.Equal(
            ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"], stream.Types.Take(4));
        Assert.Equal("Five facts.", stream.Text);
        Assert.Equal(["mcp_call", "tool_output", "message"], stream.Final.Types("output"));
        Assert.Equal("Echo: python-sdk", stream.Final.Text("output[1].output"));
    }

    [Fact]
    public async Task ContinuingAConversation_WithAnSseTool_UsesTheContextOfThePreviousResponse()
    {
        await StartAsync();
        var tools = $$"""[{"type":"sse","server_url":"{{Server.SseEndpoint}}"}]""";
        Upstream.Enqueue(Calls((Tool("echo"), Echo("features")))).Enqueue(ChatAnswer.Say("It has two features."))
            .Enqueue(Calls((Tool("echo"), Echo("install")))).Enqueue(ChatAnswer.Say("<think>Hm.</think>With pip."));

        var initial = await CreateHereAsync($$"""{"input":"What are the key features of reward-kit?","tools":{{tools}}}""");
        var continuation = await CreateHereAsync(
            $$"""{"input":"How do I install it?","previous_response_id":"{{initial.Text("id")}}","tools":{{tools}}}""");

        Assert.Equal("With pip.", continuation.Each("output").Last().Text("content[0].text")!.Split("</think>")[^1]);
        Assert.Equal(["user", "assistant", "tool", "assistant", "user", "assistant", "tool"], Upstream.LastCall.Roles);
        Assert.Equal(["message", "mcp_call", "tool_output", "message"], continuation.Types("output"));
    }

    [Fact]
    public async Task StoreFalse_WithAnMcpTool_IsAnsweredAndCanNotBeContinued()
    {
        await StartAsync();
        Upstream.Enqueue(Calls((Tool("echo"), Echo("hi")))).Enqueue(ChatAnswer.Say("Five facts."));
        var request = $$"""
            {"input":"give me 5 interesting facts on modelcontextprotocol/python-sdk -- keep it short!","store":false,
             "tools":[{"type":"mcp","server_url":"{{Server.Endpoint}}"}]}
            """;

        var response = await CreateHereAsync(request);

        Assert.Equal(JsonValueKind.Null, response.At("id").ValueKind);
        Assert.Equal("Five facts.", response.Each("output").Last().Text("content[0].text"));
        Assert.Empty((await GetAsync(Path)).AssertOk().Each("data"));
    }

    [Fact]
    public async Task FunctionTools_AreReturnedToTheClient()
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", """{"location":"San Francisco, CA"}""")));

        var response = await CreateHereAsync($$"""{"input":"What is the weather like in San Francisco?","tools":[{{Weather}}],"tool_choice":"auto"}""");

        var call = response.Each("output").Single(item => item.Text("type") == "function_call");
        Assert.Equal(("get_weather", """{"location":"San Francisco, CA"}""", "completed"), (call.Text("name"), call.Text("arguments"), call.Text("status")));
        Assert.NotEmpty(call.Text("call_id")!);
    }

    [Fact]
    public async Task ContinuingAConversation_UsesTheContextOfThePreviousResponse()
    {
        Upstream.Enqueue(ChatAnswer.Say("<think>Hm.</think>It has two features."));
        var initial = await CreateHereAsync("""{"input":"What are the key features of reward-kit?"}""");

        var continuation = await CreateHereAsync($$"""{"input":"How do I install it?","previous_response_id":"{{initial.Text("id")}}"}""");

        Assert.Equal(["user", "assistant", "user"], Upstream.LastCall.Roles);
        Assert.Equal(initial.Text("id"), continuation.Text("previous_response_id"));
        Assert.Equal("Hello from the scripted model.", continuation.At("output").EnumerateArray().Last().Text("content[0].text")!.Split("</think>")[^1]);
    }

    [Fact]
    public async Task StoreFalse_CanNotBeContinued()
    {
        var response = await CreateHereAsync("""{"input":"give me 5 interesting facts on modelcontextprotocol/python-sdk -- keep it short!","store":false}""");

        // The client sends what it got: a null id. That starts a new conversation; an unknown id is an error.
        Assert.Equal(JsonValueKind.Null, response.At("id").ValueKind);
        await CreateHereAsync("""{"input":"Explain the second fact in more detail.","previous_response_id":null}""");
        Assert.Equal(["user"], Upstream.LastCall.Roles);
        var unknown = await PostAsync(Body("""{"input":"Explain the second fact in more detail.","previous_response_id":"resp_unstored"}"""), path: Path);
        Assert.Equal((404, "Previous response not found"), ((int)unknown.Status, unknown.Json.Text("detail")));
    }

    [Fact]
    public async Task DeletingAStoredResponse_WithTheAccountHeader_Is200()
    {
        await UseOwnGatewayAsync(("Gateway:Tenants:your-account-id:Keys:0", "FIREWORKS_API_KEY"));
        var created = (await PostAsync(Body("""{"input":"What is the capital of France?","store":true}"""), "FIREWORKS_API_KEY", Path)).AssertOk();

        var deleted = await SendAsync(HttpMethod.Delete, $"{Path}/{created.Text("id")}", null, "FIREWORKS_API_KEY", ("x-fireworks-account-id", "your-account-id"));

        Assert.Equal(200, (int)deleted.Status);
    }

    [Fact]
    public async Task ExampleResponse_HasTheDocumentedStructure()
    {
        Upstream.Enqueue(new ChatAnswer { Text = "2 + 2 equals 4.", Usage = new(15, 8, 0) });

        var response = await CreateHereAsync("""{"input":"What is 2+2?"}""");

        Assert.Equal("""{"prompt_tokens":15,"completion_tokens":8,"total_tokens":23,"prompt_tokens_details":{"cached_tokens":0}}""", response.At("usage").GetRawText());
        Assert.Equal([("user", "What is 2+2?", "completed"), ("assistant", "2 + 2 equals 4.", "completed")],
            response.Each("output").Select(item => (item.Text("role")!, item.Text("content[0].text")!, item.Text("status")!)));
        Assert.Equal((JsonValueKind.Null, JsonValueKind.True, JsonValueKind.Null), (
            response.At("previous_response_id").ValueKind, response.At("store").ValueKind, response.At("max_tool_calls").ValueKind));
    }

    [Fact]
    public async Task GetById_HasEveryRequiredMemberOfTheReference()
    {
        var created = await CreateAsync("""{"input":"Hi"}""");

        var got = (await GetAsync("/v1/responses/" + created.Text("id"))).AssertOk();

        foreach (var member in (string[])["id", "created_at", "model", "output", "parallel_tool_calls", "tool_choice", "tools", "conversation", "usage"])
        {
            Assert.NotNull(got.Find(member));
        }

        foreach (var member in (string[])["input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens"])
        {
            Assert.NotNull(got.At("usage").Find(member));
        }
    }

    [Theory]
    [InlineData("/v1/responses/resp_unknown")]
    [InlineData("/v1/responses/resp_unknown/input_items")]
    public async Task GetById_Unknown_IsTheDocumentedError(string path)
    {
        var reply = await GetAsync(path);

        reply.AssertError(404, null, null);
        Assert.Equal("Response with id 'resp_unknown' not found.", reply.Json.Text("error.message"));
    }

    /// <summary>A tool of the server as the model sees it: the examples give no label.</summary>
    private string Tool(string name) => $"127_0_0_1_{Server.Endpoint.Port}__{name}";

    private static string Body(string json) => $"{{\"model\":\"{Model}\",{json[1..]}";

    private async Task<JsonElement> CreateHereAsync(string json) => (await PostAsync(Body(json), path: Path)).AssertOk();
}
