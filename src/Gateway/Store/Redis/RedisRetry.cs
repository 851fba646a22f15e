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
            return await send().WaitAsync(timeout - time.GetElapsedTime(started), time, cancellationToken).ConfigureAwait(false);
        }
    }
}
