using System.ClientModel;
using Gateway.FunctionalTests.Tools;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;
using OpenAI.Responses;

#pragma warning disable OPENAI001 // The SDK marks its Responses client as for evaluation; it is what stock clients use.

namespace Gateway.FunctionalTests.Sdk;

/// <summary>MCP tools through the OpenAI .NET SDK, as it comes, against the gateway.</summary>
public sealed class DotNetMcpTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private static readonly McpToolCallApprovalPolicy Never = new(DefaultMcpToolCallApprovalPolicy.NeverRequireApproval);
    private static readonly FunctionTool Weather =
        ResponseTool.CreateFunctionTool("get_weather", BinaryData.FromString("""{"type":"object"}"""), strictModeEnabled: false);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task McpTool_ListsCallsAndAnswers(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("你好 👋")))).Enqueue(ChatAnswer.Say("Done."));

        var (response, _) = await RunAsync(Options("Go", Tool()), streamed);

        var list = Assert.IsType<McpToolDefinitionListItem>(response.OutputItems[0]);
        var call = Assert.IsType<McpToolCallItem>(response.OutputItems[1]);
        Assert.Equal(("srv", null), (list.ServerLabel, list.Error));
        Assert.Equal(["echo", "add", "failing"], list.ToolDefinitions.Select(tool => tool.Name));
        Assert.Equal("Echoes a message.", list.ToolDefinitions[0].Description);
        Assert.Contains("\"message\"", list.ToolDefinitions[0].InputSchema.ToString(), StringComparison.Ordinal);
        Assert.Contains("readOnlyHint", list.ToolDefinitions[0].Annotations.ToString(), StringComparison.Ordinal);
        Assert.Equal(("srv", "echo", "Echo: 你好 👋", null), (call.ServerLabel, call.ToolName, call.ToolOutput, call.Error));
        Assert.Equal(Echo("你好 👋"), call.ToolArguments.ToString());
        Assert.Equal("Done.", response.GetOutputText());
        Assert.Equal(36, response.Usage.TotalTokenCount);
        ResponseResult got = await Client().GetResponseAsync(response.Id);
        Assert.Equal("Echo: 你好 👋", Assert.IsType<McpToolCallItem>(got.OutputItems[1]).ToolOutput);
        var tool = Assert.IsType<McpTool>(Assert.Single(got.Tools));
        Assert.Equal((Server.Endpoint, "srv"), (tool.ServerUri, tool.ServerLabel));
    }

    [Fact]
    public async Task McpTool_Streamed_GivesTypedUpdates()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")), ("srv__failing", "{}"))).Enqueue(ChatAnswer.Say("Done."));

        var (response, updates) = await RunAsync(Options("Go", Tool()), streamed: true);

        Assert.Equal(
            [
                typeof(StreamingResponseMcpListToolsInProgressUpdate), typeof(StreamingResponseMcpListToolsCompletedUpdate),
                typeof(StreamingResponseMcpCallInProgressUpdate), typeof(StreamingResponseMcpCallArgumentsDeltaUpdate),
                typeof(StreamingResponseMcpCallArgumentsDoneUpdate), typeof(StreamingResponseMcpCallCompletedUpdate),
                typeof(StreamingResponseMcpCallInProgressUpdate), typeof(StreamingResponseMcpCallArgumentsDeltaUpdate),
                typeof(StreamingResponseMcpCallArgumentsDoneUpdate), typeof(StreamingResponseMcpCallFailedUpdate),
            ],
            updates.Select(update => update.GetType()).Where(type => type.Name.Contains("Mcp", StringComparison.Ordinal)));
        var done = updates.OfType<StreamingResponseMcpCallArgumentsDoneUpdate>().First();
        Assert.Equal((Echo("hi"), 1, response.OutputItems[1].Id), (done.ToolArguments.ToString(), done.OutputIndex, done.ItemId));
        Assert.Collection(
            updates.OfType<StreamingResponseOutputItemDoneUpdate>(),
            update => Assert.IsType<McpToolDefinitionListItem>(update.Item),
            update => Assert.Equal("Echo: hi", Assert.IsType<McpToolCallItem>(update.Item).ToolOutput),
            update => Assert.NotNull(Assert.IsType<McpToolCallItem>(update.Item).Error),
            update => Assert.IsType<MessageResponseItem>(update.Item, exactMatch: false));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Approval_GivenWithPreviousResponseId_RunsTheCallOnce(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("Done."));
        var asking = ResponseTool.CreateMcpTool("srv", Server.Endpoint);
        var (asked, _) = await RunAsync(Options("Go", asking), streamed);
        var request = Assert.IsType<McpToolCallApprovalRequestItem>(asked.OutputItems[1]);
        Assert.Equal(("srv", "echo", Echo("hi")), (request.ServerLabel, request.ToolName, request.ToolArguments.ToString()));
        Assert.Empty(Server.Calls);

        var (answered, _) = await RunAsync(Answer(asked, ResponseItem.CreateMcpApprovalResponseItem(request.Id, true), asking), streamed);

        Assert.Equal("Echo: hi", Assert.IsType<McpToolCallItem>(answered.OutputItems[0]).ToolOutput);
        Assert.Equal("Done.", answered.GetOutputText());
        var again = await Assert.ThrowsAsync<ClientResultException>(
            () => RunAsync(Answer(asked, ResponseItem.CreateMcpApprovalResponseItem(request.Id, true), asking), streamed: false));
        Assert.Equal(400, again.Status);
        Assert.Single(Server.Calls);
    }

    [Fact]
    public async Task Approval_Refused_NeverRuns()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("Then not."));
        var policy = new McpToolCallApprovalPolicy(new CustomMcpToolCallApprovalPolicy { ToolsAlwaysRequiringApproval = new McpToolFilter { ToolNames = { "echo" } } });
        var tool = Tool(policy);
        var (asked, _) = await RunAsync(Options("Go", tool), streamed: false);
        var request = Assert.IsType<McpToolCallApprovalRequestItem>(asked.OutputItems[1]);

        var refusal = new McpToolCallApprovalResponseItem(request.Id, false) { Reason = "Too loud" };
        var (answered, _) = await RunAsync(Answer(asked, refusal, tool), streamed: false);

        Assert.Equal("Then not.", answered.GetOutputText());
        Assert.Equal("tool: The user declined this tool call: Too loud", Prompt.Last());
        Assert.Empty(Server.Calls);
        var kept = new List<ResponseItem>();
        await foreach (var item in Client().GetResponseInputItemsAsync(new ResponseItemCollectionOptions(answered.Id)))
        {
            kept.Add(item);
        }

        var told = Assert.IsType<McpToolCallApprovalResponseItem>(Assert.Single(kept));
        Assert.Equal((request.Id, false, "Too loud"), (told.ApprovalRequestId, told.Approved, told.Reason));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task FunctionAndMcpCall_InOneRound_GoRound(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("get_weather", """{"city":"Oslo"}"""), ("srv__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("Done."));
        var (asked, _) = await RunAsync(Options("Go", Tool(), Weather), streamed);
        var call = Assert.Single(asked.OutputItems.OfType<FunctionCallResponseItem>());
        Assert.Equal("Echo: hi", Assert.Single(asked.OutputItems.OfType<McpToolCallItem>()).ToolOutput);

        var (answered, _) = await RunAsync(Answer(asked, ResponseItem.CreateFunctionCallOutputItem(call.CallId, "rain"), Tool(), Weather), streamed);

        Assert.Equal("Done.", answered.GetOutputText());
        Assert.Equal(["user: Go", $$"""assistant: get_weather({"city":"Oslo"}) srv__echo({{Echo("hi")}})""", "tool: rain", "tool: Echo: hi"], Prompt);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task FailedCall_HasItsError(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__failing", "{}"))).Enqueue(ChatAnswer.Say("It failed."));

        var (response, _) = await RunAsync(Options("Go", Tool()), streamed);

        var call = Assert.IsType<McpToolCallItem>(response.OutputItems[1]);
        Assert.Equal((null, "\"The tool failed.\""), (call.ToolOutput, call.Error.ToString()));
        Assert.Equal("It failed.", response.GetOutputText());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task MaxToolCalls_EndsInAnAnswer(bool streamed)
    {
        await StartAsync();
        Upstream.Default = request => (request["tools"] is null ? ChatAnswer.Say("Enough.") : Calls(("srv__echo", Echo($"{Server.Calls.Count}")))).For(request);
        var options = Options("Go", Tool());
        options.MaxToolCallCount = 2;

        var (response, _) = await RunAsync(options, streamed);

        Assert.Equal((ResponseStatus.Completed, "Enough."), (response.Status, response.GetOutputText()));
        Assert.Equal((2, 2), (Server.Calls.Count, response.OutputItems.OfType<McpToolCallItem>().Count()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TwoServers_AreListedAndCalledByTheirLabels(bool streamed)
    {
        await StartAsync();
        var second = Own(await TestMcpServer.StartAsync());
        second.Add(TestMcpTools.Saying("echo", "I am the second."));
        second.RequiredBearer = "secret";
        Upstream.Enqueue(Calls(("two__echo", "{}"), ("srv__echo", Echo("hi")))).Enqueue(ChatAnswer.Say("Done."));

        var (response, _) = await RunAsync(
            Options("Go", Tool(), ResponseTool.CreateMcpTool("two", second.Endpoint, authorizationToken: "secret", toolCallApprovalPolicy: Never)), streamed);

        Assert.Equal(["srv", "two"], response.OutputItems.OfType<McpToolDefinitionListItem>().Select(list => list.ServerLabel));
        Assert.Equal(
            [("two", "I am the second."), ("srv", "Echo: hi")], response.OutputItems.OfType<McpToolCallItem>().Select(call => (call.ServerLabel, call.ToolOutput)));
    }

    [Fact]
    public async Task AllowedTools_AreTheOnlyOnesListed()
    {
        await StartAsync();

        var tool = ResponseTool.CreateMcpTool("srv", Server.Endpoint, allowedTools: new McpToolFilter { ToolNames = { "add", "failing" }, IsReadOnly = true });
        var (response, _) = await RunAsync(Options("Go", tool), streamed: false);

        Assert.Equal("add", Assert.Single(Assert.IsType<McpToolDefinitionListItem>(response.OutputItems[0]).ToolDefinitions).Name);
    }

    [Fact]
    public async Task ListFailure_IsAnErrorOrATypedUpdate()
    {
        await StartAsync();
        Server.RequiredBearer = "other";

        var error = await Assert.ThrowsAsync<ClientResultException>(() => RunAsync(Options("Go", Tool()), streamed: false));
        var (_, updates) = await RunAsync(Options("Go", Tool()), streamed: true);

        Assert.Equal(424, error.Status);
        Assert.Contains("'srv'", error.Message, StringComparison.Ordinal);
        Assert.Single(updates.OfType<StreamingResponseMcpListToolsFailedUpdate>());
        Assert.Contains("'srv'", Assert.IsType<StreamingResponseFailedUpdate>(updates[^1]).Response.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OutputSentBackAsInput_GivesTheSamePromptAsTheChain()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")), ("srv__failing", "{}"))).Enqueue(ChatAnswer.Say("Done."));
        var (first, _) = await RunAsync(Options("One", Tool()), streamed: false);
        await RunAsync(Answer(first, ResponseItem.CreateUserMessageItem("Two"), Tool()), streamed: false);
        var chained = Prompt.ToArray();
        var replay = Options("One", Tool());
        replay.StoredOutputEnabled = false;
        foreach (var item in first.OutputItems.Append(ResponseItem.CreateUserMessageItem("Two")))
        {
            replay.InputItems.Add(item);
        }

        var (response, _) = await RunAsync(replay, streamed: false);

        Assert.Equal(chained, Prompt);
        Assert.IsType<MessageResponseItem>(Assert.Single(response.OutputItems), exactMatch: false);
    }

    private ResponsesClient Client() =>
        new(new ApiKeyCredential("any"), new ResponsesClientOptions { Endpoint = new Uri(Gateway.BaseAddress, "/v1") });

    private McpTool Tool(McpToolCallApprovalPolicy? policy = null) => ResponseTool.CreateMcpTool("srv", Server.Endpoint, toolCallApprovalPolicy: policy ?? Never);

    private static CreateResponseOptions Options(string text, params ResponseTool[] tools) =>
        With(new CreateResponseOptions(GatewayFixture.Model, [ResponseItem.CreateUserMessageItem(text)]), tools);

    private static CreateResponseOptions Answer(ResponseResult asked, ResponseItem answer, params ResponseTool[] tools) =>
        With(new CreateResponseOptions(GatewayFixture.Model, [answer]) { PreviousResponseId = asked.Id }, tools);

    private static CreateResponseOptions With(CreateResponseOptions options, ResponseTool[] tools)
    {
        foreach (var tool in tools)
        {
            options.Tools.Add(tool);
        }

        return options;
    }

    /// <summary>The response, and its updates when it was streamed.</summary>
    private async Task<(ResponseResult Response, IReadOnlyList<StreamingResponseUpdate> Updates)> RunAsync(CreateResponseOptions options, bool streamed)
    {
        if (!streamed)
        {
            return (await Client().CreateResponseAsync(options), []);
        }

        options.StreamingEnabled = true;
        var updates = new List<StreamingResponseUpdate>();
        await foreach (var update in await Client().CreateResponseStreamingAsync(options))
        {
            updates.Add(update);
        }

        var final = updates[^1] is StreamingResponseCompletedUpdate completed ? completed.Response : ((StreamingResponseFailedUpdate)updates[^1]).Response;
        return (final, updates);
    }
}
