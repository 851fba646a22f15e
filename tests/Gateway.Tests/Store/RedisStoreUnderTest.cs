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

    public override IConversationStore Conversations => _store.Conversations;

    public static async Task<RedisStoreUnderTest> StartAsync(string connectionString)
    {
        var redis = await ConnectionMultiplexer.ConnectAsync(connectionString);
        var test = new RedisStoreUnderTest(connectionString, redis);
        await test._store.StartAsync();
        return test;
    }

    /// <summary>Redis has a clock of its own: what is moved is how long each key, and each hold on a conversation, has left.</summary>
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
            }
        }
    }

    public override Task<int> CountAsync() => Task.FromResult(Keys().Count);

    public override async ValueTask DisposeAsync()
    {
        foreach (var key in Keys())
        {
            await _redis.GetDatabase().KeyDeleteAsync(key);
        }

        await _store.DisposeAsync();
        await _redis.DisposeAsync();
        await base.DisposeAsync();
    }

    private List<RedisKey> Keys() =>
        [.. _redis.GetServers().Where(server => server.IsConnected && !server.IsReplica).SelectMany(server => server.Keys(pattern: $"gw:{{{Tenant}*", pageSize: 1000))];
}
