namespace Gateway.Runs;

/// <summary>
/// The newest stored events of a run that this replica makes, for followers on the same replica: they need not ask the store for what was put there a
/// moment ago.
/// </summary>
/// <param name="end">The number of events that are in the store already.</param>
internal sealed class RunTail(long end)
{
    private const int MostEvents = 512;
    private const int MostBytes = 256 * 1024;
    private readonly Lock _lock = new();
    private readonly List<ReadOnlyMemory<byte>> _events = [];
    private readonly List<Action> _wakes = [];
    private long _end = end;
    private int _bytes;

    /// <summary>The first of <see cref="_events"/> that is still given out; those before it go now and then, many at once.</summary>
    private int _head;
    private bool _isClosed;

    /// <summary>Takes events that the store has taken.</summary>
    /// <param name="first">The sequence number of the first.</param>
    /// <param name="events">The events.</param>
    public void Add(long first, IReadOnlyList<ReadOnlyMemory<byte>> events)
    {
        Action[] wakes;
        lock (_lock)
        {
            foreach (var json in events)
            {
                _events.Add(json);
                _bytes += json.Length;
            }

            while (_events.Count - _head > MostEvents || _bytes > MostBytes)
            {
                _bytes -= _events[_head].Length;
                _events[_head++] = default;
            }

            if (_head > MostEvents)
            {
                _events.RemoveRange(0, _head);
                _head = 0;
            }

            _end = first + events.Count;
            wakes = [.. _wakes];
        }

        WakeAll(wakes);
    }

    /// <summary>Only the store can tell how the run goes on.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_lock)
            {
                return _isClosed;
            }
        }
    }

    /// <summary>The run has ended, or left this replica: whoever follows it asks the store from now on.</summary>
    public void Close()
    {
        Action[] wakes;
        lock (_lock)
        {
            _isClosed = true;
            wakes = [.. _wakes];
        }

        WakeAll(wakes);
    }

    /// <summary>The events from a number on, none when there are no more so far. Null when only the store can tell.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>>? Read(long from)
    {
        lock (_lock)
        {
            var count = _end - from;
            return _isClosed || count > _events.Count - _head || count < 0 ? null
                : count == 0 ? []
                : _events.GetRange(_events.Count - (int)count, (int)count);
        }
    }

    /// <summary>Calls <paramref name="wake"/> after each change, until disposed.</summary>
    public IDisposable Watch(Action wake)
    {
        lock (_lock)
        {
            _wakes.Add(wake);
        }

        return new Watcher(this, wake);
    }

    private static void WakeAll(Action[] wakes)
    {
        foreach (var wake in wakes)
        {
            wake();
        }
    }

    private sealed class Watcher(RunTail tail, Action wake) : IDisposable
    {
        public void Dispose()
        {
            lock (tail._lock)
            {
                tail._wakes.Remove(wake);
            }
        }
    }
}
