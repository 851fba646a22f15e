namespace Gateway.Store.Sqlite;

/// <summary>Durable runs in the file of the responses (docs/design/store.md). One process has them all, so what waits is woken within it.</summary>
internal sealed class SqliteRunStore(SqliteResponseStore store, TimeProvider time) : IRunStore
{
    private readonly Wakes<RunKey> _followers = new();
    private readonly Wakes<string> _waiting = new();

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>When the caller's patience ends a write still waits for its turn, while the buffers serve others.</summary>
    public static byte[][] Copies(IReadOnlyList<ReadOnlyMemory<byte>> elements) => [.. elements.Select(element => element.ToArray())];

    public async ValueTask<RunAdmission> CreateAsync(RunStart start, CancellationToken cancellationToken)
    {
        var spec = start.Spec.ToArray();
        var events = Copies(start.Events);
        var refusal = await store.WriteAsync("run_create", session => SqliteRuns.Create(session, start, spec, events, Now), cancellationToken)
            .ConfigureAwait(false);
        if (refusal == RunRefusal.None && start.Owner is null)
        {
            WakeWaiting();
        }

        return new RunAdmission(refusal != RunRefusal.None ? null : start.Owner is null ? 0 : 1, refusal);
    }

    public ValueTask<bool> ForbidAsync(RunKey run, TimeSpan memory, CancellationToken cancellationToken) =>
        store.WriteAsync("run_forbid", session => SqliteRuns.Forbid(session, run, memory, Now), cancellationToken);

    public ValueTask<TakenRun?> TakeAsync(RunKey run, string owner, TimeSpan lease, CancellationToken cancellationToken) =>
        store.WriteAsync("run_take", session => SqliteRuns.Take(session, run, owner, lease, Now), cancellationToken);

    public ValueTask<IReadOnlyList<RunKey>> FindFreeAsync(int most, CancellationToken cancellationToken) =>
        store.ReadAsync("run_find", session => SqliteRuns.FindFree(session, most, Now), cancellationToken);

    public ValueTask<RunSignals> RenewAsync(RunKey run, long token, TimeSpan lease, CancellationToken cancellationToken) =>
        store.WriteAsync("run_renew", session => SqliteRuns.Renew(session, run, token, lease, Now), cancellationToken);

    public async ValueTask<bool> AppendAsync(RunKey run, long token, RunAppend append, CancellationToken cancellationToken)
    {
        var events = Copies(append.Events);
        var entries = Copies(append.Entries);
        var isDone = await store.WriteAsync(
            "run_append",
            session => SqliteRuns.Append(session, run, token, append.FirstEvent, events, append.FirstEntry, entries, Now),
            cancellationToken).ConfigureAwait(false);
        if (isDone)
        {
            _followers.Wake(run);
        }

        return isDone;
    }

    public async ValueTask ReleaseAsync(RunKey run, long token, CancellationToken cancellationToken)
    {
        if (await store.WriteAsync("run_release", session => SqliteRuns.Release(session, run, token, Now), cancellationToken).ConfigureAwait(false))
        {
            WakeWaiting();
        }
    }

    public async ValueTask<bool> CancelAsync(RunKey run, CancellationToken cancellationToken)
    {
        var isThere = await store.WriteAsync("run_cancel", session => SqliteRuns.Cancel(session, run, Now), cancellationToken).ConfigureAwait(false);
        if (isThere)
        {
            _followers.Wake(run);
        }

        return isThere;
    }

    public async ValueTask FollowedAsync(RunKey run, CancellationToken cancellationToken) =>
        await store.WriteAsync("run_followed", session => SqliteRuns.Follow(session, run, Now), cancellationToken).ConfigureAwait(false);

    public ValueTask<LiveRun?> GetRunAsync(RunKey run, CancellationToken cancellationToken) =>
        store.ReadAsync("run_get", session => SqliteRuns.Get(session, run, Now), cancellationToken);

    public ValueTask<bool> IsLiveAsync(RunKey run, CancellationToken cancellationToken) =>
        store.ReadAsync("run_look", session => SqliteRuns.IsLive(session, run, Now), cancellationToken);

    public async ValueTask<bool> DeleteRunAsync(RunKey run, CancellationToken cancellationToken)
    {
        var isDeleted = await store.WriteAsync("run_delete", session => SqliteRuns.Delete(session, run, Now), cancellationToken)
            .ConfigureAwait(false);
        if (isDeleted)
        {
            Ended(run);
        }

        return isDeleted;
    }

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadEventsAsync(
        RunKey run, long from, int most, CancellationToken cancellationToken) =>
        store.ReadAsync("run_events", session => SqliteRuns.ReadEvents(session, run, from, most, Now), cancellationToken);

    public ValueTask<IAsyncDisposable> WatchAsync(RunKey run, Action wake, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_followers.Add(run, wake));

    public ValueTask<IAsyncDisposable> WatchFreeAsync(Action wake, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_waiting.Add(string.Empty, wake));

    /// <summary>A run was ended or deleted: its spec and journal are gone.</summary>
    public void Ended(RunKey run)
    {
        store.Erased();
        _followers.Wake(run);
    }

    private void WakeWaiting() => _waiting.Wake(string.Empty);
}
