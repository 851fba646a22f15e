using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Gateway.Store;
using Gateway.Store.Redis;
using Gateway.Testing.Redis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Gateway.Tests.Store;

/// <summary>Runs of several replicas on one Redis, and its index of live runs when it is wrong: each test has a server of its own.</summary>
public sealed class RedisRunFailureTests : IAsyncLifetime
{
    private const string Tenant = "acme";
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Lease = RunStarts.Lease;
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().AddSingleton<StoreMetrics>().BuildServiceProvider();
    private RedisProcess? _redis;
    private RedisResponseStore? _store;
    private ConnectionMultiplexer? _admin;

    private RedisProcess Redis => _redis ?? throw new InvalidOperationException("Redis is not started.");

    private RedisResponseStore Store => _store ?? throw new InvalidOperationException("The store is not open.");

    private IDatabase Db => _admin?.GetDatabase() ?? throw new InvalidOperationException("Redis is not connected.");

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        _admin = await ConnectionMultiplexer.ConnectAsync(_redis.EndPoint + ",allowAdmin=true");
        _store = await OpenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        await _admin!.DisposeAsync();
        await Redis.DisposeAsync();
        await _services.DisposeAsync();
    }

    [Fact]
    public async Task Watch_ChangesByAnotherReplica_Wake()
    {
        await using var other = await OpenAsync();
        var start = RunStarts.Of(Tenant);
        var follower = new Woken();
        var waiting = new Woken();
        await using var follow = await Store.Runs.WatchAsync(start.Run, follower.Wake, None);
        await using var wait = await Store.Runs.WatchFreeAsync(waiting.Wake, None);

        // Who is woken finds the run.
        await waiting.ByAsync(() => other.Runs.CreateAsync(start, None).AsTask());
        Assert.Equal([start.Run], await Store.Runs.FindFreeAsync(1, None));
        await other.Runs.TakeAsync(start.Run, "other", Lease, None);
        await waiting.ByAsync(() => other.Runs.ReleaseAsync(start.Run, 1, None).AsTask());
        Assert.Equal([start.Run], await Store.Runs.FindFreeAsync(1, None));
        await other.Runs.TakeAsync(start.Run, "other", Lease, None);
        await follower.ByAsync(() => other.Runs.AppendAsync(start.Run, 2, RunStarts.Events(2, "three"), None).AsTask());
        await follower.ByAsync(() => other.Runs.CancelAsync(start.Run, None).AsTask());
    }

    [Fact]
    public async Task Lease_IsTakenAndProlonged_ThoughTheIndexCanNotBeTold()
    {
        var start = RunStarts.Of(Tenant);
        await Store.Runs.CreateAsync(start, None);

        // In a Cluster the index is on a node of its own, which may be away while that of the run is not.
        await Db.KeyDeleteAsync("gw:{/runs}");
        await Db.StringSetAsync("gw:{/runs}", "not to be written");

        Assert.Equal(1, (await Store.Runs.TakeAsync(start.Run, "a", Lease, None))?.Token);
        Assert.True((await Store.Runs.RenewAsync(start.Run, 1, Lease * 2, None)).IsHeld);
    }

    [Fact]
    public async Task Watch_ManyOfOneRun_ShareOneSubscriptionThatEndsWithTheLast()
    {
        await using var other = await OpenAsync();
        var run = RunStarts.Of(Tenant).Run;
        var watches = new List<IAsyncDisposable>();
        for (var n = 0; n < 20; n++)
        {
            watches.Add(await Store.Runs.WatchAsync(run, () => { }, None));
        }

        Assert.Equal(1, await SubscribersAsync(run));
        await using (await other.Runs.WatchAsync(run, () => { }, None))
        {
            Assert.Equal(2, await SubscribersAsync(run));
        }

        foreach (var watch in watches.Skip(1))
        {
            await watch.DisposeAsync();
        }

        await UntilAsync(async () => await SubscribersAsync(run) == 1);
        await watches[0].DisposeAsync();
        await UntilAsync(async () => await SubscribersAsync(run) == 0);
    }

    [Fact]
    public async Task Watch_RedisDiesAndComesBack_WakesAgain()
    {
        var start = RunStarts.Of(Tenant, "a");
        var follower = new Woken();
        await Store.Runs.CreateAsync(start, None);
        await using var watch = await Store.Runs.WatchAsync(start.Run, follower.Wake, None);

        await Redis.KillAsync();
        await Assert.ThrowsAsync<StoreUnavailableException>(() => Store.Runs.GetRunAsync(start.Run, None).AsTask());
        await Redis.StartAgainAsync();

        // The subscription may come back behind the rest: what is lost until then is what looking now and then is for.
        await UntilAsync(async () =>
        {
            try
            {
                await Store.Runs.AppendAsync(start.Run, 1, RunStarts.Events(2, "three"), None);
            }
            catch (StoreUnavailableException)
            {
            }

            return follower.Times > 0;
        });
        Assert.Equal(["created", "in progress", "three"], (await Store.Runs.ReadEventsAsync(start.Run, 0, 10, None)).Texts());
    }

    [Fact]
    public async Task Index_EntryOfARunThatIsHeld_IsSetRightByWhoTriesToTakeIt()
    {
        var start = RunStarts.Of(Tenant, "a");
        await Store.Runs.CreateAsync(start, None);
        await Db.SortedSetAddAsync(RedisKeys.Runs, RedisKeys.RunName(start.Run), 1);
        Assert.Equal([start.Run], await Store.Runs.FindFreeAsync(10, None));

        Assert.Null(await Store.Runs.TakeAsync(start.Run, "b", Lease, None));

        Assert.Empty(await Store.Runs.FindFreeAsync(10, None));
        Assert.Equal(1, await Db.SortedSetLengthAsync(RedisKeys.Runs));
        Assert.Equal((double)await Db.HashGetAsync(RedisKeys.Run(start.Run), "lease"), await Db.SortedSetScoreAsync(RedisKeys.Runs, RedisKeys.RunName(start.Run)));
    }

    [Fact]
    public async Task Index_EntryWithoutARun_IsRemovedByWhoTriesToTakeIt()
    {
        // As a replica leaves it that dies in the middle of a creation.
        var run = RunStarts.Of(Tenant).Run;
        await Db.SortedSetAddAsync(RedisKeys.Runs, RedisKeys.RunName(run), 1);
        Assert.Equal([run], await Store.Runs.FindFreeAsync(10, None));

        Assert.Null(await Store.Runs.TakeAsync(run, "b", Lease, None));

        Assert.Empty(await Store.Runs.FindFreeAsync(10, None));
        Assert.False(await Db.KeyExistsAsync(RedisKeys.Runs));
    }

    [Fact]
    public async Task Index_Lost_ComesBackWithARenewalAThirdOfALeaseLater()
    {
        var start = RunStarts.Of(Tenant, "a");
        await Store.Runs.CreateAsync(start, None);
        await Db.KeyDeleteAsync(RedisKeys.Runs);

        // It costs a round trip: not with each renewal.
        Assert.True((await Store.Runs.RenewAsync(start.Run, 1, Lease, None)).IsHeld);
        Assert.False(await Db.KeyExistsAsync(RedisKeys.Runs));
        Assert.True((await Store.Runs.RenewAsync(start.Run, 1, Lease * 1.6, None)).IsHeld);

        Assert.Equal(1, await Db.SortedSetLengthAsync(RedisKeys.Runs));
        Assert.InRange((await Db.KeyTimeToLiveAsync(RedisKeys.Runs)).GetValueOrDefault(), RunStarts.Retention - TimeSpan.FromMinutes(5), RunStarts.Retention);
    }

    [Fact]
    public async Task Index_LivesAsLongAsTheLongestRetention()
    {
        await Store.Runs.CreateAsync(RunStarts.Of(Tenant, "a") with { Retention = TimeSpan.FromDays(9) }, None);
        await Store.Runs.CreateAsync(RunStarts.Of(Tenant, "a") with { Retention = TimeSpan.FromDays(2) }, None);

        Assert.InRange((await Db.KeyTimeToLiveAsync(RedisKeys.Runs)).GetValueOrDefault(), TimeSpan.FromDays(8), TimeSpan.FromDays(9));
    }

    [Fact]
    public async Task Index_ForeignEntries_AreSkipped()
    {
        await Db.SortedSetAddAsync(RedisKeys.Runs, "junk", 1);
        await Db.SortedSetAddAsync(RedisKeys.Runs, "acme/junk", 1);
        await Db.SortedSetAddAsync(RedisKeys.Runs, "/" + ResponseId.NewChain(), 1);

        Assert.Empty(await Store.Runs.FindFreeAsync(10, None));
    }

    [Fact]
    public async Task Commit_WithoutARun_TouchesNothingOfRuns()
    {
        var commit = Commits.Start(Tenant, DateTimeOffset.UtcNow);
        await Store.CommitAsync(Commits.Start(Tenant, DateTimeOffset.UtcNow), None);
        await _admin!.GetServers()[0].ExecuteAsync("CONFIG", "RESETSTAT");

        await Store.CommitAsync(commit, None);

        var stats = (await _admin.GetServers()[0].InfoAsync("commandstats")).SelectMany(section => section).Select(pair => pair.Key);
        string[] inTheScript = ["exists", "llen", "pexpire", "pttl", "rpush", "set", "zadd", "zscore"];
        Assert.Equal(
            [.. inTheScript.Append("evalsha").Select(command => "cmdstat_" + command).Order(StringComparer.Ordinal)],
            stats.Where(command => command is not ("cmdstat_info" or "cmdstat_config|resetstat")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Reply_IsLost_TheSecondTryDoesAndTellsTheSame()
    {
        await using var gate = new RedisGate(Redis);
        await using var store = await OpenAsync(gate.EndPoint);

        // Only from the second time on a script is sent by its hash.
        await UseAllAsync(isLost: false);
        await UseAllAsync(isLost: true);

        async Task UseAllAsync(bool isLost)
        {
            var start = RunStarts.Of(Tenant, "a");
            var waiting = RunStarts.Of(Tenant);
            Assert.Equal(1, (await DoAsync(RedisScripts.RunEnqueue, () => store.Runs.CreateAsync(start, None))).Token);
            Assert.Equal(0, (await DoAsync(RedisScripts.RunCreate, () => store.Runs.CreateAsync(waiting, None))).Token);
            Assert.Equal(1, (await DoAsync(RedisScripts.RunTake, () => store.Runs.TakeAsync(waiting.Run, "b", Lease, None)))?.Token);
            Assert.True((await DoAsync(RedisScripts.RunRenew, () => store.Runs.RenewAsync(waiting.Run, 1, Lease, None))).IsHeld);
            Assert.True((await DoAsync(RedisScripts.RunHint, () => store.Runs.RenewAsync(waiting.Run, 1, Lease * 2, None))).IsHeld);
            var append = new RunAppend(2, RunStarts.Many("three"), 0, RunStarts.Many("round"));
            Assert.True(await DoAsync(RedisScripts.RunAppend, () => store.Runs.AppendAsync(start.Run, 1, append, None)));
            Assert.True(await DoAsync(RedisScripts.RunCancel, () => store.Runs.CancelAsync(start.Run, None)));
            await DoAsync(RedisScripts.RunFollowed, () => DoneAsync(store.Runs.FollowedAsync(start.Run, None)));
            await DoAsync(RedisScripts.RunRelease, () => DoneAsync(store.Runs.ReleaseAsync(start.Run, 1, None)));
            Assert.Equal([start.Run], await DoAsync(RedisScripts.RunFind, () => store.Runs.FindFreeAsync(10, None)));
            var taken = await DoAsync(RedisScripts.RunTake, () => store.Runs.TakeAsync(start.Run, "b", Lease, None));
            Assert.True(await DoAsync(RedisScripts.RunForbid, () => store.Runs.ForbidAsync(RunStarts.Of(Tenant).Run, Lease, None)));

            Assert.Equal(2, taken?.Token);
            Assert.Equal(["round"], taken?.Journal.Texts());
            Assert.True(taken?.IsCancelled);
            Assert.Equal(["created", "in progress", "three"], (await store.Runs.ReadEventsAsync(start.Run, 0, 10, None)).Texts());
            Assert.Null(await store.Runs.TakeAsync(start.Run, "b", Lease, None));

            async Task<T> DoAsync<T>(string script, Func<ValueTask<T>> call)
            {
                if (isLost)
                {
                    // How Redis names scripts.
#pragma warning disable CA5350
                    gate.LoseReplyTo(Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(script))));
#pragma warning restore CA5350
                }

                var result = await call();
                Assert.True(gate.LostReply, "The script was not sent.");
                return result;
            }
        }

        static async ValueTask<bool> DoneAsync(ValueTask done)
        {
            await done;
            return true;
        }
    }

    [Fact]
    public async Task Run_ScriptsForgotten_GoesOn()
    {
        var start = RunStarts.Of(Tenant, "a");
        await Store.Runs.CreateAsync(start, None);
        await Store.Runs.AppendAsync(start.Run, 1, RunStarts.Events(2, "three"), None);

        await _admin!.GetServers()[0].ScriptFlushAsync();

        Assert.True(await Store.Runs.AppendAsync(start.Run, 1, RunStarts.Events(3, "four"), None));
        Assert.Equal(["created", "in progress", "three", "four"], (await Store.Runs.ReadEventsAsync(start.Run, 0, 10, None)).Texts());
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30), "It never came.");
        }
    }

    private Task<long> SubscribersAsync(RunKey run) => _admin!.GetServers()[0].SubscriptionSubscriberCountAsync(RedisKeys.RunChannel(run));

    private async Task<RedisResponseStore> OpenAsync(string? endPoint = null)
    {
        var options = new StoreOptions { Redis = endPoint ?? Redis.EndPoint, CommandTimeout = TimeSpan.FromSeconds(endPoint is null ? 2 : 10) };
        var store = new RedisResponseStore(
            options, _services.GetRequiredService<StoreMetrics>(), TimeProvider.System, NullLogger<RedisResponseStore>.Instance);
        await store.StartAsync();
        return store;
    }
}
