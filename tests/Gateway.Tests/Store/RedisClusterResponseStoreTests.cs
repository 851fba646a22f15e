namespace Gateway.Tests.Store;

public sealed class RedisClusterResponseStoreTests(RedisClusterFixture cluster) : ResponseStoreTests, IClassFixture<RedisClusterFixture>
{
    private protected override async Task<StoreUnderTest> OpenAsync() => await RedisStoreUnderTest.StartAsync(cluster.ConnectionString);
}
