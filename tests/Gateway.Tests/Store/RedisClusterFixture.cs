using Gateway.Testing.Redis;

namespace Gateway.Tests.Store;

public sealed class RedisClusterFixture : IAsyncLifetime
{
    private TestRedisCluster? _cluster;

    public string ConnectionString => _cluster?.ConnectionString ?? throw new InvalidOperationException("The Redis Cluster is not started.");

    public async ValueTask InitializeAsync() => _cluster = await TestRedisCluster.StartAsync();

    public ValueTask DisposeAsync() => _cluster?.DisposeAsync() ?? ValueTask.CompletedTask;
}
