using Gateway.Store;
using Gateway.Store.Redis;
using StackExchange.Redis;

namespace Gateway.Tests.Store;

/// <summary>What the index of responses forgets in a Cluster, where an entry is written before its response.</summary>
public sealed class RedisClusterIndexTests(RedisClusterFixture cluster) : IClassFixture<RedisClusterFixture>
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task List_EntryOfACommitOnItsWay_IsListedOnceItIsThere()
    {
        await using var test = await RedisStoreUnderTest.StartAsync(cluster.ConnectionString);
        await using var client = await ConnectionMultiplexer.ConnectAsync(cluster.ConnectionString);
        var commit = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        await RedisIndex.AddAsync(client.GetDatabase(), commit, test.Time.GetUtcNow());

        // However often it is met without its response, and however long ago that response was begun.
        for (var n = 0; n < 3; n++)
        {
            Assert.Empty(await ListAsync(test));
            await test.AdvanceAsync(RedisIndex.Doubt / 3);
        }

        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(commit, None));

        Assert.Equal([commit.Id], await ListAsync(test));
        await test.AdvanceAsync(RedisIndex.Doubt * 2);
        Assert.Equal([commit.Id], await ListAsync(test));
    }

    [Fact]
    public async Task List_EntriesWithoutAResponse_AreForgottenWhenTheDoubtIsOver()
    {
        await using var test = await RedisStoreUnderTest.StartAsync(cluster.ConnectionString);
        await using var client = await ConnectionMultiplexer.ConnectAsync(cluster.ConnectionString);
        var db = client.GetDatabase();
        var kept = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        await test.Store.CommitAsync(kept, None);
        for (var n = 0; n < 20; n++)
        {
            var gone = Commits.Start(test.Tenant, kept.CreatedAt.AddMilliseconds(n));
            await test.Store.CommitAsync(gone, None);
            await db.KeyDeleteAsync(RedisKeys.Record(test.Tenant, gone.Id));
        }

        var index = RedisKeys.Index(test.Tenant, RedisKeys.Day(kept.CreatedAt));
        Assert.Equal([kept.Id], await ListAsync(test));
        Assert.Equal((21, 20), (await LengthAsync(index), await LengthAsync(RedisKeys.Doubtful(test.Tenant))));

        await test.AdvanceAsync(RedisIndex.Doubt);
        Assert.Equal([kept.Id], await ListAsync(test));
        Assert.Equal((21, 20), (await LengthAsync(index), await LengthAsync(RedisKeys.Doubtful(test.Tenant))));

        await test.AdvanceAsync(TimeSpan.FromMilliseconds(1));
        Assert.Equal([kept.Id], await ListAsync(test));
        Assert.Equal((1, 0), (await LengthAsync(index), await LengthAsync(RedisKeys.Doubtful(test.Tenant))));

        async Task<long> LengthAsync(RedisKey key)
        {
            // Behind what the list sent without waiting, on its own connection to the same node.
            await test.Store.FindOwnerAsync(test.Tenant, "any", None);
            return await db.SortedSetLengthAsync(key, flags: CommandFlags.DemandMaster);
        }
    }

    /// <summary>The process stands still between the entry and its response, while a list forgets the entry.</summary>
    [Fact]
    public async Task Commit_EntryForgottenMeanwhile_IsListedAllTheSame()
    {
        await using var test = await RedisStoreUnderTest.StartAsync(cluster.ConnectionString);
        await using var client = await ConnectionMultiplexer.ConnectAsync(cluster.ConnectionString);
        var commit = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        var index = RedisKeys.Index(test.Tenant, RedisKeys.Day(commit.CreatedAt));
        var paused = new PausedTime(test.Time, RedisIndex.Doubt, () => client.GetDatabase().KeyDelete(index));

        Assert.Equal(CommitOutcome.Appended, await new RedisCommit(commit, isCluster: true, paused).SendAsync(client.GetDatabase(), None));

        Assert.Equal([commit.Id], await ListAsync(test));
    }

    private static async Task<IEnumerable<ResponseId>> ListAsync(RedisStoreUnderTest test) =>
        Assert.IsType<StoredPage>(await test.Store.ListAsync(test.Tenant, new ListQuery(100, null, null), None)).Data.Select(stored => stored.Record.Id);

    /// <summary>A clock on which a pause has passed when it is asked for the time that went by; something happens in the pause.</summary>
    private sealed class PausedTime(TimeProvider inner, TimeSpan pause, Action happens) : TimeProvider
    {
        private bool _started;

        public override long TimestampFrequency => inner.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => inner.GetUtcNow();

        public override long GetTimestamp()
        {
            if (!_started)
            {
                _started = true;
                return inner.GetTimestamp();
            }

            happens();
            return inner.GetTimestamp() + (long)(pause.TotalSeconds * TimestampFrequency);
        }
    }
}
