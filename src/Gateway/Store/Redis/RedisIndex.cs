using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// A tenant's responses by the day they were created in (UTC), each day a sorted set of created milliseconds -> id, and the list of those
/// days. A day lives as long as its longest-lived response, whatever retention each was given.
/// </summary>
internal sealed class RedisIndex(TimeProvider time)
{
    /// <summary>
    /// In a Cluster an entry is written before its response: one without is forgotten only that long after a list met it first. Far more than a
    /// commit takes, and than clocks of replicas differ.
    /// </summary>
    public static readonly TimeSpan Doubt = TimeSpan.FromHours(1);

    private const CommandFlags Primary = CommandFlags.DemandMaster;

    /// <summary>The longest retention there is, and a day.</summary>
    private const int MostDays = 3651;

    /// <summary>Clocks of replicas differ.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromDays(1);

    /// <summary>Notes a response on its own, where the commit's script can not: in a Cluster.</summary>
    public static Task AddAsync(IDatabase db, TurnCommit commit, DateTimeOffset now)
    {
        var day = RedisKeys.Day(commit.CreatedAt);
        return db.ScriptEvaluateAsync(
            RedisScripts.Index,
            [RedisKeys.Index(commit.Tenant, day), RedisKeys.Days(commit.Tenant)],
            [
                commit.CreatedAt.ToUnixTimeMilliseconds(),
                commit.Id.ToString(),
                (long)commit.Retention.TotalMilliseconds,
                day,
                (now + commit.Retention).ToUnixTimeMilliseconds(),
            ]);
    }

    public static Task RemoveAsync(IDatabase db, string tenant, ResponseRecord record) =>
        db.SortedSetRemoveAsync(RedisKeys.Index(tenant, RedisKeys.Day(record.CreatedAt)), record.Id.ToString());

    /// <summary>Removes those of several turns that are responses and are still kept.</summary>
    public static async Task RemoveAsync(IDatabase db, string tenant, IReadOnlyList<ResponseId> turns)
    {
        var heads = await Task.WhenAll(
            turns.Select(id => db.StringGetRangeAsync(RedisKeys.Record(tenant, id), 0, RecordCodec.CreatedPrefix - 1, Primary))).ConfigureAwait(false);
        var days = turns.Zip(heads)
            .Where(static turn => !turn.Second.IsNullOrEmpty)
            .GroupBy(static turn => RedisKeys.Day(RecordCodec.DecodeCreated(((ReadOnlyMemory<byte>)turn.Second).Span)), static turn => (RedisValue)turn.First.ToString());
        await Task.WhenAll(days.Select(day => db.SortedSetRemoveAsync(RedisKeys.Index(tenant, day.Key), [.. day]))).ConfigureAwait(false);
    }

    /// <summary>
    /// Forgets entries whose response was not found: it has expired before its day, or was deleted. So each is met once, or in a Cluster until
    /// <see cref="Doubt"/> is over. Nobody waits for it.
    /// </summary>
    public void Forget(IDatabase db, string tenant, IEnumerable<RedisIndexEntry> gone, bool isCluster)
    {
        const CommandFlags Unawaited = CommandFlags.DemandMaster | CommandFlags.FireAndForget;
        foreach (var day in gone.GroupBy(entry => RedisKeys.Day(entry.Created)))
        {
            RedisValue[] ids = [.. day.Select(entry => (RedisValue)entry.Id.ToString())];
            var index = RedisKeys.Index(tenant, day.Key);
            Task _ = isCluster
                ? db.ScriptEvaluateAsync(
                    RedisScripts.IndexForget,
                    [index, RedisKeys.Doubtful(tenant)],
                    [time.GetUtcNow().ToUnixTimeMilliseconds(), (long)Doubt.TotalMilliseconds, .. ids],
                    Unawaited)
                : db.SortedSetRemoveAsync(index, ids, Unawaited);
        }
    }

    /// <summary>A walk from the query's cursor. Null when the cursor is not a response of the tenant.</summary>
    public async Task<RedisIndexWalk?> WalkAsync(IDatabase db, string tenant, ListQuery query)
    {
        var order = query.Before is null ? Order.Descending : Order.Ascending;
        var alive = (double)(time.GetUtcNow() - Slack).ToUnixTimeMilliseconds();
        var daysReply = db.SortedSetRangeByScoreAsync(RedisKeys.Days(tenant), start: alive, flags: Primary);
        (long Created, string Id)? place = null;
        if ((query.After ?? query.Before) is { } cursor)
        {
            var head = await db.StringGetRangeAsync(RedisKeys.Record(tenant, cursor), 0, RecordCodec.CreatedPrefix - 1, Primary).ConfigureAwait(false);
            if (head.IsNullOrEmpty)
            {
                return null;
            }

            place = (RecordCodec.DecodeCreated(((ReadOnlyMemory<byte>)head).Span).ToUnixTimeMilliseconds(), cursor.ToString());
        }

        var listed = await daysReply.ConfigureAwait(false);
        if (!listed.Contains(RedisKeys.AllDays))
        {
            listed = [.. listed, .. await FindDaysAsync(db, tenant).ConfigureAwait(false)];
        }

        var days = listed.Where(day => day != RedisKeys.AllDays).Select(day => day.ToString()).Distinct();
        days = order == Order.Descending ? days.OrderDescending(StringComparer.Ordinal) : days.Order(StringComparer.Ordinal);
        if (place is { } at)
        {
            var first = RedisKeys.Day(DateTimeOffset.FromUnixTimeMilliseconds(at.Created));
            days = days.Where(day => string.CompareOrdinal(day, first) is var side && (order == Order.Descending ? side <= 0 : side >= 0));
        }

        return new RedisIndexWalk(db, tenant, order, [.. days], place);
    }

    /// <summary>
    /// The days that have an index, known or not: early builds kept no list of them. They are put into the list, with a mark that it is whole, so
    /// that they are looked for once. Of a tenant without any nothing is written, and asking costs one command.
    /// </summary>
    private async Task<IEnumerable<RedisValue>> FindDaysAsync(IDatabase db, string tenant)
    {
        var now = time.GetUtcNow();
        string[] days = [.. Enumerable.Range(-1, MostDays + 1).Select(n => RedisKeys.Day(now.AddDays(-n)))];
        RedisKey[] keys = [.. days.Select(day => RedisKeys.Index(tenant, day))];
        if (await db.KeyExistsAsync(keys, Primary).ConfigureAwait(false) == 0)
        {
            return [];
        }

        var left = await Task.WhenAll(keys.Select(key => db.KeyTimeToLiveAsync(key, Primary))).ConfigureAwait(false);
        var found = days.Zip(left).Where(day => day.Second is not null).ToList();

        // Nobody waits for it: this list knows the days, and it must not fail where Redis reads but does not write.
        _ = db.ScriptEvaluateAsync(
            RedisScripts.IndexDays,
            [RedisKeys.Days(tenant)],
            [
                RedisKeys.AllDays,
                now.ToUnixTimeMilliseconds(),
                .. found.SelectMany(day => (RedisValue[])[(long)day.Second.GetValueOrDefault().TotalMilliseconds, day.First]),
            ],
            Primary | CommandFlags.FireAndForget);
        return found.Select(day => (RedisValue)day.First);
    }
}
