using System.Diagnostics.Metrics;
using Gateway.Telemetry;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Telemetry;

public sealed class GatewayMetricsTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().AddSingleton<GatewayMetrics>().BuildServiceProvider();
    private readonly MeterListener _listener = new();
    private readonly List<string> _seen = [];

    public GatewayMetricsTests()
    {
        var factory = _services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // Only this test's meters: others of the same name belong to tests that run at the same time.
            if (ReferenceEquals(instrument.Meter.Scope, factory))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
    }

    private GatewayMetrics Metrics => _services.GetRequiredService<GatewayMetrics>();

    public void Dispose()
    {
        _listener.Dispose();
        _services.Dispose();
    }

    [Fact]
    public void EachMoment_IsRecordedWithItsNameUnitAndTags()
    {
        _listener.Start();

        Metrics.ResponseFinished("openai", "completed", stream: true, TimeSpan.FromSeconds(1.5));
        Metrics.FirstChunkArrived("local", stream: false, TimeSpan.FromMilliseconds(250));
        Metrics.TokensUsed(input: 10, cached: 4, output: 7, reasoning: 0);
        Metrics.ChainLoaded(12, TimeSpan.FromMilliseconds(2));
        Metrics.StreamOpened();
        Metrics.StreamClosed();
        Metrics.ErrorTold(429, "rate_limit_exceeded");
        Metrics.ErrorTold(502, null);

        Assert.Equal(
            [
                "gateway.responses {response} 1 gateway.dialect=openai gateway.response.status=completed gateway.stream=true",
                "gen_ai.server.request.duration s 1.5 gateway.dialect=openai gateway.response.status=completed gateway.stream=true",
                "gen_ai.client.operation.time_to_first_chunk s 0.25 gateway.upstream=local gateway.stream=false",
                "gateway.tokens {token} 10 gen_ai.token.type=input",
                "gateway.tokens {token} 4 gen_ai.token.type=cached",
                "gateway.tokens {token} 7 gen_ai.token.type=output",
                "gateway.chain.length {turn} 12",
                "gateway.chain.load.duration s 0.002",
                "gateway.open_streams {stream} 1",
                "gateway.open_streams {stream} -1",
                "gateway.errors {error} 1 error.type=rate_limit_exceeded http.response.status_class=4xx",
                "gateway.errors {error} 1 error.type=none http.response.status_class=5xx",
            ],
            _seen);
    }

    [Fact]
    public void EachMoment_NobodyListens_AllocatesNothing()
    {
        var metrics = Metrics;
        Record(metrics);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var i = 0; i < 100; i++)
        {
            Record(metrics);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static void Record(GatewayMetrics metrics)
        {
            metrics.ResponseFinished("openai", "completed", stream: true, TimeSpan.FromSeconds(1));
            metrics.FirstChunkArrived("local", stream: true, TimeSpan.FromSeconds(1));
            metrics.TokensUsed(1, 2, 3, 4);
            metrics.ChainLoaded(1, TimeSpan.FromSeconds(1));
            metrics.ErrorTold(400, "invalid_value");
        }
    }

    private void Note<T>(Instrument instrument, T value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var text = FormattableString.Invariant($"{instrument.Name} {instrument.Unit} {value}");
        foreach (var (key, tag) in tags)
        {
            text += $" {key}={tag}";
        }

        _seen.Add(text);
    }
}
