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
    private readonly Queue<ReadOnlyMemory<byte>> _events = new();
    private readonly List<Action> _wakes = [];
    private long _end = end;
    private int _bytes;
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
                _events.Enqueue(json);
                _bytes += json.Length;
            }

            while (_events.Count > MostEvents || _bytes > MostBytes)
            {
                _bytes -= _events.Dequeue().Length;
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
            return _isClosed || from < _end - _events.Count || from > _end
                ? null
                : [.. _events.Skip((int)(from - (_end - _events.Count)))];
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
