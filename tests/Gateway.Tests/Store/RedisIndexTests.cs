using Gateway.Store;
using Gateway.Store.Redis;
using Gateway.Testing.Redis;
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

    /// <summary>
    /// A million entries, made inside Redis; only the responses of the pages that are read are there. Commands are counted: none of them takes
    /// longer than the logarithm of what a day holds.
    /// </summary>
    [Fact]
    public async Task List_AnyPageOfAMillionResponses_TakesTheSameCommands()
    {
        await using var server = await RedisProcess.StartAsync();
        await using var test = await RedisStoreUnderTest.StartAsync(server.EndPoint);
        await using var client = await ConnectionMultiplexer.ConnectAsync(server.EndPoint + ",allowAdmin=true");
        var small = await CountAsync(30);
        var large = await CountAsync(33_400);
        Assert.Equal(small, large);

        // The days, the cursor, twice eight days (the cursor itself took a place of the first batch) or those that are left; a record and a turn
        // for each of a hundred, and one record that tells of more.
        const string Page = "get=101 getrange=1 lindex=100 zrangebyscore=1 zrevrangebyscore=";
        Assert.Equal([Page + "16", Page + "16", Page + "10"], large);

        async Task<List<string>> CountAsync(int perDay)
        {
            var tenant = $"{test.Tenant}-{perDay}";
            List<string> pages = [];
            var db = client.GetDatabase();
            for (var day = 0; day < 30; day++)
            {
                var middle = test.Time.GetUtcNow().AddDays(-day);
                await db.ScriptEvaluateAsync(
                    """
                    for i = 1, tonumber(ARGV[3]) do
                      redis.call('ZADD', KEYS[1], ARGV[1] + (i % 2 == 0 and i or -i), string.format('resp_%038d', i))
                    end
                    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[4])
                    return redis.call('PEXPIRE', KEYS[1], 1000000) + redis.call('PEXPIRE', KEYS[2], 1000000)
                    """,
                    [RedisKeys.Index(tenant, RedisKeys.Day(middle)), RedisKeys.Days(tenant)],
                    [middle.ToUnixTimeMilliseconds(), middle.AddDays(60).ToUnixTimeMilliseconds(), perDay, RedisKeys.Day(middle)]);
            }

            foreach (var day in (int[])[0, 15, 25])
            {
                // A cursor and what follows it, all in the middle of a day.
                var middle = test.Time.GetUtcNow().AddDays(-day);
                var commits = Enumerable.Range(0, 102).Select(_ => Commits.Start(tenant, middle)).OrderByDescending(c => c.Id.ToString(), StringComparer.Ordinal).ToArray();
                await Task.WhenAll(commits.Select(commit => test.Store.CommitAsync(commit, None).AsTask()));
                await client.GetServers()[0].ExecuteAsync("CONFIG", "RESETSTAT");

                var page = Assert.IsType<StoredPage>(await test.Store.ListAsync(tenant, new ListQuery(100, commits[0].Id, null), None));

                Assert.Equal(commits.Skip(1).Take(100).Select(commit => commit.Id), page.Data.Select(stored => stored.Record.Id));
                Assert.True(page.HasMore);
                var stats = (await client.GetServers()[0].InfoAsync("commandstats")).SelectMany(section => section)
                    .Where(pair => pair.Key["cmdstat_".Length..] is ['g' or 'l' or 'z' or 'e' or 's', ..] and not "sentinel");
                pages.Add(string.Join(' ', stats.Select(pair => $"{pair.Key["cmdstat_".Length..]}={pair.Value.Split(',')[0]["calls=".Length..]}").Order()));
            }

            return pages;
        }
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
