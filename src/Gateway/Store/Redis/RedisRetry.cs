using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>Sends once more what may be sent twice: the reply may be lost, the server restarted, or another one promoted.</summary>
internal static class RedisRetry
{
    /// <summary>Both tries share one patience: the client waits for its end.</summary>
    public static async Task<T> TwiceAsync<T>(Func<Task<T>> send, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        try
        {
            return await send().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RedisException or RedisCommandException or TimeoutException && time.GetElapsedTime(started) < timeout)
        {
            return await WithinAsync(send(), started, timeout, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Waits for what is left of a patience that began at a timestamp.</summary>
    /// <exception cref="TimeoutException">It is over.</exception>
    public static Task<T> WithinAsync<T>(Task<T> sent, long started, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        // It may have run out while the command was being sent.
        var left = timeout - time.GetElapsedTime(started);
        return sent.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, cancellationToken);
    }
}
