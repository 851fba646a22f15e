using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// A tenant's responses by the day they were created in (UTC), each day a sorted set of created milliseconds -> id, and the list of those
/// days. A day lives as long as its longest-lived response, whatever retention each was given.
/// </summary>
internal sealed class RedisIndex(TimeProvider time)
{
    private const CommandFlags Primary = CommandFlags.DemandMaster;

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

        var days = (await daysReply.ConfigureAwait(false)).Select(day => day.ToString());
        days = order == Order.Descending ? days.OrderDescending(StringComparer.Ordinal) : days.Order(StringComparer.Ordinal);
        if (place is { } at)
        {
            var first = RedisKeys.Day(DateTimeOffset.FromUnixTimeMilliseconds(at.Created));
            days = days.Where(day => string.CompareOrdinal(day, first) is var side && (order == Order.Descending ? side <= 0 : side >= 0));
        }

        return new RedisIndexWalk(db, tenant, order, [.. days], place);
    }
}
