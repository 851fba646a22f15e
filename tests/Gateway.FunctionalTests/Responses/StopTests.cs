using Gateway.Hosting;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Responses;

/// <summary>What becomes of responses that are being made when the gateway is told to stop.</summary>
public sealed class StopTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task StopSignal_StreamRuns_IsFinishedWithinTheDrainTime()
    {
        await UseOwnGatewayAsync();
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");
        await script.Hold.Reached;

        Gateway.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        script.Hold.Release();

        var stream = ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(("completed", Misbehaviours.Text), (stream.Final.Text("status"), stream.Text));
    }

    [Fact]
    public async Task DrainTime_IsOver_EndsTheStreamAsFailed()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream) with { Time = time });
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");
        await script.Hold.Reached;

        var drain = Gateway.Services.GetRequiredService<Drain>().StoppingAsync(Cancellation);
        time.Advance(TimeSpan.FromSeconds(30));
        await drain;

        var stream = ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(("failed", "gateway_stopping"), (stream.Final.Text("status"), stream.Final.Text("error.code")));
    }
}
