using Gateway.Store;
using Gateway.Testing.Redis;
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

    [Fact]
    public async Task Delete_WhoseClientLeaves_IsDoneAllTheSame()
    {
        await using var server = await RedisProcess.StartAsync();
        await using var gate = new RedisGate(server);
        await using var test = await RedisStoreUnderTest.StartAsync(gate.EndPoint);
        var id = await test.StartTalkAsync("hello");
        await test.SayAsync(id, "one");
        using var client = new CancellationTokenSource();
        gate.ShutAt(":r:");
        var deleting = test.Conversations.DeleteConversationAsync(test.Tenant, id, client.Token).AsTask();
        await gate.ShutAsync(TestContext.Current.CancellationToken);

        // Its script is done, so nobody finds what is left of it, nor knows that it is to be deleted once more.
        await client.CancelAsync();
        gate.Open();

        Assert.True(await deleting);
        Assert.Equal(1, await test.CountAsync());
    }

    [Fact]
    public async Task List_AmongResponsesOfAConversationThatIsBeingDeleted_GivesFullPages()
    {
        await using var test = await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
        var older = Commits.Start(test.Tenant, test.Time.GetUtcNow().AddSeconds(-1));
        var oldest = Commits.Start(test.Tenant, test.Time.GetUtcNow().AddSeconds(-2));
        await test.Store.CommitAsync(older, None);
        await test.Store.CommitAsync(oldest, None);
        var id = await test.StartTalkAsync("hello");
        foreach (var text in (string[])["one", "two", "three"])
        {
            await test.SayAsync(id, text);
        }

        // The moment behind its script.
        await using var raw = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await raw.GetDatabase().HashSetAsync($"gw:{{{test.Tenant}/{id.Chain}}}:c", "deleted", 1);
        await raw.GetDatabase().KeyDeleteAsync($"gw:{{{test.Tenant}/{id.Chain}}}:l:c");

        var first = Assert.IsType<StoredPage>(await test.Store.ListAsync(test.Tenant, new ListQuery(1, null, null), None));
        Assert.Equal((older.Id, true), (Assert.Single(first.Data).Record.Id, first.HasMore));
        var next = Assert.IsType<StoredPage>(await test.Store.ListAsync(test.Tenant, new ListQuery(1, older.Id, null), None));
        Assert.Equal((oldest.Id, false), (Assert.Single(next.Data).Record.Id, next.HasMore));
        var both = Assert.IsType<StoredPage>(await test.Store.ListAsync(test.Tenant, new ListQuery(2, null, null), None));
        Assert.Equal([older.Id, oldest.Id], both.Data.Select(stored => stored.Record.Id));
        Assert.False(both.HasMore);
    }

    private protected override async Task<StoreUnderTest> OpenAsync() => await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
}
