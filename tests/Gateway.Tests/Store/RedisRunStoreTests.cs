namespace Gateway.Tests.Store;

public sealed class RedisRunStoreTests(RedisFixture redis) : RunStoreTests, IClassFixture<RedisFixture>
{
    private protected override async Task<StoreUnderTest> OpenAsync() => await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
}
