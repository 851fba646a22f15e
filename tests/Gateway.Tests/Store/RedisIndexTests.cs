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

        // The days, the cursor, eight days or those that are left; a record and a turn for each of a hundred, and one record that tells of more.
        const string Page = "get=101 getrange=1 lindex=100 zrangebyscore=1 zrevrangebyscore=";
        Assert.Equal([Page + "8", Page + "8", Page + "5"], large);

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

            // Whether the list of days is whole is looked at once for each tenant, which is not what is counted here.
            await db.SortedSetAddAsync(RedisKeys.Days(tenant), RedisKeys.AllDays, double.PositiveInfinity);

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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Walk_EntriesComeAndGoBetweenBatches_LeavesOutNoneAndRepeatsNone(bool ascending)
    {
        await using var test = await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
        await using var client = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var db = client.GetDatabase();
        var noon = test.Time.GetUtcNow();
        var index = RedisKeys.Index(test.Tenant, RedisKeys.Day(noon));

        // Three to a millisecond, so that batches of four end in the middle of one.
        var ids = Enumerable.Range(0, 40).Select(_ => ResponseId.NewChain()).OrderBy(id => id.ToString(), StringComparer.Ordinal).ToArray();
        double At(int n) => noon.ToUnixTimeMilliseconds() + n / 3;
        foreach (var (id, n) in ids.Select((id, n) => (id, n)).Where(entry => entry.n % 5 != 0))
        {
            await db.SortedSetAddAsync(index, id.ToString(), At(n));
        }

        await db.KeyExpireAsync(index, TimeSpan.FromHours(1));
        var walk = new RedisIndexWalk(db, test.Tenant, ascending ? Order.Ascending : Order.Descending, [RedisKeys.Day(noon)], null);
        int[] order = ascending ? [.. Enumerable.Range(0, 40)] : [.. Enumerable.Range(0, 40).Reverse()];
        List<int> walked = [];
        while (await walk.NextAsync(4) is { Count: > 0 } batch)
        {
            walked.AddRange(batch.Select(entry => Array.IndexOf(ids, entry.Id)));

            // What was walked goes, but for each third; what was not there yet comes, before and behind the place.
            foreach (var n in batch.Select(entry => Array.IndexOf(ids, entry.Id)).Where(n => n % 3 != 0))
            {
                await db.SortedSetRemoveAsync(index, ids[n].ToString());
            }

            var place = Array.IndexOf(order, walked[^1]);
            foreach (var n in order.Where((n, at) => n % 5 == 0 && (at < place || at == place + 3)))
            {
                await db.SortedSetAddAsync(index, ids[n].ToString(), At(n));
            }
        }

        Assert.Equal(order.Where(walked.Contains), walked);
        Assert.Equal(walked.Distinct(), walked);
        Assert.Empty(order.Where(n => n % 5 != 0).Except(walked));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Walk_FromTheMiddleOfOneMillisecond_GivesTheRestOnce(bool ascending)
    {
        await using var test = await RedisStoreUnderTest.StartAsync(redis.ConnectionString);
        await using var client = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var db = client.GetDatabase();
        var noon = test.Time.GetUtcNow();
        var index = RedisKeys.Index(test.Tenant, RedisKeys.Day(noon));
        var ids = Enumerable.Range(0, 500).Select(_ => ResponseId.NewChain().ToString()).Order(StringComparer.Ordinal).ToArray();
        await db.SortedSetAddAsync(index, [.. ids.Select(id => new SortedSetEntry(id, noon.ToUnixTimeMilliseconds()))]);
        await db.KeyExpireAsync(index, TimeSpan.FromHours(1));
        var walk = new RedisIndexWalk(
            db, test.Tenant, ascending ? Order.Ascending : Order.Descending, [RedisKeys.Day(noon)], (noon.ToUnixTimeMilliseconds(), ids[250]));

        List<string> walked = [];
        while (await walk.NextAsync(7) is { Count: > 0 } batch)
        {
            walked.AddRange(batch.Select(entry => entry.Id.ToString()));
        }

        Assert.Equal(ascending ? ids.Skip(251) : ids.Take(250).Reverse(), walked);
    }

    [Fact]
    public async Task List_BehindThousandsThatHaveGone_TakesFewRoundTrips()
    {
        await using var server = await RedisProcess.StartAsync();
        await using var test = await RedisStoreUnderTest.StartAsync(server.EndPoint);
        await using var client = await ConnectionMultiplexer.ConnectAsync(server.EndPoint + ",allowAdmin=true");
        var db = client.GetDatabase();
        var kept = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        await test.Store.CommitAsync(kept, None);
        var index = RedisKeys.Index(test.Tenant, RedisKeys.Day(kept.CreatedAt));
        await db.SortedSetAddAsync(
            index, [.. Enumerable.Range(1, 5000).Select(n => new SortedSetEntry(ResponseId.NewChain().ToString(), kept.CreatedAt.ToUnixTimeMilliseconds() + n))]);
        await client.GetServers()[0].ExecuteAsync("CONFIG", "RESETSTAT");

        var page = Assert.IsType<StoredPage>(await test.Store.ListAsync(test.Tenant, new ListQuery(1, null, null), None));

        Assert.Equal(kept.Id, Assert.Single(page.Data).Record.Id);
        Assert.False(page.HasMore);

        // Two, four, eight, … 1,024 at once; an entry alone is at the end, and a last batch finds nothing behind it.
        var ranges = (await client.GetServers()[0].InfoAsync("commandstats")).SelectMany(section => section)
            .Single(pair => pair.Key == "cmdstat_zrevrangebyscore").Value;
        Assert.StartsWith("calls=13,", ranges, StringComparison.Ordinal);
        await test.Store.GetAsync(test.Tenant, kept.Id, None);
        Assert.Equal(1, await db.SortedSetLengthAsync(index));
    }

    [Fact]
    public async Task List_DaysOfAnEarlierBuild_AreFoundOnce()
    {
        await using var server = await RedisProcess.StartAsync();
        await using var test = await RedisStoreUnderTest.StartAsync(server.EndPoint);
        await using var client = await ConnectionMultiplexer.ConnectAsync(server.EndPoint + ",allowAdmin=true");
        var commits = ((int[])[0, 1, 29, 400]).Select(day => Commits.Start(test.Tenant, test.Time.GetUtcNow().AddDays(-day))).ToArray();
        foreach (var commit in commits)
        {
            await test.Store.CommitAsync(commit, None);
        }

        // It kept no list of days; this build has begun one with the first response that it stored.
        await client.GetDatabase().KeyDeleteAsync(RedisKeys.Days(test.Tenant));
        var newest = Commits.Start(test.Tenant, test.Time.GetUtcNow().AddMinutes(1)) with { Retention = TimeSpan.FromHours(1) };
        await test.Store.CommitAsync(newest, None);
        IEnumerable<ResponseId> all = [newest.Id, .. commits.Select(commit => commit.Id)];

        Assert.Equal(all, await ListAllAsync(test));

        await client.GetServers()[0].ExecuteAsync("CONFIG", "RESETSTAT");
        Assert.Equal(all, await ListAllAsync(test));
        Assert.DoesNotContain(
            (await client.GetServers()[0].InfoAsync("commandstats")).SelectMany(section => section), pair => pair.Key is "cmdstat_pttl" or "cmdstat_ttl");

        // The list lives as long as what it names, and a later commit changes nothing of that.
        await test.AdvanceAsync(TimeSpan.FromHours(30));
        var later = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        await test.Store.CommitAsync(later, None);
        Assert.Equal(all.Skip(1).Prepend(later.Id), await ListAllAsync(test));
    }

    [Fact]
    public async Task List_TenantWithNothing_LeavesNothing()
    {
        await using var test = await RedisStoreUnderTest.StartAsync(redis.ConnectionString);

        Assert.Empty(await ListAllAsync(test));

        Assert.Equal(0, await test.CountAsync());
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

    private static async Task<IEnumerable<ResponseId>> ListAllAsync(RedisStoreUnderTest test) =>
        Assert.IsType<StoredPage>(await test.Store.ListAsync(test.Tenant, new ListQuery(100, null, null), None)).Data.Select(stored => stored.Record.Id);
}
