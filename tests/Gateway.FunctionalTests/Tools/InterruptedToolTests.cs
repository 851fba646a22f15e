using System.Text.Json;
using Gateway.Hosting;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Tools;

/// <summary>What is told and kept of a response whose time is over, or whose gateway stops, while tools run: all that happened until then.</summary>
public sealed class InterruptedToolTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Interrupted = "The response ended before this call did. It may have run.";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task TimeIsOver_CallsBesideTheOneThatRuns_AreToldAndKept(bool streamed)
    {
        using var held = await StartWithClockAsync();
        Upstream.Enqueue(
            Calls(("srv__echo", Echo("first"))),
            Calls(("srv__held", "{}"), ("srv__echo", Echo("second")), ("srv__no_such_tool", "{}"), ("srv__held", """{"n":1}"""), ("srv__failing", "{}")));
        var answer = AnswerAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);
        await held.ReachedAsync(Cancellation);
        await held.ReachedAsync(Cancellation);
        await Gateway.Metrics.WaitForCountAsync("gateway.tool.call.duration", 3);

        _time.Advance(Limit);

        var response = await answer;
        Assert.Equal(("failed", "response_timeout"), (response.Text("status"), response.Text("error.code")));
        Assert.Equal(
            [
                "echo completed Echo: first", $"held failed {Interrupted}", "echo completed Echo: second", $"held failed {Interrupted}",
                "failing failed The tool failed.",
            ],
            CallsOf(response));
        Assert.Equal((22, 14), (response.Number("usage.input_tokens"), response.Number("usage.output_tokens")));
        await AssertKeptAsync(response);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task DrainTimeIsOver_InALaterRound_KeepsTheTokensOfTheOnesBefore(bool streamed)
    {
        using var held = await StartWithClockAsync(2 * Limit);
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")))).Enqueue(script);
        var answer = AnswerAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);
        await script.Hold.Reached;

        var drain = Gateway.Services.GetRequiredService<Drain>().StoppingAsync(Cancellation);
        _time.Advance(TimeSpan.FromSeconds(30));
        await drain;

        var response = await answer;
        Assert.Equal(("failed", "gateway_stopping"), (response.Text("status"), response.Text("error.code")));
        Assert.Equal(["echo completed Echo: hi"], CallsOf(response));
        Assert.Equal((11, 7), (response.Number("usage.input_tokens"), response.Number("usage.output_tokens")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task TimeIsOver_DuringAnApprovedCall_TellsThatItMayHaveRun(bool streamed)
    {
        using var held = await StartWithClockAsync();
        Upstream.Enqueue(Calls(("srv__held", "{}")));
        var tool = Mcp(approval: "always");
        var asked = await CreateAsync($$"""{"input":"Go","tools":[{{tool}}]}""");
        var approval = $$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{tool}}],
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Text("output[1].id")}}","approve":true}]}
            """;
        var answer = AnswerAsync(approval, streamed);
        await held.ReachedAsync(Cancellation);

        _time.Advance(Limit);

        var response = await answer;
        Assert.Equal(("failed", "response_timeout"), (response.Text("status"), response.Text("error.code")));
        Assert.Equal([$"held failed {Interrupted}"], CallsOf(response));
        await AssertKeptAsync(response);
        (await PostAsync(WithModel(approval))).AssertError(400, "invalid_value", "input[0].approval_request_id");
    }

    private async Task<HeldMcpTool> StartWithClockAsync(TimeSpan? limit = null)
    {
        var held = new HeldMcpTool();
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo, TestMcpTools.Failing, held.Tool);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream, ("Gateway:Tools:AllowedHosts:0", "127.0.0.1"), ("Gateway:Limits:ResponseTime", (limit ?? Limit).ToString("c"))) with
        { Time = _time });
        return held;
    }

    private async Task<JsonElement> AnswerAsync(string json, bool streamed) =>
        streamed ? (await StreamAsync(json)).Final : (await PostAsync(WithModel(json))).AssertOk();

    /// <summary>The response as it was told is the one that is kept.</summary>
    private async Task AssertKeptAsync(JsonElement response)
    {
        var kept = (await GetAsync("/v1/responses/" + response.Text("id"))).AssertOk();
        Assert.Equal((response.At("output").GetRawText(), response.At("usage").GetRawText()), (kept.At("output").GetRawText(), kept.At("usage").GetRawText()));
    }

    private static IEnumerable<string> CallsOf(JsonElement response) =>
        response.Each("output").Where(item => item.Text("type") == "mcp_call")
            .Select(call => $"{call.Text("name")} {call.Text("status")} {call.Find("error")?.GetString() ?? call.Find("output")?.GetString()}");
}
