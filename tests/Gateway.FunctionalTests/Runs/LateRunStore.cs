using Gateway.Store;

namespace Gateway.FunctionalTests.Runs;

/// <summary>The gateway's own store of runs, with something of the test's own between it and the gateway.</summary>
internal sealed class LateRunStore(IRunStore store) : IRunStore
{
    /// <summary>Runs before a run is looked for.</summary>
    public Func<Task>? BeforeGet { get; set; }

    /// <summary>Runs before the next run is created.</summary>
    public Func<Task>? BeforeCreate { get; set; }

    /// <summary>Runs before a run is to be taken.</summary>
    public Action? BeforeTake { get; set; }

    /// <summary>Runs when a run was taken, before the taker knows.</summary>
    public Action<RunKey>? AfterTake { get; set; }

    /// <summary>Runs before a lease is prolonged.</summary>
    public Action<RunKey>? BeforeRenew { get; set; }

    /// <summary>Runs before free runs are looked for.</summary>
    public Action? BeforeFind { get; set; }

    /// <summary>Runs before it is noted that somebody follows a run.</summary>
    public Action? BeforeFollowed { get; set; }

    /// <summary>Runs before a run is deleted.</summary>
    public Func<RunKey, Task>? BeforeDelete { get; set; }

    /// <summary>Runs when a run was deleted by whoever made it, before that one knows, with the token of who waits for it.</summary>
    public Func<CancellationToken, Task>? AfterDrop { get; set; }

    /// <summary>The run whose part of the store does not answer: it can be neither read nor taken.</summary>
    public RunKey? Away { get; set; }

    /// <summary>Nobody can be told of free runs.</summary>
    public bool IsDeaf { get; set; }

    /// <summary>The run whose lease is not prolonged for a long time: its part of the store does not answer.</summary>
    public RunKey? Hanging { get; set; }

    /// <summary>The lease of <see cref="Hanging"/> was to be prolonged.</summary>
    public TaskCompletionSource Hangs { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>How many times it was asked whether a run goes on.</summary>
    public int Looks { get; private set; }

    /// <summary>How many times a run was read with its request.</summary>
    public int Reads { get; private set; }

    /// <summary>How many times a run can not be deleted.</summary>
    public int FailingDeletes { get; set; }

    /// <summary>The run that was created last.</summary>
    public RunKey Created { get; private set; }

    /// <summary>How many times events can not be read.</summary>
    public int FailingReads { get; set; }

    /// <summary>How many times the reply to a creation is lost.</summary>
    public int LostCreations { get; set; }

    public async ValueTask<LiveRun?> GetRunAsync(RunKey run, CancellationToken cancellationToken)
    {
        if (BeforeGet is { } hook)
        {
            await hook();
        }

        Reads++;
        ThrowWhenAway(run);
        return await store.GetRunAsync(run, cancellationToken);
    }

    public async ValueTask<bool> IsLiveAsync(RunKey run, CancellationToken cancellationToken)
    {
        if (BeforeGet is { } hook)
        {
            await hook();
        }

        Looks++;
        return await store.IsLiveAsync(run, cancellationToken);
    }

    public async ValueTask<RunAdmission> CreateAsync(RunStart start, CancellationToken cancellationToken)
    {
        if (BeforeCreate is { } hook)
        {
            BeforeCreate = null;
            await hook();
        }

        Created = start.Run;
        var admission = await store.CreateAsync(start, cancellationToken);
        return LostCreations-- > 0 ? throw new StoreUnavailableException("the reply was lost") : admission;
    }

    public ValueTask<bool> ForbidAsync(RunKey run, TimeSpan memory, CancellationToken cancellationToken) => store.ForbidAsync(run, memory, cancellationToken);

    public async ValueTask<TakenRun?> TakeAsync(RunKey run, string owner, TimeSpan lease, CancellationToken cancellationToken)
    {
        BeforeTake?.Invoke();
        ThrowWhenAway(run);
        var taken = await store.TakeAsync(run, owner, lease, cancellationToken);
        if (taken is not null)
        {
            AfterTake?.Invoke(run);
        }

        return taken;
    }

    public ValueTask<IReadOnlyList<RunKey>> FindFreeAsync(int most, CancellationToken cancellationToken)
    {
        BeforeFind?.Invoke();
        return store.FindFreeAsync(most, cancellationToken);
    }

    public async ValueTask<RunSignals> RenewAsync(RunKey run, long token, TimeSpan lease, CancellationToken cancellationToken)
    {
        BeforeRenew?.Invoke(run);
        if (run == Hanging)
        {
            Hangs.TrySetResult();
            // Until it is given up.
            await new TaskCompletionSource().Task.WaitAsync(cancellationToken);
        }

        return await store.RenewAsync(run, token, lease, cancellationToken);
    }

    public ValueTask<bool> AppendAsync(RunKey run, long token, RunAppend append, CancellationToken cancellationToken) =>
        store.AppendAsync(run, token, append, cancellationToken);

    public ValueTask ReleaseAsync(RunKey run, long token, CancellationToken cancellationToken) => store.ReleaseAsync(run, token, cancellationToken);

    public ValueTask<bool> CancelAsync(RunKey run, CancellationToken cancellationToken) => store.CancelAsync(run, cancellationToken);

    public ValueTask FollowedAsync(RunKey run, CancellationToken cancellationToken)
    {
        BeforeFollowed?.Invoke();
        return store.FollowedAsync(run, cancellationToken);
    }

    public async ValueTask<bool> DeleteRunAsync(RunKey run, CancellationToken cancellationToken)
    {
        await BeforeDeleteAsync(run);
        return await store.DeleteRunAsync(run, cancellationToken);
    }

    public async ValueTask<bool> DropRunAsync(RunKey run, long token, bool isUnmade, CancellationToken cancellationToken)
    {
        await BeforeDeleteAsync(run);
        var dropped = await store.DropRunAsync(run, token, isUnmade, cancellationToken);
        if (AfterDrop is { } hook)
        {
            await hook(cancellationToken);
        }

        return dropped;
    }

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadEventsAsync(RunKey run, long from, int most, CancellationToken cancellationToken) =>
        FailingReads-- > 0 ? throw new StoreUnavailableException("away") : store.ReadEventsAsync(run, from, most, cancellationToken);

    public ValueTask<IAsyncDisposable> WatchAsync(RunKey run, Action wake, CancellationToken cancellationToken) => store.WatchAsync(run, wake, cancellationToken);

    public ValueTask<IAsyncDisposable> WatchFreeAsync(Action wake, CancellationToken cancellationToken) =>
        IsDeaf ? throw new StoreUnavailableException("away") : store.WatchFreeAsync(wake, cancellationToken);

    private void ThrowWhenAway(RunKey run)
    {
        if (run == Away)
        {
            throw new StoreUnavailableException("away");
        }
    }

    private async Task BeforeDeleteAsync(RunKey run)
    {
        if (BeforeDelete is { } hook)
        {
            await hook(run);
        }

        if (FailingDeletes-- > 0)
        {
            throw new StoreUnavailableException("away");
        }
    }
}
