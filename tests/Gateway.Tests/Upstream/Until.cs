namespace Gateway.Tests.Upstream;

/// <summary>Waits for what a background loop of the host will bring about, and fails when it does not.</summary>
internal static class Until
{
    public static Task TrueAsync(Func<bool> condition) => TrueAsync(() => Task.FromResult(condition()));

    public static async Task TrueAsync(Func<Task<bool>> condition)
    {
        using var poll = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(10), "It did not come about in 10 seconds.");
            await poll.WaitForNextTickAsync();
        }
    }
}
