using System.Text;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Responses;

/// <summary>A response may take so long and no longer: <c>Gateway:Limits:ResponseTime</c>.</summary>
public sealed class ResponseTimeTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);

    [Fact]
    public async Task Stream_TakesLongerThanTheLimit_EndsAsFailedAndLeavesTheUpstream()
    {
        await UseLimitedGatewayAsync();
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");
        await script.Hold.Reached;

        _time.Advance(Limit);

        var stream = ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(("failed", "response_timeout"), (stream.Final.Text("status"), stream.Final.Text("error.code")));
        await Upstream.LastCall.ClientLeft.WaitAsync(Cancellation);
        await Gateway.Metrics.WaitForSumAsync("gateway.errors", 1);
        Assert.Equal("response_timeout", Gateway.Metrics.Of("gateway.errors").Single().Tags["error.type"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task NothingWasSent_LimitPasses_Is504(bool streamed)
    {
        await UseLimitedGatewayAsync(("Gateway:Limits:KeepAliveInterval", "00:05:00"));
        var script = Misbehaviours.Of(Misbehaviour.HangBeforeFirstByte).Single().Script;
        Upstream.Enqueue(script);
        var answer = PostAsync(WithModel($$"""{"input":"Hi","stream":{{(streamed ? "true" : "false")}}}"""));
        await script.Hold.Reached;

        _time.Advance(Limit);

        var reply = await answer;
        Assert.Equal((504, "response_timeout"), ((int)reply.Status, reply.Json.Text("error.code")));
    }

    [Fact]
    public async Task ClientReadsNothing_LimitAndPatienceAreOver_LosesItsPlace()
    {
        await UseLimitedGatewayAsync();
        // One event is more than the client's small buffer and the gateway's own take: while a client has its beginning only, the rest is being written.
        Upstream.Enqueue(new ChatStream().Role().Text(new string('x', 12 * 1024 * 1024)).Hold().End());
        using var client = ClientWithSmallBuffer();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses")
        {
            Content = new StringContent(WithModel("""{"input":"Hi","stream":true}"""), Encoding.UTF8, "application/json"),
        };
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await using var body = await response.Content.ReadAsStreamAsync(Cancellation);
        await body.ReadExactlyAsync(new byte[64 * 1024], Cancellation);

        _time.Advance(Limit);
        await (await Upstream.NextCallAsync(Cancellation)).ClientLeft.WaitAsync(Cancellation);
        Assert.Equal(1, Gateway.Metrics.Sum("gateway.open_streams"));
        _time.Advance(TimeSpan.FromSeconds(30));

        await Gateway.Metrics.WaitForSumAsync("gateway.open_streams", 0);
    }

    private async Task UseLimitedGatewayAsync(params IEnumerable<(string Key, string Value)> settings)
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, settings.Append(("Gateway:Limits:ResponseTime", Limit.ToString("c")))) with { Time = _time });
    }
}
