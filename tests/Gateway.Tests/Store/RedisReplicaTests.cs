using System.Diagnostics.Metrics;
using System.Globalization;
using Gateway.Store;
using Gateway.Store.Redis;
using Gateway.Testing.Redis;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Gateway.Tests.Store;

/// <summary><c>Gateway:Store:WaitReplicas</c> with a replica that is there, sleeps (SIGSTOP), or is another node's.</summary>
public sealed class RedisReplicaTests : IDisposable
{
    private const string Tenant = "acme";
    private const int Missing = 2015;
    private const int Back = 2016;
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Never over in a test.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);

    /// <summary>Over in each test that has it.</summary>
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(0.2);

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().AddSingleton<StoreMetrics>().BuildServiceProvider();
    private readonly StoreLogCollector<RedisResponseStore> _log = new();
    private readonly MeterListener _listener = new();
    private long _unacknowledged;

    public RedisReplicaTests()
    {
        // Also asked for instruments of tests beside this one, while this one ends.
        var meters = _services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, its) =>
        {
            if (instrument.Meter.Scope == meters && instrument.Name == "gateway.store.unacknowledged")
            {
                its.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref _unacknowledged, count));
        _listener.Start();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _services.Dispose();
    }

    [Fact]
    public async Task Commit_ReplicaSleeps_IsToldOnceItHasIt()
    {
        await using var primary = await RedisProcess.StartAsync();
        await using var replica = await StartReplicaAsync(primary);
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{primary.EndPoint},{replica.EndPoint}");
        await using var store = await OpenAsync(primary.EndPoint, replicas: 1, Long);
        var first = Commits.Start(Tenant, DateTimeOffset.UtcNow);
        await store.CommitAsync(first, None);
        await replica.SignalAsync("STOP");
        var waits = Commits.Start(Tenant, DateTimeOffset.UtcNow);

        var committing = store.CommitAsync(waits, None).AsTask();

        // Others are not held up: what is read, and what is written without a promise.
        while (await store.GetAsync(Tenant, waits.Id, None) is null)
        {
            Assert.False(committing.IsCompleted);
        }

        await store.ReleaseAsync(Tenant, "nothing", "nobody", None);
        Assert.NotNull(await store.LoadChainAsync(Tenant, first.Id, None));
        Assert.False(committing.IsCompleted);

        await replica.SignalAsync("CONT");
        Assert.Equal(CommitOutcome.Appended, await committing);
        Assert.Equal("1", (await admin.GetServer(replica.EndPoint).ExecuteAsync("EXISTS", RedisKeys.Record(Tenant, waits.Id).ToString())).ToString());
        Assert.Equal(0, Interlocked.Read(ref _unacknowledged));
    }

    [Fact]
    public async Task Commit_ReplicaSleepsTooLong_CountsAllTheSameAndIsTold()
    {
        await using var primary = await RedisProcess.StartAsync();
        await using var replica = await StartReplicaAsync(primary);
        await using var patient = await OpenAsync(primary.EndPoint, replicas: 1, Long);
        await patient.CommitAsync(Commits.Start(Tenant, DateTimeOffset.UtcNow), None);
        await using var store = await OpenAsync(primary.EndPoint, replicas: 1, Short);
        await replica.SignalAsync("STOP");
        var commits = Enumerable.Range(0, 50).Select(_ => Commits.Start(Tenant, DateTimeOffset.UtcNow)).ToArray();

        // Many at once wait together: one after the other would take ten seconds and more.
        var outcomes = await Task.WhenAll(commits.Select(commit => store.CommitAsync(commit, None).AsTask())).WaitAsync(TimeSpan.FromSeconds(5));

        Assert.All(outcomes, outcome => Assert.Equal(CommitOutcome.Appended, outcome));
        Assert.Equal(50, Interlocked.Read(ref _unacknowledged));
        Assert.StartsWith("Warning: Fewer than 1 replicas", await _log.WaitForAsync(Missing), StringComparison.Ordinal);
        Assert.True(store.Health.Available);
        Assert.NotNull(await store.GetAsync(Tenant, commits[0].Id, None));

        await replica.SignalAsync("CONT");
        await patient.CommitAsync(Commits.Start(Tenant, DateTimeOffset.UtcNow), None);
        await store.CommitAsync(Commits.Start(Tenant, DateTimeOffset.UtcNow), None);
        await _log.WaitForAsync(Back);
        Assert.Equal(50, Interlocked.Read(ref _unacknowledged));
    }

    [Fact]
    public async Task Commit_NotAsked_SendsNoWait()
    {
        await using var primary = await RedisProcess.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync(primary.EndPoint + ",allowAdmin=true");
        await using var store = await OpenAsync(primary.EndPoint, replicas: 0, Short);

        await store.CommitAsync(Commits.Start(Tenant, DateTimeOffset.UtcNow), None);

        Assert.DoesNotContain((await admin.GetServers()[0].InfoAsync("commandstats")).SelectMany(section => section), pair => pair.Key == "cmdstat_wait");
        Assert.Equal(0, Interlocked.Read(ref _unacknowledged));
    }

    /// <summary>Without a replica every write that waits is counted: so all that promise something are seen to wait, and the others are not.</summary>
    [Fact]
    public async Task Writes_ThatPromiseSomething_Wait()
    {
        await using var primary = await RedisProcess.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync(primary.EndPoint);
        await using var store = await OpenAsync(primary.EndPoint, replicas: 1, TimeSpan.FromMilliseconds(10));
        await using var talks = await RedisStoreUnderTest.StartAsync(primary.EndPoint);
        var commit = Commits.Start(Tenant, DateTimeOffset.UtcNow);
        var start = RunStarts.Of(Tenant, "a");
        var talk = ConversationId.New();
        var items = Talks.Items(talk, "one");

        await WaitsAsync(1, () => store.CommitAsync(commit, None).AsTask());
        await WaitsAsync(1, () => store.ClaimAsync(Tenant, "approval", "a", Long, None).AsTask());
        await WaitsAsync(0, () => store.ReleaseAsync(Tenant, "approval", "a", None).AsTask());
        await WaitsAsync(0, () => store.ListAsync(Tenant, new ListQuery(10, null, null), None).AsTask());
        await WaitsAsync(1, () => store.DeleteAsync(Tenant, commit.Id, None).AsTask());
        await WaitsAsync(1, () => store.Runs.CreateAsync(start, None).AsTask());
        await WaitsAsync(0, () => store.Runs.AppendAsync(start.Run, 1, RunStarts.Events(2, "three"), None).AsTask());
        await WaitsAsync(1, () => store.Runs.AppendAsync(start.Run, 1, RunStarts.Entries(0, "started"), None).AsTask());
        await WaitsAsync(0, () => store.Runs.RenewAsync(start.Run, 1, RunStarts.Lease, None).AsTask());
        await WaitsAsync(1, () => store.Runs.CancelAsync(start.Run, None).AsTask());
        await WaitsAsync(0, () => store.Runs.FollowedAsync(start.Run, None).AsTask());
        await WaitsAsync(0, () => store.Runs.ReleaseAsync(start.Run, 1, None).AsTask());
        await WaitsAsync(1, () => store.Runs.TakeAsync(start.Run, "b", RunStarts.Lease, None).AsTask());
        await WaitsAsync(1, () => store.Runs.DeleteRunAsync(start.Run, None).AsTask());
        await WaitsAsync(1, () => store.Conversations.CreateConversationAsync(Talks.Start(talks, talk), None).AsTask());
        await WaitsAsync(1, () => store.Conversations.AddItemsAsync(talks.Tenant, talk, items, Talks.NoLimit, Commits.Retention, None).AsTask());
        await WaitsAsync(1, () => store.Conversations.SetMetadataAsync(talks.Tenant, talk, "{}"u8.ToArray(), Commits.Retention, None).AsTask());
        await WaitsAsync(1, () => store.Conversations.EditTurnAsync(talks.Tenant, talk, items.Turn, turn => turn with { Private = default }, None).AsTask());
        await WaitsAsync(0, () => store.Conversations.OpenAsync(Talks.Opening(talks, talk, "a"), None).AsTask());
        await WaitsAsync(0, () => store.Conversations.RenewAsync(talks.Tenant, new ConversationLock(talk, "a"), Talks.Lease, None).AsTask());
        await WaitsAsync(0, () => store.Conversations.ReleaseAsync(talks.Tenant, new ConversationLock(talk, "a"), None).AsTask());
        await WaitsAsync(1, () => store.Conversations.DeleteConversationAsync(talks.Tenant, talk, None).AsTask());
        await WaitsAsync(1, () => store.CommitAsync(Commits.Start(Tenant, DateTimeOffset.UtcNow), None).AsTask());
        await WaitsAsync(1, () => store.EraseTenantAsync(Tenant, None).AsTask());
        await WaitsAsync(0, () => store.EraseTenantAsync(Tenant, None).AsTask());

        // What is written only to wait for it is gone at once.
        Assert.Equal(0, await admin.GetServers()[0].DatabaseSizeAsync());

        async Task WaitsAsync(int times, Func<Task> write)
        {
            var before = Interlocked.Read(ref _unacknowledged);
            await write();
            Assert.Equal(times, Interlocked.Read(ref _unacknowledged) - before);
        }
    }

    [Fact]
    public async Task Cluster_NodesWithAndWithoutAReplica_EachIsAskedForItsOwn()
    {
        await using var cluster = await TestRedisCluster.StartAsync();
        await using var replica = await cluster.AddReplicaAsync(of: 0);
        await using var admin = await ConnectionMultiplexer.ConnectAsync(cluster.ConnectionString);
        await using var patient = await OpenAsync(cluster.ConnectionString, replicas: 1, Long);
        await using var hasty = await OpenAsync(cluster.ConnectionString, replicas: 1, Short);

        // The tenant's own slot is at the first node; so all depends on the slot of the chain.
        var tenant = Enumerable.Range(0, 1000).Select(n => $"t{n}").First(name => IsAtFirst(RedisKeys.Days(name)));
        var chains = Enumerable.Range(0, 1000).Select(_ => Commits.Start(tenant, DateTimeOffset.UtcNow)).ToLookup(commit => IsAtFirst(RedisKeys.Record(tenant, commit.Id)));

        foreach (var commit in chains[true].Take(20))
        {
            await patient.CommitAsync(commit, None);
        }

        Assert.Equal(0, Interlocked.Read(ref _unacknowledged));
        var elsewhere = chains[false].Take(3).ToArray();
        Assert.All(
            await Task.WhenAll(elsewhere.Select(commit => hasty.CommitAsync(commit, None).AsTask())), outcome => Assert.Equal(CommitOutcome.Appended, outcome));
        Assert.Equal(3, Interlocked.Read(ref _unacknowledged));

        // As redis-cli shares the slots out.
        bool IsAtFirst(RedisKey key) => admin.HashSlot(key) <= 5460;
    }

    private static Task<RedisProcess> StartReplicaAsync(RedisProcess primary) =>
        RedisProcess.StartAsync("--replicaof", "127.0.0.1", primary.Port.ToString(CultureInfo.InvariantCulture));

    private async Task<RedisResponseStore> OpenAsync(string connectionString, int replicas, TimeSpan timeout)
    {
        var options = new StoreOptions { Redis = connectionString, WaitReplicas = replicas, WaitTimeout = timeout };
        var store = new RedisResponseStore(options, _services.GetRequiredService<StoreMetrics>(), TimeProvider.System, _log);
        await store.StartAsync();
        return store;
    }
}
