using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Gateway.Upstream;

/// <summary>What happens towards the model servers. Tags have few values: the upstream's name and the outcome.</summary>
internal sealed class UpstreamMetrics
{
    private readonly Counter<long> _requests;
    private readonly Histogram<double> _timeToHeaders;
    private readonly UpDownCounter<long> _inFlight;

    public UpstreamMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("Gateway");
        _requests = meter.CreateCounter<long>("gateway.upstream.requests", "{request}", "Attempts to send a request to a model server.");
        _timeToHeaders = meter.CreateHistogram("gateway.upstream.time_to_headers", "s", "Time from sending a request to the headers of its answer.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600] });
        _inFlight = meter.CreateUpDownCounter<long>("gateway.upstream.in_flight", "{request}", "Requests that a model server is working on.");
    }

    public void Started(string upstream) => _inFlight.Add(1, new KeyValuePair<string, object?>("upstream", upstream));

    public void Ended(string upstream) => _inFlight.Add(-1, new KeyValuePair<string, object?>("upstream", upstream));

    public void Attempted(string upstream, string outcome) =>
        _requests.Add(1, new TagList { { "upstream", upstream }, { "outcome", outcome } });

    public void HeadersReceived(string upstream, TimeSpan elapsed) =>
        _timeToHeaders.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("upstream", upstream));
}
