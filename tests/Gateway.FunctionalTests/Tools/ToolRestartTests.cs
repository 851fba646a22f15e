using Gateway.FunctionalTests.Store;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;
using ModelContextProtocol.Protocol;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Server-run tools and approvals over a kill of the gateway: what was asked can be answered, and what has run does not run again.</summary>
public sealed class ToolRestartTests : RestartTest
{
    private const string Arguments = """{"message":"hi"}""";

    private TestMcpServer _server = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _server = await TestMcpServer.StartAsync();
        _server.Add(TestMcpTools.Echo);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task Approval_AskedBeforeTheKill_RunsOnceAfterIt(string store)
    {
        await StartAsync(store);
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "srv__echo", Arguments))).Enqueue(ChatAnswer.Say("Done."), ChatAnswer.Say("Bye."));
        var asked = await StreamAsync($$"""{"input":"Go","tools":[{{Tool("always")}}]}""");
        await RestartAsync(store);
        var answer = Answer(asked.Id, asked.Final.Text("output[1].id")!, approve: true);

        var answered = await StreamAsync(answer);
        await RestartAsync(store);
        var again = await PostAsync(answer);
        var last = await StreamAsync($$"""{"input":"And?","previous_response_id":"{{answered.Id}}","tools":[{{Tool("always")}}]}""");

        Assert.Equal(["mcp_call", "message"], answered.Final.Types("output"));
        Assert.Equal("Echo: hi", answered.Final.Text("output[0].output"));
        again.AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Single(_server.Calls);
        Assert.Single(_server.Of(RequestMethods.ToolsList));
        Assert.Equal("Bye.", last.Text);
        Assert.Equal(["user", "assistant", "tool", "assistant", "user"], Upstream.LastCall.Roles);
        Assert.Equal("Echo: hi", (string?)Upstream.LastCall.Messages[2]!["content"]);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task Refusal_AfterTheKill_NeverRuns(string store)
    {
        await StartAsync(store);
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "srv__echo", Arguments))).Enqueue(ChatAnswer.Say("Then not."));
        var asked = await StreamAsync($$"""{"input":"Go","tools":[{{Tool("always")}}]}""");
        await RestartAsync(store);

        var answered = await StreamAsync(Answer(asked.Id, asked.Final.Text("output[1].id")!, approve: false));
        await RestartAsync(store);
        var late = await PostAsync(Answer(answered.Id, asked.Final.Text("output[1].id")!, approve: true));

        Assert.Equal("Then not.", answered.Text);
        late.AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Empty(_server.Calls);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task ApprovedCall_KilledWhileItRuns_IsNotRunAgain(string store)
    {
        using var held = new HeldMcpTool("echo");
        _server.RemoveTools().Add(held.Tool);
        await StartAsync(store);
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "srv__echo", "{}")));
        var asked = await StreamAsync($$"""{"input":"Go","tools":[{{Tool("always")}}]}""");
        var answer = Answer(asked.Id, asked.Final.Text("output[1].id")!, approve: true);
        using var request = Post(answer);
        var lost = Gateway.Client.SendAsync(request, Cancellation);
        await held.ReachedAsync(Cancellation);

        await RestartAsync(store);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => lost);
        var again = await PostAsync(answer);

        again.AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Single(_server.Calls);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task MixedRound_KilledBeforeTheClientsOutput_GoesOn(string store)
    {
        const string weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";
        await StartAsync(store);
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "srv__echo", Arguments), new ChatToolCall("call_b", "get_weather", "{}")))
            .Enqueue(ChatAnswer.Say("Done."));
        var asked = await StreamAsync($$"""{"input":"Go","tools":[{{Tool("never")}},{{weather}}]}""");
        await RestartAsync(store);

        var answered = await StreamAsync($$"""
            {"previous_response_id":"{{asked.Id}}","tools":[{{Tool("never")}},{{weather}}],
             "input":[{"type":"function_call_output","call_id":"{{asked.Final.Text("output[2].call_id")}}","output":"rain"}]}
            """);

        Assert.Equal("Done.", answered.Text);
        Assert.Equal(["Echo: hi", "rain"], Upstream.LastCall.Messages.Where(message => (string?)message!["role"] == "tool").Select(message => (string?)message!["content"]));
        Assert.Equal(["call_a", "call_b"], Upstream.LastCall.Messages[1]!["tool_calls"]!.AsArray().Select(call => (string?)call!["id"]));
        Assert.Single(_server.Calls);
        Assert.Single(_server.Of(RequestMethods.ToolsList));
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task Stream_KilledWhileACallRuns_LeavesNothingHalfStored(string store)
    {
        using var held = new HeldMcpTool();
        _server.Add(held.Tool);
        await StartAsync(store);
        var first = await StreamAsync("""{"input":"Hi"}""");
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "srv__held", "{}")));
        using var request = Post($$"""{"stream":true,"input":"Go on","previous_response_id":"{{first.Id}}","tools":[{{Tool("never")}}]}""");
        using var response = await Gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await held.ReachedAsync(Cancellation);

        await RestartAsync(store);

        Assert.Equal([first.Id], (await GetAsync("/v1/responses")).AssertOk().Each("data").Select(r => r.Text("id")));
        var again = await StreamAsync($$"""{"input":"Go on","previous_response_id":"{{first.Id}}"}""");
        Assert.Equal("completed", again.Final.Text("status"));
        Assert.Equal(["user", "assistant", "user"], Upstream.LastCall.Roles);
    }

    private string Tool(string approval) =>
        $$"""{"type":"mcp","server_label":"srv","server_url":"{{_server.Endpoint}}","require_approval":"{{approval}}"}""";

    private string Answer(string previous, string request, bool approve) =>
        $$"""
        {"previous_response_id":"{{previous}}","tools":[{{Tool("always")}}],
         "input":[{"type":"mcp_approval_response","approval_request_id":"{{request}}","approve":{{(approve ? "true" : "false")}}}]}
        """;
}
