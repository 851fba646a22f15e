using Gateway.Store;
using Gateway.Store.Redis;
using StackExchange.Redis;

namespace Gateway.Tests.Store;

/// <summary>What the index of responses costs, and what it forgets.</summary>
public sealed class RedisIndexTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task List_EntriesOfExpiredResponses_AreMetOnce()
    {
        await using var test = await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
        await using var client = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var kept = Commits.Start(test.Tenant, test.Time.GetUtcNow().AddMilliseconds(-1));
        await test.Store.CommitAsync(kept, None);
        for (var n = 0; n < 50; n++)
        {
            await test.Store.CommitAsync(
                Commits.Start(test.Tenant, test.Time.GetUtcNow().AddMilliseconds(n)) with { Retention = TimeSpan.FromHours(1) }, None);
        }

        var index = RedisKeys.Index(test.Tenant, RedisKeys.Day(kept.CreatedAt));
        await test.AdvanceAsync(TimeSpan.FromHours(2));
        Assert.Equal(51, await client.GetDatabase().SortedSetLengthAsync(index));

        var page = Assert.IsType<StoredPage>(await test.Store.ListAsync(test.Tenant, new ListQuery(1, null, null), None));

        Assert.Equal(kept.Id, Assert.Single(page.Data).Record.Id);

        // Behind what the list sent without waiting, on its own connection.
        await test.Store.GetAsync(test.Tenant, kept.Id, None);
        Assert.Equal(1, await client.GetDatabase().SortedSetLengthAsync(index));
    }

    [Fact]
    public async Task List_AmongManyExpired_LeavesNoneOut()
    {
        await using var test = await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
        var start = test.Time.GetUtcNow();
        var commits = Enumerable.Range(0, 200)
            .Select(n => Commits.Start(test.Tenant, start.AddSeconds(n / 3)) with { Retention = TimeSpan.FromHours(n % 7 == 0 ? 24 : 1) }).ToArray();
        foreach (var commit in commits)
        {
            await test.Store.CommitAsync(commit, None);
        }

        await test.AdvanceAsync(TimeSpan.FromHours(2));
        List<ResponseId> listed = [];
        StoredPage page;
        do
        {
            page = Assert.IsType<StoredPage>(await test.Store.ListAsync(test.Tenant, new ListQuery(4, listed.Count == 0 ? null : listed[^1], null), None));
            listed.AddRange(page.Data.Select(stored => stored.Record.Id));
        }
        while (page.HasMore);

        Assert.Equal(
            commits.Where((_, n) => n % 7 == 0).OrderByDescending(c => c.CreatedAt).ThenByDescending(c => c.Id.ToString(), StringComparer.Ordinal).Select(c => c.Id),
            listed);
    }

    [Fact]
    public async Task Days_WhoseIndexHasGone_AreForgottenWithTheNextDay()
    {
        await using var test = await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
        await using var client = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var longest = Commits.Start(test.Tenant, test.Time.GetUtcNow()) with { Retention = TimeSpan.FromDays(100) };
        await test.Store.CommitAsync(longest, None);
        for (var day = 1; day <= 20; day++)
        {
            await test.AdvanceAsync(TimeSpan.FromDays(1));
            await test.Store.CommitAsync(Commits.Start(test.Tenant, test.Time.GetUtcNow()), None);
        }

        var days = (await client.GetDatabase().SortedSetRangeByRankAsync(RedisKeys.Days(test.Tenant))).Select(day => day.ToString()).Order().ToArray();

        // The longest-lived, and those that the retention of two days and the day between leave.
        Assert.Equal([RedisKeys.Day(longest.CreatedAt), .. Enumerable.Range(0, 3).Select(n => RedisKeys.Day(test.Time.GetUtcNow().AddDays(n - 2)))], days);
    }
}
