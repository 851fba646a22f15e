namespace Gateway.Tests.Store;

public sealed class RedisResponseStoreTests(RedisFixture redis) : ResponseStoreTests, IClassFixture<RedisFixture>
{
    private protected override async Task<StoreUnderTest> OpenAsync() => await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
}
