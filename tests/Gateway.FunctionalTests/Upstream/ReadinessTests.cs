using Gateway.Telemetry;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>What <c>/health/ready</c> says of model servers: never that this replica should be taken out for them.</summary>
public sealed class ReadinessTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(10);
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);

    [Fact]
    public async Task AllUpstreamsDownAtTheStart_IsReadyAllTheSame_AndTellsWhenTheyAnswer()
    {
        await UseOwnUpstreamAsync();
        var other = Own(await ScriptedUpstream.StartAsync());
        await Upstream.DisposeAsync();
        await other.DisposeAsync();

        // The start waits for 200.
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Upstreams:other:Address", other.Address.AbsoluteUri), ("Gateway:Upstreams:other:Models:0", "other")) with
        {
            Time = _time,
        });
        await AdvanceUntilAsync(_time, ProbeInterval, () => Upstreams.Status == "down");

        await AssertReadyAsync("down", "2 of 2 upstreams have no model server that answers its probes.");
        var refused = await PostAsync(WithModel("""{"input":"Hi"}"""));
        refused.AssertError(503, "upstream_unavailable", null, "server_error");
        Assert.NotNull(refused.Headers.RetryAfter);

        Own(await ScriptedUpstream.StartAsync(Upstream.Address.Port));
        await AdvanceUntilAsync(_time, ProbeInterval, () => Upstreams.Status == "degraded");
        await AssertReadyAsync("degraded", "1 of 2 upstreams have no model server that answers its probes.");
        await CreateAsync("""{"input":"Hi"}""");

        Own(await ScriptedUpstream.StartAsync(other.Address.Port));
        await AdvanceUntilAsync(_time, ProbeInterval, () => Upstreams.Status == "ok");
        await AssertReadyAsync("ok", null);
    }

    [Fact]
    public async Task UpstreamsWithoutProbes_AreNotJudged()
    {
        await UseOwnUpstreamAsync();
        await Upstream.DisposeAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Upstreams:main:Health:Path", "")) with { Time = _time });

        (await PostAsync(WithModel("""{"input":"Hi"}"""))).AssertError(503, "upstream_unavailable", null, "server_error");
        _time.Advance(4 * ProbeInterval);

        await AssertReadyAsync("ok", null);
    }

    private ReadinessState Upstreams => Gateway.Services.GetServices<IReadinessPart>().Single(part => part.Name == "upstreams").Check();

    private async Task AssertReadyAsync(string status, string? detail)
    {
        var ready = (await GetAsync("/health/ready")).AssertOk();
        Assert.Equal(
            ("ok", true, status, detail),
            (ready.Text("status"), ready.At("parts.upstreams.ready").GetBoolean(), ready.Text("parts.upstreams.status"), ready.Find("parts.upstreams.detail")?.GetString()));
    }
}
