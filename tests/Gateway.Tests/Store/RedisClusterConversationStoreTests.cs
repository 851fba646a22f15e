namespace Gateway.Tests.Store;

public sealed class RedisClusterConversationStoreTests(RedisClusterFixture cluster) : ConversationStoreTests, IClassFixture<RedisClusterFixture>
{
    private protected override async Task<StoreUnderTest> OpenAsync() => await RedisStoreUnderTest.StartAsync(cluster.ConnectionString);
}
