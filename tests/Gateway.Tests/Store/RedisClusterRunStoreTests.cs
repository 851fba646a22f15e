namespace Gateway.Tests.Store;

public sealed class RedisClusterRunStoreTests(RedisClusterFixture redis) : RunStoreTests, IClassFixture<RedisClusterFixture>
{
    private protected override async Task<StoreUnderTest> OpenAsync() => await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
}
