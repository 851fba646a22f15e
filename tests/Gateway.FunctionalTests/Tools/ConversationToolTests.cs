using Gateway.Store;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Tools that the gateway runs, in a conversation: listed once, approved once, erased with all that is remembered of them.</summary>
public sealed class ConversationToolTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Conversations = "/v1/conversations";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ServerCalls_AreHistoryOfTheConversation(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))), ChatAnswer.Say("Done."), Calls(("srv__echo", Echo("b"))), ChatAnswer.Say("Again."));
        var id = await StartConversationAsync();

        await CreateAsync($$"""{"conversation":"{{id}}","input":"Go","tools":[{{Mcp()}}]}""", streamed);
        var second = await CreateAsync($$"""{"conversation":"{{id}}","input":"More","tools":[{{Mcp()}}]}""", streamed);

        Assert.Equal(["mcp_call", "message"], second.Types("output"));
        Assert.Equal(
            ["user: Go", $"assistant: srv__echo({Echo("a")})", "tool: Echo: a", "assistant: Done.", "user: More", $"assistant: srv__echo({Echo("b")})", "tool: Echo: b"],
            Prompt);
        Assert.Equal(["message", "mcp_list_tools", "mcp_call", "message", "message", "mcp_call", "message"], await TypesAsync(id));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Approval_InTheConversation_RunsTheCallOnce(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))));
        var id = await StartConversationAsync();
        var asked = await CreateAsync($$"""{"conversation":"{{id}}","input":"Go","tools":[{{Mcp(approval: "always")}}]}""", streamed);
        var request = asked.Each("output").Single(item => item.Text("type") == "mcp_approval_request").Text("id");
        var answer = $$"""
            {"conversation":"{{id}}","tools":[{{Mcp(approval: "always")}}],"input":[{"type":"mcp_approval_response","approval_request_id":"{{request}}","approve":true}]}
            """;

        var answered = await CreateAsync(answer, streamed);

        Assert.Equal(["mcp_call", "message"], answered.Types("output"));
        Assert.Equal(request, answered.Text("output[0].approval_request_id"));
        (await PostAsync(WithModel(answer))).AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Single(Server.Calls);
        await CreateAsync($$"""{"conversation":"{{id}}","input":"More"}""");
        Assert.Equal(["user: Go", $"assistant: srv__echo({Echo("hi")})", "tool: Echo: hi"], Prompt.Take(3));
    }

    /// <summary>The request for approval is still open in the conversation, which is kept by uses that commit nothing.</summary>
    [Fact]
    public async Task Approval_WhoseResponseFailed_StaysUsedLongerThanItsClaim()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))));
        var id = await StartConversationAsync();
        var asked = await CreateAsync($$"""{"conversation":"{{id}}","input":"Go","tools":[{{Mcp(approval: "always")}}]}""");
        var request = asked.Each("output").Single(item => item.Text("type") == "mcp_approval_request").Text("id");
        var answer = $$"""
            {"conversation":"{{id}}","tools":[{{Mcp(approval: "always")}}],"input":[{"type":"mcp_approval_response","approval_request_id":"{{request}}","approve":true}]}
            """;
        Upstream.Enqueue(ChatScript.Of(400, """{"error":{"message":"no"}}"""));
        var failed = (await PostAsync(WithModel(answer))).AssertOk();
        Assert.Equal(("failed", "mcp_call"), (failed.Text("status"), failed.Text("output[0].type")));

        // As if it had expired.
        var store = Gateway.Services.GetRequiredService<IResponseStore>();
        await store.ReleaseAsync("default", $"approval:{request}", failed.Text("id")!, Cancellation);
        Assert.Null(await store.FindOwnerAsync("default", $"approval:{request}", Cancellation));

        (await PostAsync(WithModel(answer))).AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Single(Server.Calls);
    }

    [Fact]
    public async Task Approval_ThatCameWithItsRequest_RunsOnceHoweverOftenItIsSent()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))));
        var asked = await CreateAsync($$"""{"store":false,"input":"Go","tools":[{{Mcp(approval: "always")}}]}""");
        var request = asked.Each("output").Single(item => item.Text("type") == "mcp_approval_request");
        var input = $$"""
            "tools":[{{Mcp(approval: "always")}}],"input":[{{request.GetRawText()}},{"type":"mcp_approval_response","approval_request_id":"{{request.Text("id")}}","approve":true}]
            """;
        var (one, two) = (await StartConversationAsync(), await StartConversationAsync());

        var answered = await CreateAsync($$"""{"conversation":"{{one}}",{{input}}}""");

        var call = answered.Each("output").Single(item => item.Text("type") == "mcp_call");
        Assert.Single(Server.Calls);
        var items = (await GetAsync($"{Conversations}/{one}/items?order=asc")).AssertOk();
        Assert.Equal(["mcp_approval_request", "mcp_approval_response"], items.Types("data").Take(2));
        Assert.Equal((items.Text("data[0].id"), items.Text("data[0].id")), (items.Text("data[1].approval_request_id"), call.Text("approval_request_id")));
        foreach (var conversation in (string[])[$"\"conversation\":\"{one}\",", $"\"conversation\":\"{two}\",", "\"store\":false,", ""])
        {
            (await PostAsync(WithModel($"{{{conversation}{input}}}"))).AssertError(400, "invalid_value", "input[1].approval_request_id");
        }

        Assert.Single(Server.Calls);

        // The conversation knows that it was run.
        await CreateAsync($$"""{"conversation":"{{one}}","input":"More"}""");
        Assert.Equal([$"assistant: srv__echo({Echo("hi")})", "tool: Echo: hi"], Prompt.Take(2));
    }

    [Fact]
    public async Task DeletedCall_IsGoneFromThePromptWithItsOutcome()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("secret"))), ChatAnswer.Say("Done."));
        var id = await StartConversationAsync();
        var first = await CreateAsync($$"""{"conversation":"{{id}}","input":"Go","tools":[{{Mcp()}}]}""");
        var call = first.Each("output").Single(item => item.Text("type") == "mcp_call").Text("id");

        (await DeleteAsync($"{Conversations}/{id}/items/{call}")).AssertOk();
        await CreateAsync($$"""{"conversation":"{{id}}","input":"More"}""");

        Assert.Equal(["user: Go", "assistant: Done.", "user: More"], Prompt);
    }

    [Fact]
    public async Task HistoryTools_AreThoseOfTheLastResponse_WhereTheServerWantsThem()
    {
        await StartAsync(("Gateway:Upstreams:main:ProfileOptions:toolsWithHistory", "true"));
        const string weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", "{}")));
        var id = await StartConversationAsync();
        var asked = await CreateAsync($$"""{"conversation":"{{id}}","input":"Weather?","tools":[{{weather}}]}""");

        await CreateAsync($$"""{"conversation":"{{id}}","input":[{"type":"function_call_output","call_id":"{{asked.Text("output[0].call_id")}}","output":"sun"}]}""");

        Assert.Equal("get_weather", (string?)Upstream.LastCall.Body["tools"]![0]!["function"]!["name"]);
        Assert.Equal("none", (string?)Upstream.LastCall.Body["tool_choice"]);
    }

    private async Task<string> StartConversationAsync() => (await PostAsync("{}", path: Conversations)).AssertOk().Text("id")!;

    private async Task<IEnumerable<string?>> TypesAsync(string id) => (await GetAsync($"{Conversations}/{id}/items?order=asc")).AssertOk().Types("data");
}
