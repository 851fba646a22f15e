using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>A tenant's responses by the day they were created in (UTC), each day a sorted set of created milliseconds -> id.</summary>
internal sealed class RedisIndex(TimeSpan retention, TimeProvider time)
{
    private const CommandFlags Primary = CommandFlags.DemandMaster;

    /// <summary>Notes a response on its own, where the commit's script can not: in a Cluster.</summary>
    public static Task AddAsync(IDatabase db, TurnCommit commit) =>
        db.ScriptEvaluateAsync(
            RedisScripts.Index,
            [RedisKeys.Index(commit.Tenant, RedisKeys.Day(commit.CreatedAt))],
            [commit.CreatedAt.ToUnixTimeMilliseconds(), commit.Id.ToString(), (long)commit.Retention.TotalMilliseconds]);

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

    /// <summary>A walk from the query's cursor. Null when the cursor is not a response of the tenant.</summary>
    public async Task<RedisIndexWalk?> WalkAsync(IDatabase db, string tenant, ListQuery query)
    {
        // A response may be kept longer than a day after its creation (a long run), and clocks of replicas differ.
        var now = time.GetUtcNow();
        var oldest = RedisKeys.Day(now - retention).AddDays(-1);
        var newest = RedisKeys.Day(now).AddDays(1);
        var order = query.Before is null ? Order.Descending : Order.Ascending;
        if ((query.After ?? query.Before) is not { } cursor)
        {
            return new RedisIndexWalk(db, tenant, order, order == Order.Descending ? newest : oldest, oldest, newest, place: null);
        }

        var head = await db.StringGetRangeAsync(RedisKeys.Record(tenant, cursor), 0, RecordCodec.CreatedPrefix - 1, Primary).ConfigureAwait(false);
        if (head.IsNullOrEmpty)
        {
            return null;
        }

        var created = RecordCodec.DecodeCreated(((ReadOnlyMemory<byte>)head).Span);
        var place = (created.ToUnixTimeMilliseconds(), cursor.ToString());
        return new RedisIndexWalk(db, tenant, order, RedisKeys.Day(created), oldest, newest, place);
    }
}
