using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>What one answer of a model server may hold, and that nothing is waited for when its outcome is known.</summary>
public sealed class UpstreamLimitTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Tools = """[{"type":"function","name":"get_weather","parameters":{"type":"object"}}]""";

    [Theory]
    [InlineData(2, "completed", 2)]
    [InlineData(3, "failed", 2)]
    public async Task MoreCallsThanTheLimit_Streamed_FailWithoutWaitingForTheEnd(int calls, string status, int told)
    {
        await UseOwnGatewayAsync(("Gateway:Limits:UpstreamCalls", "2"));
        var stream = new ChatStream().Role();
        for (var i = 0; i < calls; i++)
        {
            stream.ToolCall(i, $"call_{i}", "get_weather", $$"""{"n":{{i}}}""");
        }

        Upstream.Enqueue(calls > 2 ? stream.Hold().End("tool_calls") : stream.End("tool_calls"));

        var response = (await StreamAsync($$"""{"input":"Go","tools":{{Tools}}}""").WaitAsync(TimeSpan.FromSeconds(20), Cancellation)).Final;

        Assert.Equal((status, told), (response.Text("status"), response.Each("output").Count()));
        if (status == "failed")
        {
            Assert.Equal(
                ("upstream_error", "The model server made more tool calls in one answer than this gateway takes: the limit is 2."),
                (response.Text("error.code"), response.Text("error.message")));
            Assert.Equal(["protocol"], Gateway.Metrics.Of("gateway.upstream.requests").Select(m => (string?)m.Tags["outcome"]));
        }
    }

    [Theory]
    [InlineData(2, "completed")]
    [InlineData(3, "failed")]
    public async Task MoreCallsThanTheLimit_InOneDocument_Fail(int calls, string status)
    {
        await UseOwnGatewayAsync(("Gateway:Limits:UpstreamCalls", "2"));
        Upstream.Enqueue(ChatAnswer.Call([.. Enumerable.Range(0, calls).Select(i => new ChatToolCall($"call_{i}", "get_weather", $$"""{"n":{{i}}}"""))]));

        var response = (await PostAsync(WithModel($$"""{"input":"Go","tools":{{Tools}}}"""))).AssertOk();

        Assert.Equal(
            (status, status == "failed" ? "upstream_error" : null, 2),
            (response.Text("status"), response.Find("error.code")?.GetString(), response.Each("output").Count()));
    }

    [Fact]
    public async Task ErrorInAStreamThatStaysOpen_EndsTheResponseAtOnce()
    {
        await UseOwnGatewayAsync();
        Upstream.Enqueue(new ChatStream().Role().Text("Hal").Data("""{"error":{"message":"the model crashed","code":500}}""").Hold().Done().ToScript());

        var response = (await StreamAsync("""{"input":"Go"}""").WaitAsync(TimeSpan.FromSeconds(20), Cancellation)).Final;

        Assert.Equal(("failed", "Hal"), (response.Text("status"), response.OutputText()));
        await Upstream.LastCall.ClientLeft.WaitAsync(Cancellation);
    }
}
