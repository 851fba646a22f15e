namespace Gateway.Upstream;

/// <summary>Counts requests and retries over the last ten seconds, and says whether one more retry is within the budget.</summary>
internal sealed class RetryBudget
{
    private const int Seconds = 10;

    private readonly Lock _lock = new();
    private readonly int[] _requests = new int[Seconds];
    private readonly int[] _retries = new int[Seconds];
    private long _second;
    private int _requestsInAll;
    private int _retriesInAll;

    public void CountRequest(TimeProvider time)
    {
        lock (_lock)
        {
            _requests[Now(time)]++;
            _requestsInAll++;
        }
    }

    public bool HasRoom(RetryBudgetOptions options, TimeProvider time)
    {
        lock (_lock)
        {
            Now(time);
            return HasRoom(options);
        }
    }

    public bool TryTake(RetryBudgetOptions options, TimeProvider time)
    {
        lock (_lock)
        {
            var now = Now(time);
            if (!HasRoom(options))
            {
                return false;
            }

            _retries[now]++;
            _retriesInAll++;
            return true;
        }
    }

    private bool HasRoom(RetryBudgetOptions options) =>
        _retriesInAll + 1 <= (options.Ratio * _requestsInAll) + ((double)options.PerSecond * Seconds);

    /// <summary>The slot of this second, after those that are over are forgotten.</summary>
    private int Now(TimeProvider time)
    {
        var second = time.GetTimestamp() / time.TimestampFrequency;
        // Everything is forgotten after ten rounds, however long nothing was counted.
        var last = Math.Max(_second, second - Seconds);
        for (; last < second; last++)
        {
            var slot = (int)((last + 1) % Seconds);
            _requestsInAll -= _requests[slot];
            _retriesInAll -= _retries[slot];
            (_requests[slot], _retries[slot]) = (0, 0);
        }

        _second = second;
        return (int)(second % Seconds);
    }
}
