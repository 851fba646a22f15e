using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Gateway.Policy;
using Gateway.Protocol.Responses;
using Gateway.Responses;
using Gateway.Store;
using Microsoft.Extensions.Options;

namespace Gateway.Runs;

/// <summary>
/// The durable runs of this replica: accepts them, keeps their leases, takes what no replica makes, and hands everything over when the gateway
/// stops.
/// </summary>
internal sealed class RunHost : IHostedService, IAsyncDisposable
{
    /// <summary>A request to end a run is noticed within this time.</summary>
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(500);

    /// <summary>How often runs that nobody makes are looked for when nobody tells of them.</summary>
    private static readonly TimeSpan Scan = TimeSpan.FromSeconds(1);

    /// <summary>How long calls that run may take to finish when their run is handed over: cut off, nobody would know what they did.</summary>
    private static readonly TimeSpan CallPatience = TimeSpan.FromSeconds(5);

    /// <summary>How long a run that nobody can make waits. How long its response is kept is another matter, which begins with the commit.</summary>
    private static readonly TimeSpan QueuePatience = TimeSpan.FromDays(30);

    /// <summary>How many more runs are looked at than there is room for: those of a tenant that has enough to do must not keep the others waiting.</summary>
    private const int Spare = 256;

    /// <summary>The part of the queue that one tenant may fill, unless its policy says otherwise.</summary>
    private const int TenantShare = 4;

    /// <summary>When this much of a lease has gone by without a word from the store, the run is given up: another replica may take it soon.</summary>
    private const double SafePart = 0.7;

    private readonly IRunStore _runs;
    private readonly RunCreation _creation;
    private readonly RunExecutor _executor;
    private readonly RunTails _tails;
    private readonly RunSpecs _specs;
    private readonly ResponseMaker _maker;
    private readonly TenantDirectory _tenants;
    private readonly OpenStreamLimiter _limiter;
    private readonly RunOptions _options;
    private readonly RunMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger<RunHost> _logger;
    private readonly string _owner = RandomText.Of(16);
    private readonly ConcurrentDictionary<RunKey, ActiveRun> _active = new();
    private readonly FairTurns _turns = new();
    private readonly MissingTenants _missing;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenRegistration _signal;
    private readonly CancellationTokenRegistration _deadline;
    private Task _loops = Task.CompletedTask;
    private int _counted;
    private volatile bool _handsOver;

    public RunHost(
        IRunStore runs, RunExecutor executor, RunTails tails, RunSpecs specs, ResponseMaker maker, TenantDirectory tenants, OpenStreamLimiter limiter,
        IOptions<RunOptions> options, StopDeadline stop, IHostApplicationLifetime lifetime, RunMetrics metrics,
        TimeProvider time, ILogger<RunHost> logger)
    {
        _runs = runs;
        _creation = new RunCreation(runs);
        _executor = executor;
        _tails = tails;
        _specs = specs;
        _maker = maker;
        _tenants = tenants;
        _missing = new MissingTenants(tenants, time);
        _limiter = limiter;
        _options = options.Value;
        _metrics = metrics;
        _time = time;
        _logger = logger;
        _signal = lifetime.ApplicationStopping.Register(HandOverBackground);
        _deadline = stop.Over.Register(HandOverAll);
    }

    /// <summary>
    /// Puts a response into the store as a run, and makes it here unless this replica has enough to do. When it returns without an error, the
    /// response will come to an end, whatever becomes of this replica.
    /// </summary>
    /// <param name="prepared">The response.</param>
    /// <param name="body">The request's body, which <paramref name="prepared"/> looks into.</param>
    /// <param name="terms">What kind of run it is.</param>
    /// <param name="hasPlace">It has a place among what is made at once; otherwise it waits for one.</param>
    /// <param name="held">What the run holds: the place and the body. Taken over when the run begins here, given back when it waits.</param>
    /// <param name="refused">Called when the run ends before anything was made, whether or not its client is still there.</param>
    /// <param name="cancellationToken">Gives up before the run is accepted.</param>
    /// <returns>What is known of the run here, null when it waits; and the error when it was not accepted: then there is none.</returns>
    /// <exception cref="StoreUnavailableException">It is not known whether there is a run.</exception>
    public async Task<(AcceptedRun? Run, ApiError? Error)> AcceptAsync(
        PreparedResponse prepared, ReadOnlyMemory<byte> body, RunTerms terms, bool hasPlace, HeldThings held, Func<ValueTask> refused,
        CancellationToken cancellationToken)
    {
        if (_specs.Make(prepared, body, terms, out var spec) is { } notKept)
        {
            return (null, notKept);
        }

        var key = new RunKey(prepared.Tenant.Name, prepared.Id);
        var told = new ToldEvents();
        List<ReadOnlyMemory<byte>> first = terms is { IsBackground: true, KeepsEvents: true } ? QueuedEvents(prepared) : [];
        foreach (var json in first)
        {
            told.Add(json);
        }

        var isMine = hasPlace && !_handsOver && (!terms.IsBackground || HasRoom);
        var written = spec!.Write();
        var askedAt = _time.GetTimestamp();
        cancellationToken.ThrowIfCancellationRequested();
        var start = new RunStart
        {
            Run = key,
            Spec = written,
            Events = first,
            Owner = isMine ? _owner : null,
            Lease = _options.Lease,
            HoldsConversation = prepared.Conversation.Lease is not null,
            Memory = terms.IsKeyed ? IdempotencyKeys.Life : null,
            MostRuns = _options.Queue,
            MostOfTenant = prepared.Tenant.Policy.QueuedRuns ?? Math.Max(1, _options.Queue / TenantShare),
            Retention = QueuePatience,
        };
        long? token;
        try
        {
            (token, var error) = await _creation.CreateAsync(start);
            if (token is null)
            {
                return (null, error);
            }
        }
        catch (StoreUnavailableException)
        {
            // Should the run be there, the hold is its own; should it not, the hold runs out soon.
            prepared.Conversation.Lease?.HandToRun();
            throw;
        }

        prepared.Conversation.Lease?.HandToRun();
        if (!isMine)
        {
            // Whoever follows a run that waits must not hold the place that it waits for.
            await prepared.Conversation.DisposeAsync();
            held.Dispose();
            return (null, null);
        }

        var accepted = new AcceptedRun(prepared, told, refused);
        Begin(
            new ActiveRun(key, token.Value, terms.IsBackground, terms.Window) { HeldAt = askedAt, ReachedSince = askedAt, IsCounted = terms.IsBackground },
            new TakenRun(token.Value, written, [], IsCancelled: false) { EventCount = first.Count },
            accepted,
            held.Release());
        return (accepted, null);
    }

    /// <summary>Takes a run that nobody makes, if that can be. False when another replica has it, or there is none.</summary>
    /// <param name="key">The run.</param>
    /// <param name="toEnd">It was cancelled, and is only to be ended: that needs no place among what is made at once.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<bool> TryTakeAsync(RunKey key, bool toEnd, CancellationToken cancellationToken)
    {
        IDisposable? place = null;
        if (_handsOver || _active.ContainsKey(key) || _tenants.Find(key.Tenant) is not { } tenant
            || (!toEnd && _limiter.TryEnter(tenant, out place) is not null))
        {
            return false;
        }

        using var held = new HeldThings(place);
        if (!await CanReadAsync(key, cancellationToken))
        {
            return false;
        }

        var askedAt = _time.GetTimestamp();
        if (await _runs.TakeAsync(key, _owner, _options.Lease, cancellationToken) is not { } taken)
        {
            return false;
        }

        var spec = RunSpec.Read(taken.Spec);
        if (taken.Token > 1)
        {
            RunLog.Taken(_logger, key.Id.ToString(), key.Tenant, taken.Token);
        }

        _metrics.Taken();
        Begin(new ActiveRun(key, taken.Token, spec.IsBackground, spec.Window) { HeldAt = askedAt, ReachedSince = askedAt, IsCounted = true }, taken, accepted: null, held.Release());
        return true;
    }

    /// <summary>A run that a newer version made is left to a replica of that version.</summary>
    private async Task<bool> CanReadAsync(RunKey key, CancellationToken cancellationToken)
    {
        try
        {
            // One that is not there is to be taken all the same: that takes its name out of the index.
            return await _runs.GetRunAsync(key, cancellationToken) is not { } run || RunSpec.Read(run.Spec) is not null;
        }
        catch (Exception e) when (e is NewerFormatException or InvalidDataException)
        {
            RunLog.ScanFailed(_logger, e.GetType().Name, e.StackTrace);
            return false;
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _metrics.NoneSoFar();
        _loops = Task.WhenAll(BeatAsync(), ScanAsync());
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _handsOver = true;
        HandOver(static _ => true, CallPatience);
        await Task.WhenAll(_active.Values.Select(run => run.Ended)).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stopping.CancelAsync();
        await _loops;
    }

    public async ValueTask DisposeAsync()
    {
        await _signal.DisposeAsync();
        await _deadline.DisposeAsync();
        _stopping.Dispose();
        _wake.Dispose();
    }

    private bool HasRoom => Volatile.Read(ref _counted) < _options.Concurrent;

    private List<ReadOnlyMemory<byte>> QueuedEvents(PreparedResponse prepared)
    {
        var sink = new EventList();
        using var envelope = ResponseMaker.NewEnvelope(prepared);
        using var events = _maker.NewEvents(prepared, envelope, sink);
        events.Queue();
        return sink.Events;
    }

    private void Begin(ActiveRun run, TakenRun taken, AcceptedRun? accepted, HeldThings held)
    {
        _active[run.Key] = run;
        if (run.IsCounted)
        {
            Interlocked.Increment(ref _counted);
        }

        run.Tail = _tails.Open(run.Key, taken.EventCount);
        _metrics.Began();
        run.Ended = Task.Run(() => RunAsync(run, taken, accepted, held));
        if (_handsOver)
        {
            // The signal came while it was being accepted.
            run.Control.HandOver(CallPatience);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "The last stop: nobody waits for a run, and whatever it ended with must not end the process.")]
    private async Task RunAsync(ActiveRun run, TakenRun taken, AcceptedRun? accepted, HeldThings held)
    {
        var how = "abandoned";
        try
        {
            how = await _executor.ExecuteAsync(run.Key, taken, run.Control, accepted, run.Tail);
        }
        catch (Exception e) when (e is OperationCanceledException or StoreUnavailableException && run.Control.LeaseLost.IsCancellationRequested)
        {
            how = RunExecutor.Lost;
        }
        catch (StoreUnavailableException)
        {
            RunLog.Waits(_logger, run.Key.Id.ToString(), run.Key.Tenant, "store_unavailable");
        }
        catch (Exception e)
        {
            RunLog.Broke(_logger, run.Key.Id.ToString(), run.Key.Tenant, e.GetType().Name, e.StackTrace);
        }
        finally
        {
            _active.TryRemove(run.Key, out _);
            if (run.IsCounted)
            {
                Interlocked.Decrement(ref _counted);
            }

            _tails.Close(run.Key, run.Tail!);
            held.Dispose();
            if (how == RunExecutor.Lost)
            {
                RunLog.Lost(_logger, run.Key.Id.ToString(), run.Key.Tenant);
            }

            _metrics.Ended(how);
            if (_wake.CurrentCount == 0)
            {
                _wake.Release();
            }
        }

        // What was abandoned is left until its lease runs out: whatever stood in its way gets that time to go away.
        run.Control.Dispose();
    }

    private async Task BeatAsync()
    {
        using var timer = new PeriodicTimer(Beat, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                foreach (var run in _active.Values)
                {
                    // One that hangs, in its part of the store, must not keep the others from their turn.
                    if (run.Renewal.IsCompleted)
                    {
                        run.Renewal = RenewAsync(run);
                    }
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "The beat of all runs depends on it.")]
    private async Task RenewAsync(ActiveRun run)
    {
        var asked = _time.GetTimestamp();
        try
        {
            var signals = await _runs.RenewAsync(run.Key, run.Token, _options.Lease, _stopping.Token);
            if (!signals.IsHeld)
            {
                if (_active.ContainsKey(run.Key))
                {
                    run.Control.Lose();
                }

                return;
            }

            run.HeldAt = asked;
            run.ReachedSince ??= asked;
            if (signals.IsCancelled || (signals.FollowedAgo > run.Window && _time.GetElapsedTime(run.ReachedSince.Value) > run.Window))
            {
                run.Control.Cancel();
            }
        }
        catch (StoreUnavailableException) when (_time.GetElapsedTime(run.HeldAt) < _options.Lease * SafePart)
        {
            // There is time to try again.
            run.ReachedSince = null;
        }
        catch (StoreUnavailableException)
        {
            run.Control.Lose();
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The host stops.
        }
        catch (Exception e)
        {
            // A bug in one run must not end the beat of the others.
            RunLog.Broke(_logger, run.Key.Id.ToString(), run.Key.Tenant, e.GetType().Name, e.StackTrace);
        }
    }

    private async Task ScanAsync()
    {
        IAsyncDisposable? watch = null;
        try
        {
            while (!_stopping.IsCancellationRequested && !_handsOver)
            {
                // Runs are looked for whether or not anybody tells of them.
                await TryAsync(async () => watch ??= await _runs.WatchFreeAsync(Wake, _stopping.Token));
                await TryAsync(TakeFreeAsync);
                using var patience = new CancellationTokenSource(Scan, _time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, _stopping.Token);
                await _wake.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            if (watch is not null)
            {
                await watch.DisposeAsync();
            }
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Without it this replica takes no run any more, and nobody would notice.")]
    private async Task TryAsync(Func<Task> part)
    {
        try
        {
            await part();
        }
        catch (Exception e)
        {
            if (!_stopping.IsCancellationRequested)
            {
                RunLog.ScanFailed(_logger, e.GetType().Name, e.StackTrace);
            }
        }
    }

    private void Wake()
    {
        if (_wake.CurrentCount == 0)
        {
            _wake.Release();
        }
    }

    private async Task TakeFreeAsync()
    {
        var room = _options.Concurrent - Volatile.Read(ref _counted);
        if (room <= 0)
        {
            return;
        }

        _missing.Refresh();
        foreach (var key in _turns.Order(await _runs.FindFreeAsync(room + Spare, _stopping.Token)))
        {
            if (_handsOver || !HasRoom)
            {
                return;
            }

            try
            {
                if (_missing.WasRemoved(key.Tenant))
                {
                    await RemoveOrphanAsync(key);
                }
                else if (await TryTakeAsync(key, toEnd: false, _stopping.Token))
                {
                    _turns.Taken(key.Tenant);
                }
            }
            catch (StoreUnavailableException)
            {
                // Only its part of the store may be away. All others have their turn before it is tried again.
                _turns.Failed(key);
                throw;
            }
        }
    }

    /// <summary>Removes a run of a tenant that was removed, unless somebody else has taken it.</summary>
    private async Task RemoveOrphanAsync(RunKey key)
    {
        if (await CanReadAsync(key, _stopping.Token)
            && await _runs.TakeAsync(key, _owner, _options.Lease, _stopping.Token) is { } taken
            && await _runs.DropRunAsync(key, taken.Token, isUnmade: false, _stopping.Token))
        {
            RunLog.Removed(_logger, key.Id.ToString(), key.Tenant, "its tenant was removed");
        }
    }

    /// <summary>The stop signal: nobody waits here for background responses, and other replicas can go on with them at once.</summary>
    private void HandOverBackground()
    {
        _handsOver = true;
        HandOver(run => run.IsBackground, CallPatience);
    }

    /// <summary>The time to finish is over for those whose clients wait here, too.</summary>
    private void HandOverAll()
    {
        _handsOver = true;
        HandOver(static _ => true, TimeSpan.Zero);
    }

    private void HandOver(Func<ActiveRun, bool> which, TimeSpan patience)
    {
        var leaving = _active.Values.Where(which).ToList();
        if (leaving.Count > 0)
        {
            RunLog.HandingOver(_logger, leaving.Count);
        }

        foreach (var run in leaving)
        {
            run.Control.HandOver(patience);
        }
    }

    private sealed class EventList : IResponseEventSink
    {
        public List<ReadOnlyMemory<byte>> Events { get; } = [];

        public bool WantsEvents => true;

        public void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> json) => Events.Add(json.ToArray());
    }
}
