using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>Goes through a tenant's index from one place on, day by day, in one direction. It holds one batch at a time.</summary>
/// <param name="db">Where the index is.</param>
/// <param name="tenant">Whose it is.</param>
/// <param name="order">The direction.</param>
/// <param name="days">The days to go through, in that direction.</param>
/// <param name="place">What was seen last; it and what is on its near side is left out.</param>
internal sealed class RedisIndexWalk(IDatabase db, string tenant, Order order, IReadOnlyList<string> days, (long Created, string Id)? place)
{
    /// <summary>A quiet tenant has few responses in a day: asking for several days at once saves round trips, and their replies stay small.</summary>
    private const int DaysAtOnce = 8;

    private int _day;
    private double? _bound = place?.Created;
    private (long Created, string Id)? _last = place;
    private long _skip;

    /// <summary>The next entries, at most <paramref name="count"/>; none at the end.</summary>
    public async Task<List<RedisIndexEntry>> NextAsync(int count)
    {
        var found = new List<RedisIndexEntry>(count);
        while (found.Count < count && _day < days.Count)
        {
            var replies = new List<Task<SortedSetEntry[]>>(DaysAtOnce);
            for (var at = _day; replies.Count < DaysAtOnce && at < days.Count; at++)
            {
                replies.Add(at == _day ? RangeAsync(days[at], _bound, _skip, count) : RangeAsync(days[at], null, 0, count));
            }

            foreach (var entries in await Task.WhenAll(replies).ConfigureAwait(false))
            {
                if (!TakeAll(entries, found, count) || entries.Length == count)
                {
                    // This day may hold more: the next call, or the next turn of the outer loop, goes on in it.
                    break;
                }

                (_day, _bound, _skip) = (_day + 1, null, 0);
            }
        }

        return found;
    }

    /// <summary>
    /// Forgets entries of the last batch whose response was not found: it has expired before its day or was deleted. So each is met once, and
    /// a page costs the same however many have gone. Nobody waits for it.
    /// </summary>
    public void Forget(IEnumerable<RedisIndexEntry> gone)
    {
        foreach (var day in gone.GroupBy(entry => RedisKeys.Day(entry.Created)))
        {
            RedisValue[] ids = [.. day.Select(entry => (RedisValue)entry.Id.ToString())];
            _ = db.SortedSetRemoveAsync(RedisKeys.Index(tenant, day.Key), ids, CommandFlags.DemandMaster | CommandFlags.FireAndForget);
            if (_day < days.Count && days[_day] == day.Key)
            {
                // What follows moves up. Commands on one key are done in the order they were sent; were this one lost, what was seen would
                // be seen again and left out.
                _skip -= ids.Length;
            }
        }
    }

    private Task<SortedSetEntry[]> RangeAsync(string at, double? bound, long skip, int take)
    {
        var (least, most) = order == Order.Descending
            ? (double.NegativeInfinity, bound ?? double.PositiveInfinity)
            : (bound ?? double.NegativeInfinity, double.PositiveInfinity);
        return db.SortedSetRangeByScoreWithScoresAsync(
            RedisKeys.Index(tenant, at), least, most, Exclude.None, order, skip, take, CommandFlags.DemandMaster);
    }

    /// <summary>False when <paramref name="found"/> was full before the end of the entries.</summary>
    private bool TakeAll(SortedSetEntry[] entries, List<RedisIndexEntry> found, int count)
    {
        foreach (var entry in entries)
        {
            if (found.Count == count)
            {
                return false;
            }

            // Responses of the cursor's own millisecond on its near side, and what moved since the last batch, were seen already.
            _skip++;
            var at = ((long)entry.Score, entry.Element.ToString());
            if (IsBehindLast(at) && ResponseId.TryParse(at.Item2, out var id))
            {
                _last = at;
                found.Add(new RedisIndexEntry(id, DateTimeOffset.FromUnixTimeMilliseconds(at.Item1)));
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
