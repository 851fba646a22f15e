using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Gateway.Upstream;

/// <summary>
/// Reads a stream and returns early, with the read still pending, whenever a tick is due: so that one loop can read an upstream, keep a
/// silent client connection alive and watch timeouts, without a second thread of control. Cancelling the read instead would cost the
/// connection, and a task and a timer for each wait would cost memory for each delta. For one reader at a time.
/// </summary>
internal sealed class TimedReader : IValueTaskSource<bool>, IDisposable
{
    private readonly Stream _stream;
    private readonly ITimer _timer;
    private readonly Action _onRead;
    private readonly Lock _lock = new();
    private ManualResetValueTaskSourceCore<bool> _signal = new() { RunContinuationsAsynchronously = true };
    private ConfiguredValueTaskAwaitable<int>.ConfiguredValueTaskAwaiter _pending;
    private bool _hasPending;
    private bool _readDone;
    private bool _waiting;
    private bool _tickDue;

    /// <param name="stream">The stream to read.</param>
    /// <param name="time">The clock of the ticks.</param>
    /// <param name="tick">The time between ticks.</param>
    public TimedReader(Stream stream, TimeProvider time, TimeSpan tick)
    {
        _stream = stream;
        _onRead = OnRead;
        _timer = time.CreateTimer(static state => ((TimedReader)state!).OnTick(), this, tick, tick);
    }

    /// <summary>
    /// Reads into <paramref name="buffer"/>. True when the read completed: <see cref="TakeResult"/> gives its count or throws what it threw.
    /// False on a tick: call again with the same buffer to go on waiting.
    /// </summary>
    public ValueTask<bool> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (!_hasPending)
        {
#pragma warning disable CA2012 // The awaiter is kept on purpose, and its result is taken once, by TakeResult.
            _pending = _stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false).GetAwaiter();
#pragma warning restore CA2012
            _hasPending = true;
            if (_pending.IsCompleted)
            {
                return new ValueTask<bool>(true);
            }

            _readDone = false;
            _pending.UnsafeOnCompleted(_onRead);
        }

        lock (_lock)
        {
            if (_readDone)
            {
                return new ValueTask<bool>(true);
            }

            if (_tickDue)
            {
                _tickDue = false;
                return new ValueTask<bool>(false);
            }

            _signal.Reset();
            _waiting = true;
            return new ValueTask<bool>(this, _signal.Version);
        }
    }

    /// <summary>The completed read's count; 0 at the end of the stream.</summary>
    public int TakeResult()
    {
        _hasPending = false;
        var pending = _pending;
        _pending = default;
        return pending.GetResult();
    }

    public void Dispose() => _timer.Dispose();

    bool IValueTaskSource<bool>.GetResult(short token) => _signal.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _signal.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _signal.OnCompleted(continuation, state, token, flags);

    private void OnRead()
    {
        lock (_lock)
        {
            _readDone = true;
            if (!_waiting)
            {
                return;
            }

            _waiting = false;
        }

        _signal.SetResult(true);
    }

    private void OnTick()
    {
        lock (_lock)
        {
            if (!_waiting)
            {
                _tickDue = true;
                return;
            }

            _waiting = false;
        }

        _signal.SetResult(false);
    }
}
