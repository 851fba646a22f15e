using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Gateway.Testing;

/// <summary>One measurement with its tags.</summary>
public sealed record CollectedMeasurement(string Instrument, double Value, IReadOnlyDictionary<string, object?> Tags);

/// <summary>
/// Keeps what the meters of one gateway measure: meters made by its own <see cref="IMeterFactory"/>, so that gateways side by side do not mix. Not the
/// server's memory pool, which measures every block that it gives out.
/// </summary>
public sealed class CollectedMetrics : IDisposable
{
    /// <summary>How many measurements are kept; with more no sum is right, and asking for one is an error.</summary>
    public const int MaxKept = 100_000;

    private const string MemoryPool = "aspnetcore.memory_pool.";

    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<CollectedMeasurement> _measurements = new();
    private volatile bool _isFull;
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public CollectedMetrics(IMeterFactory factory)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, factory) && !instrument.Name.StartsWith(MemoryPool, StringComparison.Ordinal))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    /// <exception cref="InvalidOperationException">There were more than are kept.</exception>
    public IEnumerable<CollectedMeasurement> Of(string instrument) => _isFull
        ? throw new InvalidOperationException($"More than {MaxKept} measurements were made: some are not kept.")
        : _measurements.Where(m => m.Instrument == instrument);

    /// <summary>The sum of an instrument's measurements: a counter's value, or that of an up-down counter.</summary>
    public double Sum(string instrument) => Of(instrument).Sum(m => m.Value);

    /// <summary>Waits until the sum of an instrument is this: a gateway may measure just after its client has read the answer.</summary>
    /// <exception cref="TimeoutException">It was not within ten seconds.</exception>
    public Task WaitForSumAsync(string instrument, double sum) =>
        WaitAsync(() => Math.Abs(Sum(instrument) - sum) < 1e-9, () => $"{instrument} is {Sum(instrument)}, not {sum}.");

    /// <summary>Waits until an instrument has measured so often.</summary>
    /// <exception cref="TimeoutException">It had not within ten seconds.</exception>
    public Task WaitForCountAsync(string instrument, int count) =>
        WaitAsync(() => Of(instrument).Count() == count, () => $"{instrument} has measured {Of(instrument).Count()} times, not {count}.");

    private async Task WaitAsync(Func<bool> isSo, Func<string> otherwise)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            var next = _next.Task;
            if (isSo())
            {
                return;
            }

            try
            {
                await next.WaitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException(otherwise());
            }
        }
    }

    /// <summary>Asks the observable instruments for their values.</summary>
    public void Observe() => _listener.RecordObservableInstruments();

    public void Dispose() => _listener.Dispose();

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (_measurements.Count < MaxKept)
        {
            _measurements.Enqueue(new CollectedMeasurement(instrument.Name, value, new Dictionary<string, object?>(tags.ToArray())));
        }
        else
        {
            _isFull = true;
        }

        Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }
}
