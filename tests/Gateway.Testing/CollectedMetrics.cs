using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Gateway.Testing;

/// <summary>One measurement with its tags.</summary>
public sealed record CollectedMeasurement(string Instrument, double Value, IReadOnlyDictionary<string, object?> Tags);

/// <summary>Keeps what the meters of one gateway measure: meters made by its own <see cref="IMeterFactory"/>, so that gateways side by side do not mix.</summary>
public sealed class CollectedMetrics : IDisposable
{
    private const int MaxKept = 100_000;

    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<CollectedMeasurement> _measurements = new();

    public CollectedMetrics(IMeterFactory factory)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, factory))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    public IEnumerable<CollectedMeasurement> Of(string instrument) => _measurements.Where(m => m.Instrument == instrument);

    /// <summary>The sum of an instrument's measurements: a counter's value, or that of an up-down counter.</summary>
    public double Sum(string instrument) => Of(instrument).Sum(m => m.Value);

    /// <summary>Asks the observable instruments for their values.</summary>
    public void Observe() => _listener.RecordObservableInstruments();

    public void Dispose() => _listener.Dispose();

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (_measurements.Count < MaxKept)
        {
            _measurements.Enqueue(new CollectedMeasurement(instrument.Name, value, new Dictionary<string, object?>(tags.ToArray())));
        }
    }
}
