using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// Responses in Redis (docs/design/store.md): for any number of gateway replicas. A load is at most two round trips, whatever the depth;
/// a commit is one script.
/// </summary>
internal sealed class RedisResponseStore : IResponseStore, ITenantEraser, IStoreStart, IAsyncDisposable
{
    // Reads go to the primary as well: a client may continue a response the moment it was told of it, when no replica has it yet.
    private const CommandFlags Primary = CommandFlags.DemandMaster;

    /// <summary>The most entries of the index that a list looks at in one batch.</summary>
    private const int MostAtOnce = 1024;

    /// <summary>How many responses of a page are read before it is known how long they are.</summary>
    private const int FirstAtOnce = 4;

    private readonly RedisConnection _connection;
    private readonly RedisIndex _index;
    private readonly RedisPatience _patience;
    private readonly StoreWatch _watch;
    private readonly StoreMetrics _metrics;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    public RedisResponseStore(StoreOptions options, StoreMetrics metrics, TimeProvider time, ILogger<RedisResponseStore> logger)
    {
        _metrics = metrics;
        _timeout = options.CommandTimeout;
        _time = time;
        _logger = logger;
        _watch = new StoreWatch("redis", metrics, time, logger);
        _connection = new RedisConnection(options, metrics, _watch, time, logger);
        _index = new RedisIndex(time);
        _patience = new RedisPatience(options.CommandTimeout, time);
        Runs = new RedisRunStore(_connection, _watch, options.CommandTimeout, time);
        Conversations = new RedisConversationStore(_connection, _watch, options, time);
    }

    /// <summary>The runs in the same Redis.</summary>
    public RedisRunStore Runs { get; }

    /// <summary>Conversations over the same connection.</summary>
    public RedisConversationStore Conversations { get; }

    public StoreHealth Health =>
        new("redis", _watch.ReachedOnce, _connection.IsConnected && !_watch.FailedJustNow, _connection.Warning);

    public Task StartAsync()
    {
        _connection.Start();
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    public ValueTask<Chain?> LoadChainAsync(string tenant, ResponseId parent, CancellationToken cancellationToken) =>
        _watch.ReadAsync("load_chain", ct => LoadAsync(tenant, parent, ct), cancellationToken);

    public ValueTask<CommitOutcome> CommitAsync(TurnCommit commit, CancellationToken cancellationToken) =>
        _watch.WriteAsync(
            "commit",
            ct => _connection.AcknowledgedAsync(
                CommitTwiceAsync(commit, ct),
                () => [RedisKeys.Record(commit.Tenant, commit.Id), RedisKeys.Days(commit.Tenant)],
                ct),
            cancellationToken);

    public ValueTask<StoredResponse?> GetAsync(string tenant, ResponseId id, CancellationToken cancellationToken) =>
        _watch.ReadAsync("get", ct => ReadAsync(tenant, id, ct), cancellationToken);

    public ValueTask<bool> DeleteAsync(string tenant, ResponseId id, CancellationToken cancellationToken) =>
        _watch.WriteAsync(
            "delete", ct => _connection.AcknowledgedAsync(EraseAsync(tenant, id, ct), () => [RedisKeys.Record(tenant, id)], ct), cancellationToken);

    public ValueTask<StoredPage?> ListAsync(string tenant, ListQuery query, CancellationToken cancellationToken) =>
        _watch.ReadAsync("list", ct => PageAsync(tenant, query, ct), cancellationToken);

    public ValueTask<bool> ClaimAsync(string tenant, string name, string owner, TimeSpan retention, CancellationToken cancellationToken) =>
        _watch.WriteAsync(
            "claim",
            ct => _connection.AcknowledgedAsync(
                TakeAsync(RedisKeys.Claim(tenant, name), owner, ClaimLife.For(retention), ct), () => [RedisKeys.Claim(tenant, name)], ct),
            cancellationToken);

    public ValueTask<string?> FindOwnerAsync(string tenant, string name, CancellationToken cancellationToken) =>
        _watch.ReadAsync("find_owner", ct => ReadOwnerAsync(RedisKeys.Claim(tenant, name), ct), cancellationToken);

    public async ValueTask ReleaseAsync(string tenant, string name, string owner, CancellationToken cancellationToken) =>
        await _watch.WriteAsync("release", ct => GiveBackAsync(RedisKeys.Claim(tenant, name), owner, ct), cancellationToken).ConfigureAwait(false);

    public ValueTask<TenantErasure> EraseTenantAsync(string tenant, CancellationToken cancellationToken) =>
        _watch.WriteAsync(
            "erase_tenant",
            async ct =>
            {
                var erasure = new RedisErasure(await _connection.GetDatabaseAsync(ct).ConfigureAwait(false), tenant);
                return await _connection.AcknowledgedAsync(new ValueTask<TenantErasure>(erasure.RunAsync(ct)), () => erasure.Touched, ct).ConfigureAwait(false);
            },
            cancellationToken);

    private async ValueTask<bool> TakeAsync(RedisKey claim, string owner, TimeSpan retention, CancellationToken cancellationToken)
    {
        var db = await _connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        if (await db.StringSetAsync(claim, owner, retention, When.NotExists).WaitAsync(cancellationToken).ConfigureAwait(false))
        {
            return true;
        }

        // The owner may be this very caller, whose first reply was lost.
        return await db.StringGetAsync(claim, Primary).WaitAsync(cancellationToken).ConfigureAwait(false) == owner;
    }

    private async ValueTask<string?> ReadOwnerAsync(RedisKey claim, CancellationToken cancellationToken)
    {
        var db = await _connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        return await db.StringGetAsync(claim, Primary).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<bool> GiveBackAsync(RedisKey claim, string owner, CancellationToken cancellationToken)
    {
        var db = await _connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        return (long)await db.ScriptEvaluateAsync(RedisScripts.Release, [claim], [owner]).WaitAsync(cancellationToken).ConfigureAwait(false) == 1;
    }

    private async ValueTask<Chain?> LoadAsync(string tenant, ResponseId parent, CancellationToken cancellationToken)
    {
        var db = await _connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);

        // Most parents are in their chain's main branch and their whole history is there: then one round trip is enough.
        var recordReply = db.StringGetAsync(RedisKeys.Record(tenant, parent), Primary);
        var mainReply = db.ListRangeAsync(RedisKeys.Log(tenant, parent.Chain, CommitPlan.MainBranch), 0, -1, Primary);
        await Task.WhenAll(recordReply, mainReply).WaitAsync(cancellationToken).ConfigureAwait(false);
        var found = await recordReply.ConfigureAwait(false);
        if (found.IsNull)
        {
            return null;
        }

        var record = RecordCodec.Decode(parent, found);
        var path = record.Path;
        var replies = new Task<RedisValue[]>[path.Count];
        for (var i = 0; i < replies.Length; i++)
        {
            // One turn more than needed of the last log: whether there is one tells if the parent is the tail.
            var (chain, branch, count) = path[i];
            var last = i == replies.Length - 1 ? count : count - 1;
            replies[i] = chain == parent.Chain && branch == CommitPlan.MainBranch
                ? mainReply
                : db.ListRangeAsync(RedisKeys.Log(tenant, chain, branch), 0, last, Primary);
        }

        var logs = await Task.WhenAll(replies).WaitAsync(cancellationToken).ConfigureAwait(false);
        return ReadTurns(path, logs) is { } turns
            ? new Chain(record, turns, ParentIsTail: path[^1].IsTailOf(logs[^1].Length))
            : null;
    }

    private Turn[]? ReadTurns(IReadOnlyList<PathSegment> path, RedisValue[][] logs)
    {
        var total = 0;
        for (var i = 0; i < logs.Length; i++)
        {
            total += path[i].Count;
        }

        var turns = new List<Turn>(capacity: logs.Sum(log => log.Length));
        for (var i = 0; i < logs.Length; i++)
        {
            for (var n = 0; n < path[i].Count; n++)
            {
                if (n >= logs[i].Length || TurnCodec.Decode(logs[i][n]) is not { } turn)
                {
                    _metrics.ChainIncomplete();
                    StoreLog.ChainIncomplete(_logger, total);
                    return null;
                }

                turns.Add(turn);
            }
        }

        return [.. turns];
    }

    private async ValueTask<CommitOutcome> CommitTwiceAsync(TurnCommit commit, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        var db = await _connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        CommitOutcome outcome;
        try
        {
            outcome = await _patience.RunAsync(() => NewCommit().SendAsync(db, cancellationToken), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RedisException or RedisCommandException or TimeoutException && _time.GetElapsedTime(started) < _timeout)
        {
            // The reply may be lost, the server restarted, another one promoted, or a Cluster recognised as one meanwhile. A commit that was
            // done already says so. Both tries share one patience: the client waits for its end.
            outcome = await RedisRetry.WithinAsync(NewCommit().SendAsync(db, cancellationToken), started, _timeout, _time, cancellationToken)
                .ConfigureAwait(false);
        }

        if (outcome == CommitOutcome.HistoryLost)
        {
            StoreLog.HistoryLost(_logger);
        }

        return outcome;

        RedisCommit NewCommit() => new(commit, _connection.IsCluster, _time);
    }

    private static async Task<ResponseRecord?> ReadRecordAsync(IDatabase db, string tenant, ResponseId id)
    {
        var found = await db.StringGetAsync(RedisKeys.Record(tenant, id), Primary).ConfigureAwait(false);
        return found.IsNull ? null : RecordCodec.Decode(id, found);
    }

    private static async Task<StoredResponse?> ReadTurnAsync(IDatabase db, string tenant, ResponseRecord record)
    {
        var own = record.Path[^1];
        var element = await db.ListGetByIndexAsync(RedisKeys.Log(tenant, own.Chain, own.Branch), own.Count - 1, Primary).ConfigureAwait(false);
        return !element.IsNull && TurnCodec.Decode(element) is { } turn ? new StoredResponse(record, turn) : null;
    }

    private async ValueTask<StoredResponse?> ReadAsync(string tenant, ResponseId id, CancellationToken cancellationToken)
    {
        var db = await _connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        var record = await ReadRecordAsync(db, tenant, id).WaitAsync(cancellationToken).ConfigureAwait(false);
        return record is null ? null : await ReadTurnAsync(db, tenant, record).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<bool> EraseAsync(string tenant, ResponseId id, CancellationToken cancellationToken)
    {
        var db = await _connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        var record = await ReadRecordAsync(db, tenant, id).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (record is null)
        {
            return false;
        }

        var own = record.Path[^1];
        List<RedisKey> keys = [RedisKeys.Record(tenant, id), RedisKeys.Events(tenant, id), RedisKeys.Log(tenant, own.Chain, own.Branch)];
        if (own.Branch == CommitPlan.ConversationBranch)
        {
            keys.Add(RedisKeys.Conversation(tenant, own.Chain));
        }

        var erased = await _patience.RunAsync(
            () => db.ScriptEvaluateAsync(RedisScripts.Delete, [.. keys], [own.Count - 1, TurnCodec.Erased]),
            cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
        await RedisIndex.RemoveAsync(db, tenant, record).WaitAsync(cancellationToken).ConfigureAwait(false);
        return (long)erased == 1;
    }

    private async ValueTask<StoredPage?> PageAsync(string tenant, ListQuery query, CancellationToken cancellationToken)
    {
        var db = await _connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        var walk = await _index.WalkAsync(db, tenant, query).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (walk is null)
        {
            return null;
        }

        // One more than asked for tells whether there are more. What the index names and is not there has expired, was deleted, or is just
        // being committed; where many have gone, batches grow, so that a page is not a round trip for each.
        var page = new List<StoredResponse>(query.Limit);
        var records = new List<ResponseRecord>(query.Limit + 1);
        var alive = new List<RedisIndexEntry>();
        var batch = query.Limit + 1;
        var isOver = false;
        var atOnce = FirstAtOnce;
        var (bytes, longest) = (0L, 1L);
        while (page.Count < query.Limit && bytes < query.MostBytes && !isOver)
        {
            var most = Math.Min(atOnce, query.Limit - page.Count);
            while (most + 1 - records.Count is > 0 and var needed)
            {
                var gone = new List<RedisIndexEntry>();
                if (alive.Count == 0)
                {
                    alive = await walk.NextAsync(batch).WaitAsync(cancellationToken).ConfigureAwait(false);
                    batch = Math.Max(batch, Math.Min(2 * batch, MostAtOnce));
                    if (alive.Count == 0)
                    {
                        isOver = true;
                        break;
                    }

                    // Records may be large: of a batch that is longer than what is needed only those are read that are.
                    if (alive.Count > query.Limit + 1 - page.Count - records.Count)
                    {
                        (alive, gone) = await SplitAsync(db, tenant, alive).WaitAsync(cancellationToken).ConfigureAwait(false);
                    }
                }

                var read = alive.GetRange(0, Math.Min(needed, alive.Count));
                alive.RemoveRange(0, read.Count);
                var found = await Task.WhenAll(read.Select(entry => ReadRecordAsync(db, tenant, entry.Id))).WaitAsync(cancellationToken).ConfigureAwait(false);
                records.AddRange(found.OfType<ResponseRecord>());
                gone.AddRange(read.Where((_, n) => found[n] is null));
                _index.Forget(db, tenant, gone, _connection.IsCluster);
            }

            // Of a response whose conversation is just being deleted the record may be left: others take its place in the page.
            var shown = records.GetRange(0, Math.Min(most, records.Count));
            records.RemoveRange(0, shown.Count);
            var turns = await Task.WhenAll(shown.Select(record => ReadTurnAsync(db, tenant, record))).WaitAsync(cancellationToken).ConfigureAwait(false);
            foreach (var response in turns.OfType<StoredResponse>())
            {
                page.Add(response);
                bytes += response.Bytes;
                longest = Math.Max(longest, response.Bytes);
            }

            // As many as fit if none is longer than those so far.
            atOnce = (int)Math.Clamp((query.MostBytes - bytes) / longest, 1, query.Limit);
        }

        if (query.Before is not null)
        {
            page.Reverse();
        }

        return new StoredPage(page, HasMore: records.Count > 0);
    }

    private static async Task<(List<RedisIndexEntry> Alive, List<RedisIndexEntry> Gone)> SplitAsync(
        IDatabase db, string tenant, List<RedisIndexEntry> entries)
    {
        var exist = await Task.WhenAll(entries.Select(entry => db.KeyExistsAsync(RedisKeys.Record(tenant, entry.Id), Primary))).ConfigureAwait(false);
        return ([.. entries.Where((_, n) => exist[n])], [.. entries.Where((_, n) => !exist[n])]);
    }
}
