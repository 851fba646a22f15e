namespace Gateway.FunctionalTests.Tools;

/// <summary>Counting a prompt with server-run tools: what servers list counts, and nothing runs.</summary>
public sealed class InputTokensTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Path = "/v1/responses/input_tokens";

    [Fact]
    public async Task ListedTools_AreOfThePrompt()
    {
        await StartAsync();
        var request = WithModel($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        (await PostAsync(request, path: Path)).AssertOk();
        (await PostAsync(request)).AssertOk();

        Assert.Equal(Upstream.Calls[1].Body["tools"]!.ToJsonString(), Upstream.Calls[0].Body["tools"]!.ToJsonString());
        Assert.Equal(3, Upstream.Calls[0].Body["tools"]!.AsArray().Count);
    }

    [Fact]
    public async Task ServerThatDoesNotAnswer_IsTheErrorOfAResponse()
    {
        await StartAsync(("Gateway:Tools:OnListFailure", "Fail"));
        await Server.DisposeAsync();

        (await PostAsync(WithModel($$"""{"input":"Go","tools":[{{Mcp()}}]}"""), path: Path)).AssertError(424, "http_error", "tools", "external_connector_error");

        Assert.Empty(Upstream.Calls);
    }

    [Fact]
    public async Task ApprovedCall_DoesNotRunAndStaysApproved()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))));
        var server = Mcp(approval: "always");
        var asked = await CreateAsync($$"""{"input":"Go","tools":[{{server}}]}""");
        var answer = $$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{server}}],
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Text("output[1].id")}}","approve":true}]}
            """;

        (await PostAsync(WithModel(answer), path: Path)).AssertOk();
        Assert.DoesNotContain(Prompt, line => line.StartsWith("tool", StringComparison.Ordinal));
        await CreateAsync(answer);

        Assert.Contains("tool: Echo: a", Prompt);
    }

    [Fact]
    public async Task CallOfTheModel_InACount_DoesNotRun()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))) with { FinishReason = "stop" });

        (await PostAsync(WithModel($$"""{"input":"Go","tools":[{{Mcp()}}]}"""), path: Path)).AssertOk();

        Assert.Single(Upstream.Calls);
    }
}
