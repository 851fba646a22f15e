namespace Gateway.Store;

/// <summary>Gathers a page of items while the turns of a conversation are read one after the other, in the page's order.</summary>
/// <param name="query">The page.</param>
/// <param name="start">The position of the cursor's turn; null without a cursor.</param>
internal sealed class ItemPageBuilder(ItemQuery query, long? start)
{
    /// <summary>How many turns are worth reading at once: most have two or three items.</summary>
    public const int TurnsAtOnce = 32;

    private readonly List<ReadOnlyMemory<byte>> _items = new(query.Limit);
    private ReadOnlyMemory<byte>? _cursor;

    /// <summary>One item more than the page holds has been seen: nothing more needs to be read.</summary>
    public bool HasMore { get; private set; }

    /// <summary>Takes the next turn.</summary>
    /// <param name="position">Its place in the log.</param>
    /// <param name="turn">The turn; null when it was deleted.</param>
    public void Add(long position, Turn? turn)
    {
        var count = turn?.Count ?? 0;
        var (index, end, step) = query.Ascending ? (0, count, 1) : (count - 1, -1, -1);
        if (position == start && query.After is { } after)
        {
            if (turn is null)
            {
                // All of it is gone, the cursor's item with it.
                _cursor = ReadOnlyMemory<byte>.Empty;
                return;
            }

            if (after.Index >= count)
            {
                return;
            }

            _cursor = turn[after.Index];
            index = after.Index + step;
        }

        for (; index != end && !HasMore; index += step)
        {
            if (turn![index].IsEmpty)
            {
                continue;
            }

            if (_items.Count == query.Limit)
            {
                HasMore = true;
            }
            else
            {
                _items.Add(turn[index]);
            }
        }
    }

    public ItemPage Build() => new(_items, HasMore, _cursor);
}
