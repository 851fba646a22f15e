using Gateway.Testing.Redis;

namespace Gateway.Tests.Store;

public sealed class RedisFixture : IAsyncLifetime
{
    private TestRedis? _redis;

    public string ConnectionString => _redis?.ConnectionString ?? throw new InvalidOperationException("Redis is not started.");

    public async ValueTask InitializeAsync() => _redis = await TestRedis.StartAsync();

    public ValueTask DisposeAsync() => _redis?.DisposeAsync() ?? ValueTask.CompletedTask;
}
