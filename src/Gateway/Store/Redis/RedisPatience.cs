using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// Waits out what a Redis Cluster says while it changes: keys of a slot in the middle of its move, slots that nobody serves for a moment, a
/// replica that still loads what it will serve.
/// </summary>
internal sealed class RedisPatience(TimeSpan timeout, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Makes a call until Redis gives another answer or the time for one command is over.</summary>
    public async Task<T> RunAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await call().ConfigureAwait(false);
            }
            catch (RedisServerException e) when (IsPassing(e) && time.GetElapsedTime(started) + Pause < timeout)
            {
                await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static bool IsPassing(RedisServerException e) =>
        e.Message.StartsWith("TRYAGAIN", StringComparison.Ordinal) || e.Message.StartsWith("CLUSTERDOWN", StringComparison.Ordinal)
        || e.Message.StartsWith("LOADING", StringComparison.Ordinal);
}
