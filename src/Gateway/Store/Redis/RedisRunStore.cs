using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// Durable runs in Redis (docs/design/store.md). A run with its logs is in its chain's slot; the index of all live runs is a hint in another
/// one, written before a run is made and set right by whoever meets it.
/// </summary>
internal sealed class RedisRunStore(RedisConnection connection, StoreWatch watch, TimeSpan timeout, TimeProvider time) : IRunStore
{
    private const CommandFlags Primary = CommandFlags.DemandMaster;
    private static readonly RedisValue NotFree = RedisValue.EmptyString;
    private static readonly RedisValue[] SpecTokenCancel = ["spec", "token", "cancel"];

    /// <summary>A lease is prolonged far within its time, whatever the index does.</summary>
    private static readonly TimeSpan IndexPatience = TimeSpan.FromSeconds(1);

    private readonly RedisWakes _wakes = new(connection);
    private readonly RedisPatience _patience = new(timeout, time);

    public ValueTask<RunAdmission> CreateAsync(RunStart start, CancellationToken cancellationToken) =>
        watch.WriteAsync("run_create", ct => connection.AcknowledgedAsync(MakeAsync(start, ct), () => [RedisKeys.Run(start.Run), RedisKeys.Runs], ct), cancellationToken);

    public ValueTask<bool> ForbidAsync(RunKey run, TimeSpan memory, CancellationToken cancellationToken) =>
        watch.WriteAsync(
            "run_forbid",
            async ct => (long)await connection.AcknowledgedAsync(
                EvaluateAsync(
                    RedisScripts.RunForbid,
                    [RedisKeys.Run(run), RedisKeys.Record(run.Tenant, run.Id), RedisKeys.RunMemory(run)],
                    [Milliseconds(memory)],
                    ct),
                () => [RedisKeys.RunMemory(run)],
                ct).ConfigureAwait(false) == 1,
            cancellationToken);

    public ValueTask<TakenRun?> TakeAsync(RunKey run, string owner, TimeSpan lease, CancellationToken cancellationToken) =>
        watch.WriteAsync("run_take", ct => connection.AcknowledgedAsync(TakeLeaseAsync(run, owner, lease, ct), () => [RedisKeys.Run(run)], ct), cancellationToken);

    public ValueTask<IReadOnlyList<RunKey>> FindFreeAsync(int most, CancellationToken cancellationToken) =>
        watch.ReadAsync("run_find", ct => FindAsync(most, ct), cancellationToken);

    public ValueTask<RunSignals> RenewAsync(RunKey run, long token, TimeSpan lease, CancellationToken cancellationToken) =>
        watch.WriteAsync("run_renew", ct => ProlongAsync(run, token, lease, ct), cancellationToken);

    public ValueTask<bool> AppendAsync(RunKey run, long token, RunAppend append, CancellationToken cancellationToken) =>
        watch.WriteAsync(
            "run_append",
            ct => append.Entries.Count == 0
                ? PushAsync(run, token, append, ct)
                : connection.AcknowledgedAsync(PushAsync(run, token, append, ct), () => [RedisKeys.Run(run)], ct),
            cancellationToken);

    public async ValueTask ReleaseAsync(RunKey run, long token, CancellationToken cancellationToken) =>
        await watch.WriteAsync("run_release", ct => GiveUpAsync(run, token, ct), cancellationToken).ConfigureAwait(false);

    public ValueTask<bool> CancelAsync(RunKey run, CancellationToken cancellationToken) =>
        watch.WriteAsync(
            "run_cancel",
            async ct => (long)await connection.AcknowledgedAsync(
                EvaluateAsync(RedisScripts.RunCancel, [RedisKeys.Run(run)], [Name(RedisKeys.RunChannel(run))], ct), () => [RedisKeys.Run(run)], ct)
                .ConfigureAwait(false) == 1,
            cancellationToken);

    public async ValueTask FollowedAsync(RunKey run, CancellationToken cancellationToken) =>
        await watch.WriteAsync(
            "run_followed", ct => EvaluateAsync(RedisScripts.RunFollowed, [RedisKeys.Run(run)], [], ct), cancellationToken).ConfigureAwait(false);

    public ValueTask<LiveRun?> GetRunAsync(RunKey run, CancellationToken cancellationToken) =>
        watch.ReadAsync("run_get", ct => ReadAsync(run, ct), cancellationToken);

    public ValueTask<bool> IsLiveAsync(RunKey run, CancellationToken cancellationToken) =>
        watch.ReadAsync("run_look", ct => SendAsync(db => db.HashExistsAsync(RedisKeys.Run(run), "token", Primary), ct), cancellationToken);

    public ValueTask<bool> DeleteRunAsync(RunKey run, CancellationToken cancellationToken) =>
        watch.WriteAsync("run_delete", ct => connection.AcknowledgedAsync(EraseAsync(run, ct), () => [RedisKeys.Run(run)], ct), cancellationToken);

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadEventsAsync(
        RunKey run, long from, int most, CancellationToken cancellationToken) =>
        watch.ReadAsync("run_events", ct => ReadLogAsync(run, from, most, ct), cancellationToken);

    public ValueTask<IAsyncDisposable> WatchAsync(RunKey run, Action wake, CancellationToken cancellationToken) =>
        watch.ReadAsync("run_watch", ct => _wakes.WatchAsync(RedisKeys.RunChannel(run), wake, ct), cancellationToken);

    public ValueTask<IAsyncDisposable> WatchFreeAsync(Action wake, CancellationToken cancellationToken) =>
        watch.ReadAsync("run_watch", ct => _wakes.WatchAsync(RedisKeys.FreeChannel, wake, ct), cancellationToken);

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

    private static RedisValue Name(RedisChannel channel) => (string?)channel;

    private static RedisKey[] Keys(RunKey run) => [RedisKeys.Run(run), RedisKeys.Journal(run), RedisKeys.Events(run.Tenant, run.Id)];

    /// <summary>Copies: when the caller's patience ends the command may still wait, while the buffers serve others.</summary>
    private static IEnumerable<RedisValue> Copies(IReadOnlyList<ReadOnlyMemory<byte>> elements) =>
        elements.Select(element => (RedisValue)element.ToArray());

    private static ReadOnlyMemory<byte>[] Elements(RedisValue[]? values) => [.. (values ?? []).Select(value => (ReadOnlyMemory<byte>)value)];

    private ValueTask<RedisResult> EvaluateAsync(string script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken) =>
        SendAsync(db => db.ScriptEvaluateAsync(script, keys, arguments), cancellationToken);

    /// <summary>Sends what may be sent twice: once more when the reply was lost, and until a Cluster that changes has come to rest.</summary>
    private async ValueTask<T> SendAsync<T>(Func<IDatabase, Task<T>> send, CancellationToken cancellationToken)
    {
        var db = await connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        return await RedisRetry.TwiceAsync(() => _patience.RunAsync(() => send(db), cancellationToken), timeout, time, cancellationToken).ConfigureAwait(false);
    }

    private ValueTask HintAsync(RunKey run, long freeAt, long retention, RedisValue channel, CancellationToken cancellationToken) =>
        TellIndexAsync(
            db => db.ScriptEvaluateAsync(
                RedisScripts.RunHint, RedisRunIndex.KeysOf(run.Tenant), [RedisKeys.RunName(run), freeAt, retention, channel, run.Tenant]),
            cancellationToken);

    private ValueTask ForgetAsync(RunKey run, CancellationToken cancellationToken) => TellIndexAsync(db => RedisRunIndex.ForgetAsync(db, run), cancellationToken);

    /// <summary>
    /// Sets the index right behind what was done to a run. It may be on another node, which may be away: what was done is done, and whoever meets the
    /// run there sets it right then.
    /// </summary>
    private async ValueTask TellIndexAsync<T>(Func<IDatabase, Task<T>> send, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(IndexPatience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            await SendAsync(send, either.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (StoreWatch.IsStoreFailure(e) || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // Whoever looks for free runs there tells of it.
        }
    }

    private async ValueTask<RunAdmission> MakeAsync(RunStart start, CancellationToken cancellationToken)
    {
        // A run that nobody holds is not looked for before it is there: who does not find it would remove it from the index.
        var retention = Milliseconds(start.Retention);
        var hidden = start.Owner is null ? 2 * timeout : start.Lease;
        var tenant = start.Run.Tenant;
        var queued = (long)await EvaluateAsync(
            RedisScripts.RunEnqueue,
            RedisRunIndex.KeysOf(tenant),
            [
                RedisKeys.RunName(start.Run), start.MostRuns, Milliseconds(hidden), retention, tenant,
                start.Owner is null ? start.MostOfTenant : int.MaxValue,
            ],
            cancellationToken).ConfigureAwait(false);
        if (queued != 1)
        {
            return new RunAdmission(null, queued == 0 ? RunRefusal.QueueFull : RunRefusal.TenantFull);
        }

        var freeAt = (long)await EvaluateAsync(
            RedisScripts.RunCreate,
            [
                RedisKeys.Run(start.Run), RedisKeys.Events(tenant, start.Run.Id), RedisKeys.Record(tenant, start.Run.Id),
                RedisKeys.Conversation(tenant, start.Run.Id.Chain), RedisKeys.RunMemory(start.Run),
            ],
            [
                start.Spec.ToArray(), start.Owner ?? string.Empty, Milliseconds(start.Lease), retention,
                start.HoldsConversation ? start.Run.Id.Self : string.Empty,
                start.Memory is { } memory ? Milliseconds(memory) : RedisValue.EmptyString, .. Copies(start.Events),
            ],
            cancellationToken).ConfigureAwait(false);
        if (freeAt <= 0)
        {
            await ForgetAsync(start.Run, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            var channel = start.Owner is null ? Name(RedisKeys.FreeChannel) : NotFree;
            await HintAsync(start.Run, freeAt, retention, channel, cancellationToken).ConfigureAwait(false);
        }

        return freeAt < 0 ? new RunAdmission(null, RunRefusal.Forbidden) : new RunAdmission(start.Owner is null ? 0 : 1);
    }

    private async ValueTask<TakenRun?> TakeLeaseAsync(RunKey run, string owner, TimeSpan lease, CancellationToken cancellationToken)
    {
        // Sent twice it takes the run once: the second time it is known by this.
        var attempt = Guid.NewGuid().ToString("N");
        var reply = await EvaluateAsync(RedisScripts.RunTake, Keys(run), [owner, Milliseconds(lease), attempt], cancellationToken).ConfigureAwait(false);
        if (reply.IsNull)
        {
            await ForgetAsync(run, cancellationToken).ConfigureAwait(false);
            return null;
        }

        await HintAsync(run, (long)reply[0], (long)reply[1], NotFree, cancellationToken).ConfigureAwait(false);
        return reply.Length == 2
            ? null
            : new TakenRun((long)reply[2], (byte[])reply[3]!, Elements((RedisValue[]?)reply[6]), (long)reply[4] == 1) { EventCount = (long)reply[5] };
    }

    private async ValueTask<IReadOnlyList<RunKey>> FindAsync(int most, CancellationToken cancellationToken)
    {
        var names = (string?[]?)await EvaluateAsync(RedisScripts.RunFind, [RedisKeys.Runs, RedisKeys.RunTenants], [most, RedisKeys.RunsOfTenants], cancellationToken).ConfigureAwait(false);
        var runs = new List<RunKey>();
        foreach (var name in names ?? [])
        {
            if (name is not null && RedisKeys.TryParseRunName(name, out var run))
            {
                runs.Add(run);
            }
        }

        return runs;
    }

    private async ValueTask<RunSignals> ProlongAsync(RunKey run, long token, TimeSpan lease, CancellationToken cancellationToken)
    {
        var reply = await EvaluateAsync(RedisScripts.RunRenew, Keys(run), [token, Milliseconds(lease)], cancellationToken).ConfigureAwait(false);
        if (reply.IsNull)
        {
            return default;
        }

        if ((long)reply[4] == 1)
        {
            await HintAsync(run, (long)reply[0], (long)reply[1], NotFree, cancellationToken).ConfigureAwait(false);
        }

        return new RunSignals(IsHeld: true, (long)reply[2] == 1, TimeSpan.FromMilliseconds((long)reply[3]));
    }

    private async ValueTask<bool> PushAsync(RunKey run, long token, RunAppend append, CancellationToken cancellationToken)
    {
        var reply = await EvaluateAsync(
            RedisScripts.RunAppend,
            Keys(run),
            [
                token, Name(RedisKeys.RunChannel(run)), append.FirstEvent, append.FirstEntry, append.Events.Count,
                .. Copies(append.Events), .. Copies(append.Entries),
            ],
            cancellationToken).ConfigureAwait(false);
        return (long)reply switch
        {
            0 => false,
            1 => true,
            _ => throw new InvalidDataException("A log of a run is shorter than what is to be appended says."),
        };
    }

    private async ValueTask<bool> GiveUpAsync(RunKey run, long token, CancellationToken cancellationToken)
    {
        var reply = await EvaluateAsync(RedisScripts.RunRelease, [RedisKeys.Run(run)], [token], cancellationToken).ConfigureAwait(false);
        if (reply.IsNull)
        {
            return false;
        }

        await HintAsync(run, (long)reply[0], (long)reply[1], Name(RedisKeys.FreeChannel), cancellationToken).ConfigureAwait(false);
        return true;
    }

    private async ValueTask<LiveRun?> ReadAsync(RunKey run, CancellationToken cancellationToken)
    {
        var found = await SendAsync(db => db.HashGetAsync(RedisKeys.Run(run), SpecTokenCancel, Primary), cancellationToken).ConfigureAwait(false);
        return found[1].IsNull ? null : new LiveRun(found[0], HasBegun: (long)found[1] > 0, IsCancelled: found[2] == 1);
    }

    private async ValueTask<bool> EraseAsync(RunKey run, CancellationToken cancellationToken)
    {
        // Not sent again when the reply was lost: the second one would say that there was none.
        var db = await connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        var deleted = (long)await _patience.RunAsync(
            () => db.ScriptEvaluateAsync(
                RedisScripts.RunDelete,
                [.. Keys(run), RedisKeys.Conversation(run.Tenant, run.Id.Chain)],
                [Name(RedisKeys.RunChannel(run)), run.Id.Self]), cancellationToken)
            .WaitAsync(cancellationToken).ConfigureAwait(false);
        await ForgetAsync(run, cancellationToken).ConfigureAwait(false);
        return deleted == 1;
    }

    private async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadLogAsync(
        RunKey run, long from, int most, CancellationToken cancellationToken)
    {
        // The length comes along: who follows a run mostly finds nothing new, which is not the same as no log.
        var key = RedisKeys.Events(run.Tenant, run.Id);
        var (events, length) = await SendAsync(
            async db =>
            {
                var range = db.ListRangeAsync(key, from, from + most - 1, Primary);
                var count = db.ListLengthAsync(key, Primary);
                await Task.WhenAll(range, count).ConfigureAwait(false);
                return (await range.ConfigureAwait(false), await count.ConfigureAwait(false));
            },
            cancellationToken).ConfigureAwait(false);
        return events.Length > 0 || length > 0 ? Elements(events) : null;
    }
}
