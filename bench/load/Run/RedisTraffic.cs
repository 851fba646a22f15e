using System.Globalization;
using StackExchange.Redis;

namespace Gateway.Load.Run;

/// <summary>What Redis is sent, by its own count (INFO stats): commands with their arguments, of all its clients together.</summary>
internal sealed class RedisTraffic : IAsyncDisposable
{
    private readonly ConnectionMultiplexer _redis;

    private RedisTraffic(ConnectionMultiplexer redis) => _redis = redis;

    public static async Task<RedisTraffic> ConnectAsync(string connection)
    {
        // The library counts INFO among the commands of administrators.
        var options = ConfigurationOptions.Parse(connection);
        options.AllowAdmin = true;
        return new RedisTraffic(await OrSayAsync(ConnectionMultiplexer.ConnectAsync(options)));
    }

    /// <summary>Bytes that the primaries have received since they were started.</summary>
    public async Task<long> ReceivedBytesAsync()
    {
        var bytes = 0L;
        foreach (var server in _redis.GetServers().Where(server => server is { IsConnected: true, IsReplica: false }))
        {
            var stats = (await OrSayAsync(server.InfoAsync("stats"))).SelectMany(section => section);
            bytes += long.Parse(stats.Single(line => line.Key == "total_net_input_bytes").Value, CultureInfo.InvariantCulture);
        }

        return bytes;
    }

    public ValueTask DisposeAsync() => _redis.DisposeAsync();

    private static async Task<T> OrSayAsync<T>(Task<T> call)
    {
        try
        {
            return await call;
        }
        catch (Exception failed) when (failed is RedisException or TimeoutException)
        {
            throw new LoadException($"What Redis is sent can not be counted: {failed.Message}");
        }
    }
}
