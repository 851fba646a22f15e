using System.Diagnostics;
using Gateway.Store;
using Gateway.Store.Redis;
using Gateway.Testing.Redis;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Gateway.Tests.Store;

/// <summary>Redis that changes its shape while it is used: slots that move, a replica that is promoted, a primary that becomes a replica.</summary>
public sealed class RedisTopologyTests
{
    private const string Tenant = "acme";
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly StoreLogCollector<RedisResponseStore> _log = new();

    [Fact]
    public async Task Cluster_SlotsMoveUnderLoad_NothingFailsAndNothingIsLost()
    {
        await using var cluster = await TestRedisCluster.StartAsync();
        await using var services = Services();
        await using var store = await OpenAsync(services, cluster.ConnectionString, TimeSpan.FromSeconds(10));
        await store.CommitAsync(Commits.Start(Tenant, DateTimeOffset.UtcNow), None);
        using var over = new CancellationTokenSource();

        var load = Task.WhenAll(Enumerable.Range(0, 8).Select(_ => GrowAsync(store, over.Token)));
        await cluster.MoveSlotsAsync(0, 1, 200);
        await cluster.MoveSlotsAsync(1, 2, 200);
        await cluster.MoveSlotsAsync(2, 0, 200);
        await over.CancelAsync();
        var kept = (await load).SelectMany(commits => commits).ToList();

        Assert.True(kept.Count > 100, $"Only {kept.Count} commits were made meanwhile.");
        foreach (var (commit, turns) in kept)
        {
            Assert.Equal(commit.Turn.Text(), (await store.GetAsync(Tenant, commit.Id, None))?.Turn.Text());
            Assert.Equal(turns, Assert.IsType<Chain>(await store.LoadChainAsync(Tenant, commit.Id, None)).Turns.Count);
        }

        var erased = await store.EraseTenantAsync(Tenant, None);
        Assert.Equal(kept.Count + 1, erased.Responses);
    }

    /// <summary>
    /// The slot of a chain in the middle of its move: the log is where it was, and a new record would go elsewhere. Redis says to try again.
    /// </summary>
    [Fact]
    public async Task Cluster_SlotsMoveWhileRunsAreMade_NothingFailsAndNothingIsLost()
    {
        await using var cluster = await TestRedisCluster.StartAsync();
        await using var services = Services();
        await using var store = await OpenAsync(services, cluster.ConnectionString, TimeSpan.FromSeconds(10));
        await store.CommitAsync(Commits.Start(Tenant, DateTimeOffset.UtcNow), None);
        using var over = new CancellationTokenSource();

        var load = Task.WhenAll(Enumerable.Range(0, 8).Select(_ => MakeRunsAsync(store, over.Token)));
        await cluster.MoveSlotsAsync(0, 1, 200);
        await cluster.MoveSlotsAsync(1, 2, 200);
        await cluster.MoveSlotsAsync(2, 0, 200);
        await over.CancelAsync();
        var made = (await load).SelectMany(runs => runs).ToList();

        Assert.True(made.Count > 100, $"Only {made.Count} runs were made meanwhile.");
        foreach (var run in made)
        {
            Assert.Equal(["created", "in progress", "three", "completed"], (await store.Runs.ReadEventsAsync(run, 0, 10, None)).Texts());
            Assert.NotNull(await store.GetAsync(Tenant, run.Id, None));
        }
    }

    [Fact]
    public async Task Cluster_SlotIsBetweenTwoNodes_ARunWaitsForTheEndOfTheMove()
    {
        await using var cluster = await TestRedisCluster.StartAsync();
        await using var services = Services();
        await using var store = await OpenAsync(services, cluster.ConnectionString, TimeSpan.FromSeconds(20));
        await using var admin = await ConnectionMultiplexer.ConnectAsync(cluster.ConnectionString + ",allowAdmin=true");
        var starts = Enumerable.Range(0, 2).Select(_ => RunStarts.Of(new RunKey(Tenant, ResponseId.NewChain()), "a")).ToArray();
        foreach (var start in starts)
        {
            await store.Runs.CreateAsync(start, None);
        }

        // Neither has a journal so far, so that a script that needs it is told to try again.
        var moves = new List<SlotMove>();
        foreach (var start in starts)
        {
            moves.Add(await SlotMove.BeginAsync(admin, RedisKeys.Run(start.Run)));
        }

        var appending = store.Runs.AppendAsync(starts[0].Run, 1, RunStarts.Events(2, "three"), None).AsTask();
        var renewing = store.Runs.RenewAsync(starts[0].Run, 1, RunStarts.Lease, None).AsTask();
        var deleting = store.Runs.DeleteRunAsync(starts[1].Run, None).AsTask();
        await UntilAsync(async () => await moves[0].RefusalsAsync() + await moves[1].RefusalsAsync() >= 6);
        Assert.False(appending.IsCompleted);
        Assert.False(renewing.IsCompleted);
        Assert.False(deleting.IsCompleted);
        foreach (var move in moves)
        {
            await move.EndAsync();
        }

        Assert.True(await appending);
        Assert.True((await renewing).IsHeld);
        Assert.True(await deleting);
        Assert.Equal(["created", "in progress", "three"], (await store.Runs.ReadEventsAsync(starts[0].Run, 0, 10, None)).Texts());
        Assert.Null(await store.Runs.GetRunAsync(starts[1].Run, None));
    }

    [Fact]
    public async Task Cluster_SlotIsBetweenTwoNodes_CommitAndDeleteWaitForTheEndOfTheMove()
    {
        await using var cluster = await TestRedisCluster.StartAsync();
        await using var services = Services();
        await using var store = await OpenAsync(services, cluster.ConnectionString, TimeSpan.FromSeconds(20));
        await using var admin = await ConnectionMultiplexer.ConnectAsync(cluster.ConnectionString + ",allowAdmin=true");
        var first = Commits.Start(Tenant, DateTimeOffset.UtcNow);
        await store.CommitAsync(first, None);
        var child = Commits.Child(Tenant, Assert.IsType<Chain>(await store.LoadChainAsync(Tenant, first.Id, None)), DateTimeOffset.UtcNow);
        var move = await SlotMove.BeginAsync(admin, RedisKeys.Record(Tenant, first.Id));

        var committing = store.CommitAsync(child, None).AsTask();
        var deleting = store.DeleteAsync(Tenant, first.Id, None).AsTask();
        await UntilAsync(async () => await move.RefusalsAsync() >= 4);
        Assert.False(committing.IsCompleted);
        Assert.False(deleting.IsCompleted);

        await move.EndAsync();

        Assert.Equal(CommitOutcome.Appended, await committing);
        Assert.True(await deleting);
        Assert.NotNull(await store.GetAsync(Tenant, child.Id, None));
        Assert.Null(await store.GetAsync(Tenant, first.Id, None));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Sentinel_PrimaryDies_TheStoreFollowsWithoutARestart(int waitReplicas)
    {
        await using var primary = await RedisProcess.StartAsync();
        await using var replica = await RedisProcess.StartAsync("--replicaof", "127.0.0.1", primary.Port.ToString(System.Globalization.CultureInfo.InvariantCulture));
        await using var sentinel = await RedisProcess.StartSentinelAsync("chains", primary);
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{primary.EndPoint},{replica.EndPoint},allowAdmin=true");
        await using var services = Services();
        await using var store = await OpenAsync(services, sentinel.EndPoint + ",serviceName=chains", TimeSpan.FromSeconds(1), waitReplicas);
        await UntilAsync(async () => (await admin.GetServer(replica.EndPoint).InfoRawAsync("replication"))?.Contains("master_link_status:up", StringComparison.Ordinal) == true);
        var first = Commits.Start(Tenant, DateTimeOffset.UtcNow);
        await UntilItAnswersAsync(() => store.CommitAsync(first, None));
        var second = Commits.Child(Tenant, Assert.IsType<Chain>(await store.LoadChainAsync(Tenant, first.Id, None)), DateTimeOffset.UtcNow);
        await store.CommitAsync(second, None);

        // What a replica has acknowledged survives; what it has not may be lost (docs/operations.md). With WaitReplicas what was told is acknowledged.
        await UntilAsync(async () => waitReplicas > 0 || (await admin.GetServer(replica.EndPoint).ExecuteAsync("EXISTS", RedisKeys.Record(Tenant, second.Id).ToString())).ToString() == "1");
        await UntilAsync(async () => await KnowsReplicaAsync(sentinel));
        await primary.KillAsync();
        var third = await UntilItAnswersAsync(async () =>
        {
            var chain = Assert.IsType<Chain>(await store.LoadChainAsync(Tenant, second.Id, None));
            var child = Commits.Child(Tenant, chain, DateTimeOffset.UtcNow);
            await store.CommitAsync(child, None);
            return child;
        });

        Assert.Equal(3, Assert.IsType<Chain>(await store.LoadChainAsync(Tenant, third.Id, None)).Turns.Count);
        Assert.True(store.Health.Available);
        await UntilAsync(async () => (await admin.GetServer(replica.EndPoint).RoleAsync()).Value == "master");
    }

    [Fact]
    public async Task Primary_BecomesAReplica_IsUnavailableAtOnceAndServesAgainAsAPrimary()
    {
        await using var other = await RedisProcess.StartAsync();
        await using var redis = await RedisProcess.StartAsync();
        await using var services = Services();
        await using var store = await OpenAsync(services, redis.EndPoint, TimeSpan.FromSeconds(1));
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        var commit = Commits.Start(Tenant, DateTimeOffset.UtcNow);
        await store.CommitAsync(commit, None);

        await admin.GetServers()[0].ExecuteAsync("REPLICAOF", "127.0.0.1", other.Port.ToString(System.Globalization.CultureInfo.InvariantCulture));

        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.CommitAsync(Commits.Start(Tenant, DateTimeOffset.UtcNow), None).AsTask());
        Assert.False(store.Health.Available);

        await admin.GetServers()[0].ExecuteAsync("REPLICAOF", "NO", "ONE");
        var next = Commits.Start(Tenant, DateTimeOffset.UtcNow);
        await UntilItAnswersAsync(() => store.CommitAsync(next, None));
        Assert.NotNull(await store.GetAsync(Tenant, next.Id, None));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Expiry_UnderLoad_LeavesNoKeyBehind(bool clustered)
    {
        await using var cluster = clustered ? await TestRedisCluster.StartAsync() : null;
        await using var single = clustered ? null : await RedisProcess.StartAsync();
        var connectionString = cluster?.ConnectionString ?? single!.EndPoint;
        await using var services = Services();
        await using var store = await OpenAsync(services, connectionString, TimeSpan.FromSeconds(10));
        await using var admin = await ConnectionMultiplexer.ConnectAsync(connectionString);

        // Redis' own clock: the first expire while the last are written.
        var retention = TimeSpan.FromSeconds(0.5);
        await StoreLoad.RunAsync(store, Tenant, TimeProvider.System, retention, turns: 150);

        // Claims live some minutes more: of them it is enough that each expires.
        foreach (var key in admin.GetServers().Where(server => !server.IsReplica).SelectMany(server => server.Keys(pattern: "*:claim:*")))
        {
            Assert.InRange(Assert.NotNull(await admin.GetDatabase().KeyTimeToLiveAsync(key)), TimeSpan.Zero, ClaimLife.For(retention));
            await admin.GetDatabase().KeyDeleteAsync(key);
        }

        // Not a key of any kind is left, seen or not: the size counts what has expired and was not removed yet.
        await UntilAsync(async () => (await Task.WhenAll(admin.GetServers().Select(server => server.DatabaseSizeAsync()))).Sum() == 0);
    }

    [Fact]
    public async Task Store_OnlyAReplicaIsThere_IsNotAvailable()
    {
        await using var primary = await RedisProcess.StartAsync();
        await using var replica = await RedisProcess.StartAsync("--replicaof", "127.0.0.1", primary.Port.ToString(System.Globalization.CultureInfo.InvariantCulture));
        await using var services = Services();
        await using var store = await OpenAsync(services, replica.EndPoint, TimeSpan.FromSeconds(1));
        await UntilAsync(() => Task.FromResult(store.Health.ReachedOnce));

        // Known before a turn is generated that could not be kept, and not only from the last failure.
        Assert.False(store.Health.Available);
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.CommitAsync(Commits.Start(Tenant, DateTimeOffset.UtcNow), None).AsTask());
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.LoadChainAsync(Tenant, ResponseId.NewChain(), None).AsTask());
    }

    [Fact]
    public async Task Store_RedisIsSlow_FailsInTimeAndWorksAgain()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var services = Services();
        await using var store = await OpenAsync(services, redis.EndPoint, TimeSpan.FromSeconds(0.5));
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        var commit = Commits.Start(Tenant, DateTimeOffset.UtcNow);
        await store.CommitAsync(commit, None);
        var late = Commits.Start(Tenant, DateTimeOffset.UtcNow);

        await admin.GetServers()[0].ExecuteAsync("CLIENT", "PAUSE", "5000", "ALL");
        var started = Stopwatch.GetTimestamp();
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.CommitAsync(late, None).AsTask());
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.LoadChainAsync(Tenant, commit.Id, None).AsTask());

        // Each waited for its own timeout and not for the end of the pause.
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.FromSeconds(0.9), TimeSpan.FromSeconds(4.5));
        Assert.False(store.Health.Available);
        Assert.Contains(await UntilItAnswersAsync(() => store.CommitAsync(late, None)), new[] { CommitOutcome.Appended, CommitOutcome.AlreadyCommitted });
        Assert.Single(Assert.IsType<Chain>(await store.LoadChainAsync(Tenant, late.Id, None)).Turns);
    }

    /// <summary>Grows chains of five turns until it is over. Every commit with the length of its history.</summary>
    private static async Task<List<(TurnCommit Commit, int Turns)>> GrowAsync(RedisResponseStore store, CancellationToken over)
    {
        List<(TurnCommit, int)> kept = [];
        while (!over.IsCancellationRequested)
        {
            var commit = Commits.Start(Tenant, DateTimeOffset.UtcNow);
            await store.CommitAsync(commit, None);
            kept.Add((commit, 1));
            for (var turns = 2; turns <= 5; turns++)
            {
                var chain = Assert.IsType<Chain>(await store.LoadChainAsync(Tenant, commit.Id, None));
                commit = Commits.Child(Tenant, chain, DateTimeOffset.UtcNow);
                Assert.Equal(CommitOutcome.Appended, await store.CommitAsync(commit, None));
                kept.Add((commit, turns));
            }
        }

        return kept;
    }

    /// <summary>Makes runs from their creation to their end until it is over.</summary>
    private static async Task<List<RunKey>> MakeRunsAsync(RedisResponseStore store, CancellationToken over)
    {
        List<RunKey> made = [];
        while (!over.IsCancellationRequested)
        {
            var run = new RunKey(Tenant, ResponseId.NewChain());
            Assert.Equal(0, (await store.Runs.CreateAsync(RunStarts.Of(run, null), None)).Token);
            var taken = Assert.IsType<TakenRun>(await store.Runs.TakeAsync(run, "a", RunStarts.Lease, None));
            Assert.True(await store.Runs.AppendAsync(run, taken.Token, RunStarts.Events(2, "three"), None));
            Assert.True((await store.Runs.RenewAsync(run, taken.Token, RunStarts.Lease, None)).IsHeld);
            Assert.NotNull(await store.Runs.GetRunAsync(run, None));
            var commit = Commits.Make(Tenant, run.Id, [], DateTimeOffset.UtcNow, "made by a run") with
            {
                Run = new RunFence(taken.Token, 3, RunStarts.Many("completed"), RunStarts.EventRetention),
            };
            Assert.Equal(CommitOutcome.Appended, await store.CommitAsync(commit, None));
            made.Add(run);
        }

        return made;
    }

    private static async Task<bool> KnowsReplicaAsync(RedisProcess sentinel)
    {
        await using var client = await ConnectionMultiplexer.SentinelConnectAsync(sentinel.EndPoint);
        return (await client.GetServers()[0].SentinelReplicasAsync("chains")).Length > 0;
    }

    private static ServiceProvider Services() => new ServiceCollection().AddMetrics().AddSingleton<StoreMetrics>().BuildServiceProvider();

    /// <summary>Each failing call waits for its own timeout, so this is no busy loop.</summary>
    private static async Task<T> UntilItAnswersAsync<T>(Func<ValueTask<T>> call)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await call();
            }
            catch (StoreUnavailableException) when (Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(60))
            {
                await Task.Yield();
            }
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30), "It never came.");
        }
    }

    /// <summary>A slot that is on its way from one node to another.</summary>
    private sealed class SlotMove(int slot, IServer source, IServer target, string targetId)
    {
        public static async Task<SlotMove> BeginAsync(ConnectionMultiplexer admin, RedisKey key)
        {
            var slot = admin.HashSlot(key);
            var source = admin.GetServers().Single(server => server.ClusterConfiguration!.GetBySlot(slot)!.EndPoint!.Equals(server.EndPoint));
            var target = admin.GetServers().First(server => server != source);
            var (sourceId, targetId) = ((string)(await source.ExecuteAsync("CLUSTER", "MYID"))!, (string)(await target.ExecuteAsync("CLUSTER", "MYID"))!);
            await target.ExecuteAsync("CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId);
            await source.ExecuteAsync("CLUSTER", "SETSLOT", slot, "MIGRATING", targetId);
            return new SlotMove(slot, source, target, targetId);
        }

        /// <summary>How many commands the old node has told to try again.</summary>
        public async Task<long> RefusalsAsync() =>
            (await source.InfoAsync("errorstats")).SelectMany(section => section).Where(pair => pair.Key == "errorstat_TRYAGAIN")
                .Sum(pair => long.Parse(pair.Value["count=".Length..], System.Globalization.CultureInfo.InvariantCulture));

        public async Task EndAsync()
        {
            string[] keys = [.. ((RedisKey[])(await source.ExecuteAsync("CLUSTER", "GETKEYSINSLOT", slot, 100))!).Select(key => key.ToString())];
            var port = ((System.Net.IPEndPoint)target.EndPoint).Port;
            await source.ExecuteAsync("MIGRATE", ["127.0.0.1", port, "", 0, 5000, "KEYS", .. keys]);
            foreach (var server in (IServer[])[target, source])
            {
                await server.ExecuteAsync("CLUSTER", "SETSLOT", slot, "NODE", targetId);
            }
        }
    }

    private async Task<RedisResponseStore> OpenAsync(ServiceProvider services, string connectionString, TimeSpan timeout, int waitReplicas = 0)
    {
        var options = new StoreOptions { Redis = connectionString, CommandTimeout = timeout, WaitReplicas = waitReplicas, WaitTimeout = TimeSpan.FromSeconds(5) };
        var store = new RedisResponseStore(options, services.GetRequiredService<StoreMetrics>(), TimeProvider.System, _log);
        await store.StartAsync();
        return store;
    }
}
