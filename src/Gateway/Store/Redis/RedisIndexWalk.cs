using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>Goes through a tenant's index from one place on, day by day, in one direction. It holds one batch at a time.</summary>
internal sealed class RedisIndexWalk(
    IDatabase db, string tenant, Order order, DateOnly day, DateOnly oldest, DateOnly newest, (long Created, string Id)? place)
{
    /// <summary>Most days of a quiet tenant are empty: asking for several at once saves round trips, and their replies stay small.</summary>
    private const int DaysAtOnce = 8;

    private DateOnly _day = day;
    private double? _bound = place?.Created;
    private (long Created, string Id)? _last = place;
    private long _skip;

    /// <summary>The next ids, at most <paramref name="count"/>; none at the end.</summary>
    public async Task<List<ResponseId>> NextAsync(int count)
    {
        var ids = new List<ResponseId>(count);
        while (ids.Count < count && _day >= oldest && _day <= newest)
        {
            var replies = new List<Task<SortedSetEntry[]>>(DaysAtOnce);
            for (var (n, at) = (0, _day); n < DaysAtOnce && at >= oldest && at <= newest; n++, at = Following(at))
            {
                replies.Add(n == 0 ? RangeAsync(at, _bound, _skip, count) : RangeAsync(at, null, 0, count));
            }

            foreach (var entries in await Task.WhenAll(replies).ConfigureAwait(false))
            {
                if (!TakeAll(entries, ids, count) || entries.Length == count)
                {
                    // This day may hold more: the next call, or the next turn of the outer loop, goes on in it.
                    break;
                }

                (_day, _bound, _skip) = (Following(_day), null, 0);
            }
        }

        return ids;
    }

    private DateOnly Following(DateOnly at) => at.AddDays(order == Order.Descending ? -1 : 1);

    private Task<SortedSetEntry[]> RangeAsync(DateOnly at, double? bound, long skip, int take)
    {
        var (least, most) = order == Order.Descending
            ? (double.NegativeInfinity, bound ?? double.PositiveInfinity)
            : (bound ?? double.NegativeInfinity, double.PositiveInfinity);
        return db.SortedSetRangeByScoreWithScoresAsync(
            RedisKeys.Index(tenant, at), least, most, Exclude.None, order, skip, take, CommandFlags.DemandMaster);
    }

    /// <summary>False when <paramref name="ids"/> was full before the end of the entries.</summary>
    private bool TakeAll(SortedSetEntry[] entries, List<ResponseId> ids, int count)
    {
        foreach (var entry in entries)
        {
            if (ids.Count == count)
            {
                return false;
            }

            // Responses of the cursor's own millisecond on its near side, and what moved since the last batch, were seen already.
            _skip++;
            var at = ((long)entry.Score, entry.Element.ToString());
            if (IsBehindLast(at) && ResponseId.TryParse(at.Item2, out var id))
            {
                _last = at;
                ids.Add(id);
            }
        }

        return true;
    }

    private bool IsBehindLast((long Created, string Id) at)
    {
        if (_last is not { } last)
        {
            return true;
        }

        var difference = at.Created != last.Created ? at.Created.CompareTo(last.Created) : string.CompareOrdinal(at.Id, last.Id);
        return order == Order.Descending ? difference < 0 : difference > 0;
    }
}
