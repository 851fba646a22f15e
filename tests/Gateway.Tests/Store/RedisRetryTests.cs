using Gateway.Store.Redis;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Store;

public sealed class RedisRetryTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(4);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task PatienceRunsOut_WhileTheSecondTryIsSent_IsATimeout()
    {
        var tries = 0;
        Task<int> Send()
        {
            if (tries++ == 0)
            {
                return Task.FromException<int>(new TimeoutException());
            }

            _time.Advance(Timeout + TimeSpan.FromMilliseconds(5));
            return new TaskCompletionSource<int>().Task;
        }

        await Assert.ThrowsAsync<TimeoutException>(() => RedisRetry.TwiceAsync(Send, Timeout, _time, TestContext.Current.CancellationToken));
        Assert.Equal(2, tries);
    }
}
