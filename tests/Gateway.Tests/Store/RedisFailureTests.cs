using System.Diagnostics;
using System.Diagnostics.Metrics;
using Gateway.Store;
using Gateway.Store.Redis;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Gateway.Tests.Store;

/// <summary>Redis as it fails: each test has a server of its own.</summary>
public sealed class RedisFailureTests
{
    private const string Tenant = "acme";
    private const string IssuerVariable = "SERedis_IssuerCertPath";
    private const int Recovered = 2001;
    private const int Connected = 2010;
    private const int Evicts = 2013;
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly DateTimeOffset Created = DateTimeOffset.UtcNow;
    private readonly StoreLogCollector<RedisResponseStore> _log = new();

    [Fact]
    public async Task Store_RedisDiesAndComesBack_WorksAgainWithoutARestart()
    {
        await using var redis = await RedisProcess.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        await using var services = Services();
        await using var store = await OpenAsync(services, redis.EndPoint);
        var commit = Commits.Start(Tenant, Created);
        await store.CommitAsync(commit, None);

        await redis.KillAsync();

        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.LoadChainAsync(Tenant, commit.Id, None).AsTask());
        Assert.False(store.Health.Available);
        Assert.True(store.Health.ReachedOnce);
        foreach (var operation in Operations(store, commit.Id))
        {
            var error = await Assert.ThrowsAsync<StoreUnavailableException>(operation);
            Assert.DoesNotContain("127.0.0.1", error.Message, StringComparison.Ordinal);
        }

        await redis.StartAgainAsync();
        var chain = await UntilItAnswersAsync(() => store.LoadChainAsync(Tenant, commit.Id, None));
        Assert.Single(Assert.IsType<Chain>(chain).Turns);
        Assert.Equal(CommitOutcome.Appended, await store.CommitAsync(Commits.Child(Tenant, chain, Created), None));
        await _log.WaitForAsync(Recovered);
        Assert.True(store.Health.Available);
    }

    [Fact]
    public async Task Commit_RedisDiesMeanwhile_FailsWithinOneCommandTimeout()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var services = Services();
        // Much longer than anything else here takes, so that one wait and two can be told apart on a busy machine.
        await using var store = await OpenAsync(services, redis.EndPoint, timeout: TimeSpan.FromSeconds(4));
        await store.CommitAsync(Commits.Start(Tenant, Created), None);

        await redis.KillAsync();
        var started = Stopwatch.GetTimestamp();
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.CommitAsync(Commits.Start(Tenant, Created), None).AsTask());

        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(7));
    }

    [Fact]
    public async Task Store_RedisIsDownAtStart_StartsAndConnectsLater()
    {
        await using var redis = await RedisProcess.StartAsync();
        await redis.KillAsync();
        await using var services = Services();
        await using var store = await OpenAsync(services, redis.EndPoint);

        Assert.Equal(new StoreHealth("redis", ReachedOnce: false, Available: false), store.Health);
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.CommitAsync(Commits.Start(Tenant, Created), None).AsTask());

        await redis.StartAgainAsync();
        var commit = Commits.Start(Tenant, Created);
        await UntilItAnswersAsync(() => store.CommitAsync(commit, None));
        Assert.NotNull(await store.GetAsync(Tenant, commit.Id, None));
        await _log.WaitForAsync(Connected);
        Assert.True(store.Health.ReachedOnce);
    }

    [Fact]
    public async Task Store_UnknownHost_FailsInTimeAndClosesInTime()
    {
        await using var services = Services();
        await using var store = await OpenAsync(services, "redis.invalid:6379");

        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.GetAsync(Tenant, ResponseId.NewChain(), None).AsTask());

        Assert.False(store.Health.Available);
    }

    [Fact]
    public async Task Store_WrongPassword_IsUnavailableAndTheFileIsUsed()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "opensesame\n");
        await using var redis = await RedisProcess.StartAsync("--requirepass", "opensesame");
        await using var services = Services();
        await using var wrong = await OpenAsync(services, redis.EndPoint + ",password=closed");
        await using var right = await OpenAsync(services, redis.EndPoint + ",password=closed", file);
        var commit = Commits.Start(Tenant, Created);

        await Assert.ThrowsAsync<StoreUnavailableException>(() => wrong.CommitAsync(commit, None).AsTask());
        Assert.Equal(CommitOutcome.Appended, await right.CommitAsync(commit, None));

        File.Delete(file);
    }

    [Fact]
    public async Task Store_Tls_IsUsedWhenTheAuthorityIsTrusted()
    {
        using var authority = TestCertificates.MakeAuthority();
        using var certificate = TestCertificates.Make(authority);
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "ca.pem");
        await File.WriteAllTextAsync(file, authority.ExportCertificatePem());
        await using var redis = await RedisProcess.StartTlsAsync(certificate);
        await using var services = Services();
        var commit = Commits.Start(Tenant, Created);

        await using (var distrusting = await OpenAsync(services, redis.EndPoint + ",ssl=true"))
        {
            await Assert.ThrowsAsync<StoreUnavailableException>(() => distrusting.CommitAsync(commit, None).AsTask());
        }

        await using (var plain = await OpenAsync(services, redis.EndPoint))
        {
            await Assert.ThrowsAsync<StoreUnavailableException>(() => plain.CommitAsync(commit, None).AsTask());
        }

        // The client reads it when it connects; no other test uses TLS to Redis.
        Environment.SetEnvironmentVariable(IssuerVariable, file);
        try
        {
            await using var trusting = await OpenAsync(services, redis.EndPoint + ",ssl=true");
            Assert.Contains(
                await UntilItAnswersAsync(() => trusting.CommitAsync(commit, None)), (CommitOutcome[])[CommitOutcome.Appended, CommitOutcome.AlreadyCommitted]);
            Assert.Single(Assert.IsType<Chain>(await trusting.LoadChainAsync(Tenant, commit.Id, None)).Turns);
        }
        finally
        {
            Environment.SetEnvironmentVariable(IssuerVariable, null);
        }
    }

    [Fact]
    public async Task Store_ScriptsForgotten_CommitsAllTheSame()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var services = Services();
        await using var store = await OpenAsync(services, redis.EndPoint);
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        var first = Commits.Start(Tenant, Created);
        await store.CommitAsync(first, None);

        await admin.GetServers()[0].ScriptFlushAsync();

        Assert.Equal(CommitOutcome.Appended, await store.CommitAsync(Commits.Start(Tenant, Created), None));
        await admin.GetServers()[0].ScriptFlushAsync();
        Assert.True(await UntilItAnswersAsync(() => store.DeleteAsync(Tenant, first.Id, None)));
    }

    [Fact]
    public async Task Store_RedisIsFull_WritesFailReadsGoOnAndHealthSaysSo()
    {
        await using var redis = await RedisProcess.StartAsync("--maxmemory-policy", "noeviction");
        await using var services = Services();
        await using var store = await OpenAsync(services, redis.EndPoint);
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        var commit = Commits.Start(Tenant, Created);
        await store.CommitAsync(commit, None);

        await admin.GetServers()[0].ConfigSetAsync("maxmemory", "1");
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.CommitAsync(Commits.Start(Tenant, Created), None).AsTask());
        Assert.NotNull(await store.LoadChainAsync(Tenant, commit.Id, None));
        Assert.Equal(commit.Id, Assert.Single(Assert.IsType<StoredPage>(await store.ListAsync(Tenant, new ListQuery(5, null, null), None)).Data).Record.Id);
        Assert.False(store.Health.Available);

        await admin.GetServers()[0].ConfigSetAsync("maxmemory", "0");
        Assert.Equal(CommitOutcome.Appended, await store.CommitAsync(Commits.Start(Tenant, Created), None));
        Assert.True(store.Health.Available);
        Assert.Null(store.Health.Warning);
    }

    [Fact]
    public async Task Store_RedisMayEvict_WarnsLoudly()
    {
        await using var redis = await RedisProcess.StartAsync("--maxmemory-policy", "allkeys-lru");
        await using var services = Services();
        await using var store = await OpenAsync(services, redis.EndPoint);
        var measured = new List<int>();
        using var listener = new MeterListener();
        var meters = services.GetRequiredService<IMeterFactory>();
        listener.InstrumentPublished = (instrument, its) =>
        {
            if (instrument.Meter.Scope == meters && instrument.Name == "gateway.store.evicting")
            {
                its.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<int>((_, value, _, _) => measured.Add(value));
        listener.Start();

        Assert.StartsWith("Critical: REDIS MAY EVICT", await _log.WaitForAsync(Evicts), StringComparison.Ordinal);

        // The log line comes just before the warning is seen; the next answer of the server surely comes after it.
        await UntilAsync(() => store.Health.Warning is not null);
        Assert.Contains("allkeys-lru", store.Health.Warning, StringComparison.Ordinal);
        listener.RecordObservableInstruments();
        Assert.Equal([1], measured);
    }

    [Fact]
    public async Task Store_DamagedElements_AreUnavailableNotWrong()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var services = Services();
        await using var store = await OpenAsync(services, redis.EndPoint);
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint);
        var commit = Commits.Start(Tenant, Created);
        await store.CommitAsync(commit, None);

        await admin.GetDatabase().ListSetByIndexAsync(RedisKeys.Log(Tenant, commit.Id.Chain, "0"), 0, "junk");
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.LoadChainAsync(Tenant, commit.Id, None).AsTask());
        await admin.GetDatabase().StringSetAsync(RedisKeys.Record(Tenant, commit.Id), "junk");
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.GetAsync(Tenant, commit.Id, None).AsTask());

        Assert.True(store.Health.Available);
    }

    [Fact]
    public async Task LoadChain_OneLog_IsOneRoundTripAndAcrossChainsTwo()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var services = Services();
        await using var store = await OpenAsync(services, redis.EndPoint);
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        var start = Commits.Start(Tenant, Created);
        await store.CommitAsync(start, None);
        var child = Commits.Child(Tenant, await LoadAsync(store, start.Id), Created);
        await store.CommitAsync(child, None);
        var branch = Commits.Child(Tenant, await LoadAsync(store, start.Id), Created);
        await store.CommitAsync(branch, None);

        Assert.Equal((1, 1), await CountAsync(() => LoadAsync(store, child.Id)));
        Assert.Equal((1, 2), await CountAsync(() => LoadAsync(store, branch.Id)));

        async Task<(long Gets, long Ranges)> CountAsync(Func<Task<Chain>> load)
        {
            await admin.GetServers()[0].ExecuteAsync("CONFIG", "RESETSTAT");
            await load();
            var stats = (await admin.GetServers()[0].InfoAsync("commandstats")).SelectMany(section => section).ToDictionary(pair => pair.Key, pair => pair.Value);
            return (Calls(stats, "cmdstat_get"), Calls(stats, "cmdstat_lrange"));
        }

        static long Calls(Dictionary<string, string> stats, string command) =>
            long.Parse(stats[command].Split(',')[0]["calls=".Length..], System.Globalization.CultureInfo.InvariantCulture);
    }

    private static ServiceProvider Services() => new ServiceCollection().AddMetrics().AddSingleton<StoreMetrics>().BuildServiceProvider();

    private static async Task<Chain> LoadAsync(RedisResponseStore store, ResponseId id) =>
        Assert.IsType<Chain>(await store.LoadChainAsync(Tenant, id, None));

    private static Func<Task>[] Operations(RedisResponseStore store, ResponseId id) =>
    [
        () => store.LoadChainAsync(Tenant, id, None).AsTask(),
        () => store.CommitAsync(Commits.Start(Tenant, Created), None).AsTask(),
        () => store.GetAsync(Tenant, id, None).AsTask(),
        () => store.DeleteAsync(Tenant, id, None).AsTask(),
        () => store.ListAsync(Tenant, new ListQuery(5, null, null), None).AsTask(),
        () => store.Runs.CreateAsync(RunStarts.Of(Tenant, "a"), None).AsTask(),
        () => store.Runs.TakeAsync(new RunKey(Tenant, id), "a", RunStarts.Lease, None).AsTask(),
        () => store.Runs.FindFreeAsync(1, None).AsTask(),
        () => store.Runs.RenewAsync(new RunKey(Tenant, id), 1, RunStarts.Lease, None).AsTask(),
        () => store.Runs.AppendAsync(new RunKey(Tenant, id), 1, RunStarts.Events(0, "one"), None).AsTask(),
        () => store.Runs.ReleaseAsync(new RunKey(Tenant, id), 1, None).AsTask(),
        () => store.Runs.CancelAsync(new RunKey(Tenant, id), None).AsTask(),
        () => store.Runs.FollowedAsync(new RunKey(Tenant, id), None).AsTask(),
        () => store.Runs.GetRunAsync(new RunKey(Tenant, id), None).AsTask(),
        () => store.Runs.DeleteRunAsync(new RunKey(Tenant, id), None).AsTask(),
        () => store.Runs.DropRunAsync(new RunKey(Tenant, id), 1, isUnmade: true, None).AsTask(),
        () => store.Runs.ReadEventsAsync(new RunKey(Tenant, id), 0, 1, None).AsTask(),
        () => store.Runs.WatchAsync(new RunKey(Tenant, id), () => { }, None).AsTask(),
        () => store.Runs.WatchFreeAsync(() => { }, None).AsTask(),
    ];

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
            }
        }
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        var start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30), "It never came.");
            await Task.Yield();
        }
    }

    private async Task<RedisResponseStore> OpenAsync(
        ServiceProvider services, string connectionString, string? passwordFile = null, TimeSpan? timeout = null)
    {
        var options = new StoreOptions { Redis = connectionString, RedisPasswordFile = passwordFile, CommandTimeout = timeout ?? TimeSpan.FromSeconds(0.5) };
        var store = new RedisResponseStore(options, services.GetRequiredService<StoreMetrics>(), TimeProvider.System, _log);
        await store.StartAsync();
        return store;
    }
}
