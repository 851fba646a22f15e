using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Gateway.Store;

/// <summary>What operators see of the store.</summary>
internal sealed class StoreMetrics
{
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096],
    };

    private readonly Histogram<double> _duration;
    private readonly Counter<long> _incomplete;
    private readonly Counter<long> _unacknowledged;
    private volatile bool _evicting;

    public StoreMetrics(IMeterFactory meterFactory)
    {
        var meter = meterFactory.Create("Gateway");
        _duration = meter.CreateHistogram("gateway.store.duration", "s", "How long an operation of the store took.", advice: Seconds);
        _incomplete = meter.CreateCounter<long>(
            "gateway.chain.incomplete", "{chain}", "Chains that could not be continued because a turn of their history is erased or lost.");
        _unacknowledged = meter.CreateCounter<long>(
            "gateway.store.unacknowledged", "{write}", "Writes that fewer replicas of Redis than asked for had acknowledged in time.");
        meter.CreateObservableGauge(
            "gateway.store.evicting", () => _evicting ? 1 : 0, null, "1 when Redis may evict live chains (its maxmemory_policy is not noeviction).");
    }

    public void Measured(string operation, string outcome, TimeSpan duration)
    {
        if (_duration.Enabled)
        {
            var tags = new TagList { { "operation", operation }, { "outcome", outcome } };
            _duration.Record(duration.TotalSeconds, tags);
        }
    }

    public void ChainIncomplete() => _incomplete.Add(1);

    public void Unacknowledged() => _unacknowledged.Add(1);

    public void EvictionSeen(bool evicting) => _evicting = evicting;
}
