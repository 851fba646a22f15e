using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Gateway.Upstream;

/// <summary>What happens towards the model servers. Tags have few values: the upstream's name, the destination's address and the outcome.</summary>
internal sealed class UpstreamMetrics
{
    private const string UpstreamTag = "upstream";
    private const string DestinationTag = "destination";

    private readonly Counter<long> _requests;
    private readonly Histogram<double> _timeToHeaders;
    private readonly UpDownCounter<long> _inFlight;
    private readonly Counter<long> _ejections;
    private readonly Counter<long> _retries;
    private readonly UpDownCounter<long> _queued;
    private readonly ConcurrentDictionary<string, int> _queuedNow = new(StringComparer.OrdinalIgnoreCase);
    private readonly Histogram<double> _queueTime;
    private readonly Counter<long> _inputTokens;
    private readonly Counter<long> _cachedTokens;

    public UpstreamMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("Gateway");
        _requests = meter.CreateCounter<long>("gateway.upstream.requests", "{request}", "Attempts to send a request to a model server.");
        _timeToHeaders = meter.CreateHistogram("gateway.upstream.time_to_headers", "s", "Time from sending a request to the headers of its answer.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600] });
        _inFlight = meter.CreateUpDownCounter<long>("gateway.upstream.in_flight", "{request}", "Requests that a model server is working on.");
        _ejections = meter.CreateCounter<long>("gateway.upstream.ejections", "{ejection}", "Times that a destination was left alone after failures.");
        _retries = meter.CreateCounter<long>("gateway.upstream.retries", "{retry}", "Further attempts of calls that failed, made or refused for want of budget.");
        _queued = meter.CreateUpDownCounter<long>("gateway.upstream.queued", "{request}", "Requests that wait for a place at a model server.");
        _queueTime = meter.CreateHistogram("gateway.upstream.queue_time", "s", "Time that requests waited for a place at a model server.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600] });
        _inputTokens = meter.CreateCounter<long>("gateway.upstream.input_tokens", "{token}", "Input tokens that a destination reported.");
        _cachedTokens = meter.CreateCounter<long>("gateway.upstream.cached_tokens", "{token}", "Input tokens that a destination reported to have had in its prompt cache.");
    }

    public void Started(DestinationStats destination) => AddInFlight(1, destination);

    public void Ended(DestinationStats destination) => AddInFlight(-1, destination);

    /// <summary>A destination is left alone for a while.</summary>
    public void TakenOut(DestinationStats destination, string outcome) => _ejections.Add(
        1, new KeyValuePair<string, object?>(UpstreamTag, destination.Upstream), new KeyValuePair<string, object?>(DestinationTag, destination.Id), new KeyValuePair<string, object?>("outcome", outcome));

    /// <summary>A call that failed was, or was not, to be tried again.</summary>
    public void Retried(string upstream, bool withinBudget) => _retries.Add(
        1, new KeyValuePair<string, object?>(UpstreamTag, upstream), new KeyValuePair<string, object?>("budget", withinBudget ? "within" : "exhausted"));

    /// <summary>A call waits for a place.</summary>
    public void Queued(string upstream)
    {
        _queuedNow.AddOrUpdate(upstream, 1, static (_, before) => before + 1);
        _queued.Add(1, new KeyValuePair<string, object?>(UpstreamTag, upstream));
    }

    /// <summary>How many calls wait in the queue of the upstream now, as the instrument has it too.</summary>
    public int QueuedAt(string upstream) => _queuedNow.GetValueOrDefault(upstream);

    /// <summary>A call no longer waits.</summary>
    /// <param name="upstream">The upstream whose queue it was.</param>
    /// <param name="outcome">What it waits no longer for: placed, timeout, cancelled or unavailable.</param>
    /// <param name="elapsed">How long it waited.</param>
    public void Dequeued(string upstream, string outcome, TimeSpan elapsed)
    {
        _queuedNow.AddOrUpdate(upstream, 0, static (_, before) => before - 1);
        _queued.Add(-1, new KeyValuePair<string, object?>(UpstreamTag, upstream));
        _queueTime.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>(UpstreamTag, upstream), new KeyValuePair<string, object?>("outcome", outcome));
    }

    /// <summary>A destination reported its usage; cached tokens are a part of the input.</summary>
    public void TokensUsed(DestinationStats destination, long input, long cached)
    {
        var upstreamTag = new KeyValuePair<string, object?>(UpstreamTag, destination.Upstream);
        var destinationTag = new KeyValuePair<string, object?>(DestinationTag, destination.Id);
        _inputTokens.Add(input, upstreamTag, destinationTag);
        _cachedTokens.Add(cached, upstreamTag, destinationTag);
    }

    public void Attempted(string upstream, string outcome) =>
        _requests.Add(1, new TagList { { UpstreamTag, upstream }, { "outcome", outcome } });

    public void HeadersReceived(string upstream, TimeSpan elapsed) =>
        _timeToHeaders.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>(UpstreamTag, upstream));

    private void AddInFlight(int change, DestinationStats destination) => _inFlight.Add(
        change, new KeyValuePair<string, object?>(UpstreamTag, destination.Upstream), new KeyValuePair<string, object?>(DestinationTag, destination.Id));
}
