namespace Gateway.Tests.Store;

public sealed class RedisConversationStoreTests(RedisFixture redis) : ConversationStoreTests, IClassFixture<RedisFixture>
{
    private protected override async Task<StoreUnderTest> OpenAsync() => await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
}
