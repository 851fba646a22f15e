namespace Gateway.Upstream;

/// <summary>
/// Takes places at destinations, and lets calls wait while all that could take them are full. A place that comes free goes to the call that
/// has waited longest and can use it; tenants take turns, so that one tenant's many calls do not keep another's one waiting behind all of them.
/// A call waits in the queue of the upstream that is preferred for its model, and by that upstream's settings, for any of its destinations.
/// </summary>
internal sealed class PlaceQueue : IDisposable
{
    /// <summary>Places may also appear without one being given back: a destination comes back, or a limit is raised.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>The outcome of a wait that ended well.</summary>
    private const string Placed = "placed";

    /// <summary>The turns of so many tenants without a waiting call are kept.</summary>
    private const int MostIdleTenants = 64;

    private readonly DestinationPicker _picker;
    private readonly UpstreamMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiters = [];
    private readonly Dictionary<string, int> _lengths = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, long> _nextTurns = new(StringComparer.Ordinal);
    private readonly ITimer _timer;
    private long _turn;
    private int _count;

    public PlaceQueue(DestinationPicker picker, UpstreamMetrics metrics, TimeProvider time)
    {
        _picker = picker;
        _metrics = metrics;
        _time = time;
        _timer = time.CreateTimer(static queue => ((PlaceQueue)queue!).HandOut(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        picker.Freed += HandOut;
    }

    /// <summary>A place for the next attempt of a call, or why there is none.</summary>
    /// <param name="call">The call.</param>
    /// <param name="again">A destination that failed the call is better than none.</param>
    /// <param name="mayWait">The call waits for a place.</param>
    /// <param name="cancellationToken">The caller gave up.</param>
    public ValueTask<Place> EnterAsync(UpstreamCall call, bool again, bool mayWait, CancellationToken cancellationToken)
    {
        if (mayWait && Volatile.Read(ref _count) > 0)
        {
            // Nobody overtakes those that wait.
            return WaitAsync(call, again, cancellationToken);
        }

        var place = _picker.TryPick(call, again);
        return place.Missing == NoPlace.Full && mayWait ? WaitAsync(call, again, cancellationToken) : new(place);
    }

    public void Dispose()
    {
        _picker.Freed -= HandOut;
        _timer.Dispose();
    }

    private async ValueTask<Place> WaitAsync(UpstreamCall call, bool again, CancellationToken cancellationToken)
    {
        if (_picker.CandidatesOf(call.Routes) is not [{ Upstream: var upstream }, ..])
        {
            return new Place(NoPlace.Unavailable);
        }

        var waiter = new Waiter(call, again, upstream.Name, _time.GetTimestamp());
        lock (_lock)
        {
            if (_lengths.GetValueOrDefault(upstream.Name) >= upstream.MaxQueued)
            {
                HandOutLocked();
                var place = _picker.TryPick(call, again);
                return place.Missing == NoPlace.Full ? new Place(NoPlace.QueueFull) : place;
            }

            Add(waiter);
            HandOutLocked();
        }

        try
        {
            return await waiter.Placed.WaitAsync(upstream.QueueTimeout, _time, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            lock (_lock)
            {
                if (waiter.Node is not null)
                {
                    Remove(waiter, e is TimeoutException ? "timeout" : "cancelled");
                    waiter.Set(new Place(NoPlace.QueueTimeout));
                }
            }

            // A place that came in the same moment is used, or given back.
            var place = await waiter.Placed;
            if (e is TimeoutException)
            {
                return place;
            }

            if (place.IsTaken)
            {
                _picker.Leave(place);
            }

            throw;
        }
    }

    /// <summary>Gives each call that waits, in their order, the place that it can have now.</summary>
    private void HandOut()
    {
        if (Volatile.Read(ref _count) > 0)
        {
            lock (_lock)
            {
                HandOutLocked();
            }
        }
    }

    private void HandOutLocked()
    {
        ModelRoutes? full = null;
        for (var node = _waiters.First; node is not null;)
        {
            var waiter = node.Value;
            node = node.Next;
            // Those that want the same as one that got nothing need not be looked at.
            if (ReferenceEquals(waiter.Call.Routes, full))
            {
                continue;
            }

            var place = _picker.TryPick(waiter.Call, waiter.Again);
            if (place.Missing == NoPlace.Full)
            {
                full = waiter.Call.Tried.Count == 0 && !waiter.Call.HasExcluded ? waiter.Call.Routes : full;
                continue;
            }

            Remove(waiter, place.IsTaken ? Placed : "unavailable");
            waiter.Set(place);
        }
    }

    private void Add(Waiter waiter)
    {
        // Start-time fair queueing: one call of each tenant a turn; a tenant that had none waiting begins with the turn that is on.
        waiter.Turn = Math.Max(_turn, _nextTurns.GetValueOrDefault(waiter.Call.Tenant));
        _nextTurns[waiter.Call.Tenant] = waiter.Turn + 1;
        var before = _waiters.Last;
        while (before is not null && before.Value.Turn > waiter.Turn)
        {
            before = before.Previous;
        }

        waiter.Node = before is null ? _waiters.AddFirst(waiter) : _waiters.AddAfter(before, waiter);
        _lengths[waiter.Upstream] = _lengths.GetValueOrDefault(waiter.Upstream) + 1;
        Volatile.Write(ref _count, _waiters.Count);
        _metrics.Queued(waiter.Upstream);
        if (_waiters.Count == 1)
        {
            _timer.Change(LookAgain, LookAgain);
        }
    }

    private void Remove(Waiter waiter, string outcome)
    {
        _waiters.Remove(waiter.Node!);
        waiter.Node = null;
        _turn = outcome == Placed ? Math.Max(_turn, waiter.Turn) : _turn;
        _metrics.Dequeued(waiter.Upstream, outcome, _time.GetElapsedTime(waiter.Since));
        if (--_lengths[waiter.Upstream] == 0)
        {
            _lengths.Remove(waiter.Upstream);
        }

        Volatile.Write(ref _count, _waiters.Count);
        if (_waiters.Count == 0)
        {
            _nextTurns.Clear();
            _turn = 0;
            _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
        else if (_nextTurns.Count > (2 * _waiters.Count) + MostIdleTenants)
        {
            foreach (var (tenant, next) in _nextTurns.ToList())
            {
                if (next <= _turn + 1)
                {
                    _nextTurns.Remove(tenant);
                }
            }
        }
    }

    /// <summary>A call that waits.</summary>
    private sealed class Waiter(UpstreamCall call, bool again, string upstream, long since)
    {
        private readonly TaskCompletionSource<Place> _placed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public UpstreamCall Call => call;

        public bool Again => again;

        /// <summary>Whose queue it is.</summary>
        public string Upstream => upstream;

        public long Since => since;

        public long Turn { get; set; }

        /// <summary>Its place in the queue; null when it waits no longer.</summary>
        public LinkedListNode<Waiter>? Node { get; set; }

        public Task<Place> Placed => _placed.Task;

        public void Set(Place place) => _placed.SetResult(place);
    }
}
