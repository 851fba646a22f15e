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

    /// <summary>
    /// How many entries of the millisecond of the last one were seen, which the next range begins with again. A place that came from outside is
    /// one. When others have come there since, the range tells nothing new and is asked for again, twice as long.
    /// </summary>
    private int _seen = place is null ? 0 : 1;

    /// <summary>
    /// The next entries, at most <paramref name="count"/>; none at the end. It goes on behind the last entry itself and not so many entries further
    /// on: others may have come and gone since.
    /// </summary>
    public async Task<List<RedisIndexEntry>> NextAsync(int count)
    {
        var found = new List<RedisIndexEntry>(count);
        while (found.Count < count && _day < days.Count)
        {
            var first = count + _seen;
            var replies = new List<Task<SortedSetEntry[]>>(DaysAtOnce);
            for (var at = _day; replies.Count < DaysAtOnce && at < days.Count; at++)
            {
                replies.Add(at == _day ? RangeAsync(days[at], _bound, first) : RangeAsync(days[at], null, count));
            }

            var asked = first;
            foreach (var entries in await Task.WhenAll(replies).ConfigureAwait(false))
            {
                var before = _last;
                if (!TakeAll(entries, found, count) || entries.Length == asked)
                {
                    // This day may hold more: the next call, or the next turn of the outer loop, goes on in it.
                    _seen = _last == before ? 2 * asked : _seen;
                    break;
                }

                (_day, _bound, _seen) = (_day + 1, null, 0);
                asked = count;
            }
        }

        return found;
    }

    private Task<SortedSetEntry[]> RangeAsync(string at, double? bound, int take)
    {
        var (least, most) = order == Order.Descending
            ? (double.NegativeInfinity, bound ?? double.PositiveInfinity)
            : (bound ?? double.NegativeInfinity, double.PositiveInfinity);
        return db.SortedSetRangeByScoreWithScoresAsync(
            RedisKeys.Index(tenant, at), least, most, Exclude.None, order, 0, take, CommandFlags.DemandMaster);
    }

    /// <summary>False when <paramref name="found"/> was full before the end of the entries.</summary>
    private bool TakeAll(SortedSetEntry[] entries, List<RedisIndexEntry> found, int count)
    {
        foreach (var entry in entries)
        {
            var at = ((long)entry.Score, entry.Element.ToString());
            if (!IsBehindLast(at))
            {
                continue;
            }

            if (found.Count == count)
            {
                return false;
            }

            _seen = _bound == entry.Score ? _seen + 1 : 1;
            (_last, _bound) = (at, entry.Score);
            if (ResponseId.TryParse(at.Item2, out var id))
            {
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
