using Gateway.Store;
using StackExchange.Redis;

namespace Gateway.Tests.Store;

public sealed class RedisConversationStoreTests(RedisFixture redis) : ConversationStoreTests, IClassFixture<RedisFixture>
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Delete_ThatFailedHalfWay_HidesAllAndIsFinishedByTheNext()
    {
        await using var test = await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
        var id = await test.StartTalkAsync("hello");
        var said = await test.SayAsync(id, "one");

        // What the script leaves when the gateway dies behind it.
        await using var raw = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await raw.GetDatabase().HashSetAsync($"gw:{{{test.Tenant}/{id.Chain}}}:c", "deleted", 1);
        await raw.GetDatabase().KeyDeleteAsync($"gw:{{{test.Tenant}/{id.Chain}}}:l:c");

        Assert.Null(await test.Conversations.GetConversationAsync(test.Tenant, id, None));
        Assert.Null(await test.Conversations.ListItemsAsync(test.Tenant, id, new ItemQuery(10, true, null), None));
        Assert.Null(await test.Conversations.SetMetadataAsync(test.Tenant, id, Talks.Bytes("{}"), Commits.Retention, None));
        Assert.Equal(ConversationAccess.NotFound, await test.AddAsync(id, "more"));
        Assert.Equal(ConversationAccess.NotFound, (await test.OpenTalkAsync(id, "writer")).Access);
        Assert.Equal(ConversationAccess.NotFound, await test.Conversations.RenewAsync(test.Tenant, new ConversationLock(id, "writer"), Talks.Lease, None));
        Assert.Equal(CommitOutcome.ConversationGone, await test.Store.CommitAsync(test.Turn(id, "writer", 2, "late"), None));
        Assert.Null(await test.Store.GetAsync(test.Tenant, said.Id, None));
        Assert.NotEqual(0, await test.CountAsync());

        Assert.True(await test.Conversations.DeleteConversationAsync(test.Tenant, id, None));

        // Which days have an index stays known until those days are over.
        Assert.True(await raw.GetDatabase().KeyExistsAsync($"gw:{{{test.Tenant}}}:days"));
        Assert.Equal(1, await test.CountAsync());
        Assert.False(await test.Conversations.DeleteConversationAsync(test.Tenant, id, None));
    }

    private protected override async Task<StoreUnderTest> OpenAsync() => await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
}
