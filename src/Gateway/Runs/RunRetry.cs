using Gateway.Store;

namespace Gateway.Runs;

/// <summary>Writes of a run, which are tried until the store has taken them: what was made must not be lost.</summary>
internal static class RunRetry
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Tries until it succeeds. A store that does not take one write for the time of a lease, though it prolongs the lease, holds something of
    /// this run that it can not read any more: then the run is given up, and whoever takes it begins with what is there.
    /// </summary>
    /// <param name="write">The write, which may be sent again.</param>
    /// <param name="control">The run.</param>
    /// <param name="patience">The time of a lease.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="OperationCanceledException">The lease is lost.</exception>
    public static async Task<T> WriteAsync<T>(Func<ValueTask<T>> write, RunControl control, TimeSpan patience, TimeProvider time)
    {
        var started = time.GetTimestamp();
        for (var delay = FirstDelay; ; delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay)
        {
            control.LeaseLost.ThrowIfCancellationRequested();
            try
            {
                return await write();
            }
            catch (StoreUnavailableException) when (time.GetElapsedTime(started) < patience)
            {
                await Task.Delay(delay, time, control.LeaseLost);
            }
            catch (StoreUnavailableException)
            {
                control.Lose();
            }
        }
    }
}
