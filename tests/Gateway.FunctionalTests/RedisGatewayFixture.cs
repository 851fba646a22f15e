using Gateway.Testing.Redis;

namespace Gateway.FunctionalTests;

/// <summary>As <see cref="GatewayFixture"/>, with responses kept in Redis.</summary>
public sealed class RedisGatewayFixture : GatewayFixture
{
    private TestRedis? _redis;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }
    }

    private protected override async Task<string?> ConnectAsync()
    {
        _redis = await TestRedis.StartAsync();
        return _redis.ConnectionString;
    }
}
