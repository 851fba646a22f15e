using Gateway.Store;
using Gateway.Store.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Gateway.Tests.Store;

internal sealed class RedisStoreUnderTest : StoreUnderTest
{
    private readonly RedisResponseStore _store;
    private readonly ConnectionMultiplexer _redis;

    private RedisStoreUnderTest(string connectionString, ConnectionMultiplexer redis)
    {
        _redis = redis;
        _store = new RedisResponseStore(
            new StoreOptions { Redis = connectionString }, Metrics, Time, NullLogger<RedisResponseStore>.Instance);
    }

    public override IResponseStore Store => _store;

    public override IRunStore Runs => _store.Runs;

    public override bool CommitsKeepTheirOrder => _redis.GetServers()[0].ServerType != ServerType.Cluster;

    public override bool KeepsWhatIsLeft => true;

    public override IConversationStore Conversations => _store.Conversations;

    public static async Task<RedisStoreUnderTest> StartAsync(string connectionString)
    {
        var redis = await ConnectionMultiplexer.ConnectAsync(connectionString);
        var test = new RedisStoreUnderTest(connectionString, redis);
        await test._store.StartAsync();
        return test;
    }

    /// <summary>Redis has a clock of its own: what is moved is how long each key has left, and the times in runs, in their index and of holds on conversations.</summary>
    public override async Task AdvanceAsync(TimeSpan time)
    {
        Time.Advance(time);
        var db = _redis.GetDatabase();
        foreach (var key in Keys())
        {
            var left = await db.KeyTimeToLiveAsync(key)
                ?? throw new InvalidOperationException($"The key {key} never expires.");
            if (left > time)
            {
                await db.KeyExpireAsync(key, left - time);
                if (key.ToString().EndsWith("}:c", StringComparison.Ordinal) && await db.HashExistsAsync(key, "until"))
                {
                    await db.HashDecrementAsync(key, "until", (long)time.TotalMilliseconds);
                }
            }
            else
            {
                await db.KeyDeleteAsync(key);
                continue;
            }

            if (key.ToString().Contains(":run:", StringComparison.Ordinal))
            {
                await db.HashDecrementAsync(key, "followed", (long)time.TotalMilliseconds);
                if (await db.HashGetAsync(key, "lease") != 0)
                {
                    await db.HashDecrementAsync(key, "lease", (long)time.TotalMilliseconds);
                    await db.HashDecrementAsync(key, "told", (long)time.TotalMilliseconds);
                }
            }
        }

        foreach (var name in await RunNamesAsync())
        {
            _ = await db.KeyTimeToLiveAsync(RedisKeys.Runs) ?? throw new InvalidOperationException("The index of live runs never expires.");
            await db.SortedSetDecrementAsync(RedisKeys.Runs, name, time.TotalMilliseconds);
            await db.SortedSetDecrementAsync(RedisKeys.RunsOfTenant(Tenant), name, time.TotalMilliseconds);
        }
    }

    public override async Task<int> CountAsync() => Keys().Count + (await RunNamesAsync()).Length;

    public override async Task<int> CountRunsAsync() => (int)await _redis.GetDatabase().SortedSetLengthAsync(RedisKeys.Runs);

    public override async ValueTask DisposeAsync()
    {
        foreach (var key in Keys())
        {
            await _redis.GetDatabase().KeyDeleteAsync(key);
        }

        foreach (var name in await RunNamesAsync())
        {
            await _redis.GetDatabase().SortedSetRemoveAsync(RedisKeys.Runs, name);
        }

        await _redis.GetDatabase().KeyDeleteAsync(RedisKeys.RunsOfTenant(Tenant));

        await _store.DisposeAsync();
        await _redis.DisposeAsync();
        await base.DisposeAsync();
    }

    /// <summary>The tenant's entries in the index of live runs.</summary>
    private async Task<RedisValue[]> RunNamesAsync()
    {
        // A commit does not wait until its run has left the index. What the store sends after that, to the same server, is done after it.
        await Runs.FindFreeAsync(1, CancellationToken.None);
        var names = await _redis.GetDatabase().SortedSetRangeByRankAsync(RedisKeys.Runs);
        return [.. names.Where(name => name.ToString().StartsWith(Tenant, StringComparison.Ordinal))];
    }

    /// <summary>Each once: a scan may give a key twice, and for that key time would go by twice.</summary>
    private List<RedisKey> Keys() =>
    [
        .. _redis.GetServers().Where(server => server.IsConnected && !server.IsReplica)
            .SelectMany(server => server.Keys(pattern: $"gw:{{{Tenant}*", pageSize: 1000)).Distinct(),
    ];
}
