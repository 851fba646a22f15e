using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Responses;

/// <summary>Facts 61 and 70 to 72 of the contract's checklist, and tool_choice: tools that the client runs.</summary>
public sealed class ToolFacts(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fact61_FunctionCalls_EndTheResponseAsCompleted(bool streamed)
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", """{"city":"Oslo"}""")));
        var request = $$"""{"input":"Weather?","tools":[{{Weather}}],"tool_choice":"required"}""";

        var response = streamed ? (await StreamAsync(request)).Final : await CreateAsync(request);

        Assert.Equal("completed", response.Text("status"));
        Assert.Equal(("function_call", "get_weather", """{"city":"Oslo"}""", "completed"), (
            response.Text("output[0].type"), response.Text("output[0].name"), response.Text("output[0].arguments"), response.Text("output[0].status")));
        Assert.Equal("required", Upstream.LastCall.Body["tool_choice"]!.GetValue<string>());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fact70_CustomToolOutput_IsRawText(bool streamed)
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "run", """{"input":"print(\"hi\")\n# 👋"}""")));
        const string request = """{"input":"Run","tools":[{"type":"custom","name":"run","description":"Runs code"}]}""";

        var response = streamed ? (await StreamAsync(request)).Final : await CreateAsync(request);

        Assert.Equal(("custom_tool_call", "run", "print(\"hi\")\n# 👋", "completed"), (
            response.Text("output[0].type"), response.Text("output[0].name"), response.Text("output[0].input"), response.Text("output[0].status")));
        await CreateAsync($$"""{"previous_response_id":"{{response.Text("id")}}","input":[{"type":"custom_tool_call_output","call_id":"{{response.Text("output[0].call_id")}}","output":"hi"}]}""");
        Assert.Equal(["user", "assistant", "tool"], Upstream.LastCall.Roles);
        Assert.Equal("""{"input":"print(\"hi\")\n# 👋"}""", Upstream.LastCall.Messages[1]!["tool_calls"]![0]!["function"]!["arguments"]!.GetValue<string>());
    }

    [Fact]
    public async Task Fact71_NamespacedCall_ReturnsInnerNameAndNamespace()
    {
        Upstream.Enqueue(request =>
            ChatAnswer.Call(new ChatToolCall("call_a", request["tools"]![0]!["function"]!["name"]!.GetValue<string>(), "{}")).For(request));

        var stream = await StreamAsync("""
            {"input":"Hi","tools":[{"type":"namespace","name":"files","description":"Files","tools":[{"type":"function","name":"read","parameters":{"type":"object"}}]}]}
            """);

        Assert.Equal("files__read", Upstream.LastCall.Body["tools"]![0]!["function"]!["name"]!.GetValue<string>());
        Assert.Equal(("read", "files"), (stream.Final.Text("output[0].name"), stream.Final.Text("output[0].namespace")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fact72_NoParallelToolCalls_YieldsOneCall(bool streamed)
    {
        Upstream.Enqueue(ChatAnswer.Call(new("call_a", "get_weather", """{"city":"Oslo"}"""), new("call_b", "get_weather", """{"city":"Rome"}""")));
        var request = $$"""{"input":"Hi","tools":[{{Weather}}],"parallel_tool_calls":false}""";

        var response = streamed ? (await StreamAsync(request)).Final : await CreateAsync(request);

        Assert.Single(response.Types("output"), "function_call");
    }

    [Fact]
    public async Task ToolChoice_Named_IsForwardedAsAnObject()
    {
        await CreateAsync($$$"""{"input":"Hi","tools":[{{{Weather}}}],"tool_choice":{"type":"function","name":"get_weather"}}""");

        Assert.Equal("""{"type":"function","function":{"name":"get_weather"}}""", Upstream.LastCall.Body["tool_choice"]!.ToJsonString());
    }

    [Fact]
    public async Task ToolChoice_AllowedTools_SendsOnlyTheSubset()
    {
        var response = await CreateAsync($$"""
            {"input":"Hi","tools":[{{Weather}},{"type":"function","name":"other"}],
            "tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"get_weather"}]} }
            """);

        Assert.Equal(["get_weather"], Upstream.LastCall.Body["tools"]!.AsArray().Select(tool => tool!["function"]!["name"]!.GetValue<string>()));
        Assert.Equal("required", Upstream.LastCall.Body["tool_choice"]!.GetValue<string>());
        Assert.Equal("allowed_tools", response.Text("tool_choice.type"));
        Assert.Equal(2, response.At("tools").GetArrayLength());
    }

    [Fact]
    public async Task EncryptedReasoning_ComesBackAsReasoning()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", "deepseek"));
        Upstream.Enqueue(new ChatAnswer { Reasoning = "Secret thought", ToolCalls = [new("call_a", "get_weather", "{}")] });
        var first = await CreateAsync($$"""{"input":"Weather?","store":false,"include":["reasoning.encrypted_content"],"tools":[{{Weather}}]}""");
        var sealedText = first.Text("output[0].encrypted_content")!;
        Assert.DoesNotContain("Secret", sealedText, StringComparison.Ordinal);

        await CreateAsync($$"""
            {"store":false,"tools":[{{Weather}}],"input":[{"role":"user","content":"Weather?"},{"type":"reasoning","summary":[],"encrypted_content":"{{sealedText}}"},
            {{first.At("output[1]").GetRawText()}},{"type":"function_call_output","call_id":"{{first.Text("output[1].call_id")}}","output":"sunny"}]}
            """);

        Assert.Equal("Secret thought", Upstream.LastCall.Messages[1]!["reasoning_content"]!.GetValue<string>());
    }
}
