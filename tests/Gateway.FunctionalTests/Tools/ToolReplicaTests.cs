using System.Text.Json;
using Gateway.FunctionalTests.Store;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;
using ModelContextProtocol.Protocol;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Server-run tools and approvals on two replicas over one Redis.</summary>
public sealed class ToolReplicaTests : SharedRedisTest
{
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

    [Fact]
    public async Task Approval_OnTheOtherReplica_RunsOnce()
    {
        var asked = await AskAsync(One, "srv__echo", """{"message":"hi"}""");

        var answered = (await PostAsync(Two, Answer(asked))).AssertOk();

        Assert.Equal(["mcp_call", "message"], answered.Types("output"));
        Assert.Equal("Echo: hi", answered.Text("output[0].output"));
        (await PostAsync(One, Answer(asked))).AssertError(400, "invalid_value", "input[0].approval_request_id");
        (await PostAsync(Two, Answer(asked))).AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Single(_server.Calls);
        Assert.Single(_server.Of(RequestMethods.ToolsList));
    }

    [Fact]
    public async Task Approval_OnBothReplicasAtOnce_RunsOnOne()
    {
        using var held = new HeldMcpTool();
        _server.Add(held.Tool);
        var asked = await AskAsync(One, "srv__held", "{}");

        var first = PostAsync(Two, Answer(asked));
        await held.ReachedAsync(Cancellation);
        var second = await PostAsync(One, Answer(asked));
        held.Release();

        second.AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Equal("released", (await first).AssertOk().Text("output[0].output"));
        Assert.Single(_server.Calls);
    }

    [Fact]
    public async Task Approval_GivenInARace_RunsOnce()
    {
        var asked = await AskAsync(One, "srv__echo", """{"message":"hi"}""");

        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => PostAsync(i % 2 == 0 ? One : Two, Answer(asked))));

        var answered = Assert.Single(replies, reply => (int)reply.Status == 200);
        Assert.All(replies.Where(reply => reply != answered), reply => reply.AssertError(400, "invalid_value", "input[0].approval_request_id"));
        Assert.Single(_server.Calls);
    }

    [Fact]
    public async Task Approval_WhoseCallCouldNotBegin_MayBeGivenAgain()
    {
        var asked = await AskAsync(One, "srv__echo", """{"message":"hi"}""");
        var refused = await PostAsync(Two, Answer(asked, more: """,{"type":"mcp","server_label":"gone","server_url":"http://127.0.0.1:1/mcp"}"""));
        refused.AssertError(424, "http_error", "tools", "external_connector_error");

        var answered = (await PostAsync(One, Answer(asked))).AssertOk();

        Assert.Equal("Echo: hi", answered.Text("output[0].output"));
        Assert.Single(_server.Calls);
    }

    [Fact]
    public async Task Chain_WithServerRunCalls_GoesFromReplicaToReplica()
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "srv__echo", """{"message":"hi"}"""))).Enqueue(ChatAnswer.Say("A1"));
        var first = (await PostAsync(One, $$"""{"input":"Q1","tools":[{{Tool("never")}}]}""")).AssertOk();
        var told = Upstream.LastCall.Messages.ToJsonString();

        var second = (await PostAsync(Two, $$"""{"input":"Q2","previous_response_id":"{{first.Text("id")}}","tools":[{{Tool("never")}}]}""")).AssertOk();

        Assert.Equal(["message"], second.Types("output"));
        Assert.StartsWith(told[..^1], Upstream.LastCall.Messages.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(["user", "assistant", "tool", "assistant", "user"], Upstream.LastCall.Roles);
        Assert.Single(_server.Of(RequestMethods.ToolsList));
    }

    private async Task<JsonElement> AskAsync(TestGateway gateway, string tool, string arguments)
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", tool, arguments)));
        var asked = (await PostAsync(gateway, $$"""{"input":"Go","tools":[{{Tool("always")}}]}""")).AssertOk();
        Assert.Equal(["mcp_list_tools", "mcp_approval_request"], asked.Types("output"));
        Assert.Empty(_server.Calls);
        return asked;
    }

    private string Answer(JsonElement asked, string more = "") =>
        $$"""
        {"previous_response_id":"{{asked.Text("id")}}","tools":[{{Tool("always")}}{{more}}],
         "input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Text("output[1].id")}}","approve":true}]}
        """;

    private string Tool(string approval) =>
        $$"""{"type":"mcp","server_label":"srv","server_url":"{{_server.Endpoint}}","require_approval":"{{approval}}"}""";
}
