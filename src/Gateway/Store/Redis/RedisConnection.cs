using System.Net;
using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// The one shared connection. Made in the background, so that the gateway starts without Redis; afterwards the client reconnects by itself.
/// Beside it there is one that only waits for replicas.
/// </summary>
internal sealed class RedisConnection : IAsyncDisposable
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(30);
    private readonly ConfigurationOptions _configuration;
    private readonly TimeSpan _timeout;
    private readonly StoreMetrics _metrics;
    private readonly StoreWatch _watch;
    private readonly ILogger _logger;
    private readonly RedisReplicas _replicas;
    private readonly CancellationTokenSource _stopping = new();
    private Task<ConnectionMultiplexer>? _connecting;
    private volatile IDatabase? _database;

    public RedisConnection(StoreOptions options, StoreMetrics metrics, StoreWatch watch, TimeProvider time, ILogger logger)
    {
        _configuration = Configure(options);
        _timeout = options.CommandTimeout;
        _metrics = metrics;
        _watch = watch;
        _logger = logger;
        _replicas = new RedisReplicas(options, _configuration, metrics, time, logger);
    }

    /// <summary>Connected to a server that takes writes: a replica alone would let a turn be made that can not be kept.</summary>
    public bool IsConnected => _database?.IsConnected(default, CommandFlags.DemandMaster) ?? false;

    /// <summary>Keys may live on different servers, so commands sent one after the other may be done in any order.</summary>
    public bool IsCluster { get; private set; }

    /// <summary>What an operator should know, or null.</summary>
    public string? Warning { get; private set; }

    public void Start() => _connecting = ConnectAsync();

    /// <exception cref="TimeoutException">There is no connection yet, and none came about in time.</exception>
    public ValueTask<IDatabase> GetDatabaseAsync(CancellationToken cancellationToken) =>
        _database is { } database ? new ValueTask<IDatabase>(database) : WaitAsync(cancellationToken);

    /// <summary>
    /// The result of a write that promises something, once <c>Gateway:Store:WaitReplicas</c> have acknowledged it or <c>WaitTimeout</c> is over.
    /// </summary>
    /// <param name="write">The write.</param>
    /// <param name="keys">One key for each slot that was written to; asked for behind the write, and only when replicas are waited for.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask<T> AcknowledgedAsync<T>(ValueTask<T> write, Func<IReadOnlyList<RedisKey>> keys, CancellationToken cancellationToken)
    {
        var result = await write.ConfigureAwait(false);
        if (_replicas.IsAsked)
        {
            var db = await GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
            await _replicas.AcknowledgedAsync(db, keys(), cancellationToken).ConfigureAwait(false);
        }

        return result;
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        await _replicas.DisposeAsync().ConfigureAwait(false);
        if (_connecting is not null)
        {
            try
            {
                var multiplexer = await _connecting.ConfigureAwait(false);
                await multiplexer.DisposeAsync().ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // Redis was never reached: there is nothing to close.
            }
        }

        _stopping.Dispose();
    }

    private static ConfigurationOptions Configure(StoreOptions options)
    {
        var configuration = ConfigurationOptions.Parse(options.Redis ?? string.Empty);
        configuration.AbortOnConnectFail = false;
        configuration.ClientName ??= "responses-gateway";
        configuration.ConnectTimeout = (int)options.CommandTimeout.TotalMilliseconds;
        configuration.AsyncTimeout = configuration.ConnectTimeout;
        configuration.SyncTimeout = configuration.ConnectTimeout;
        configuration.ReconnectRetryPolicy = new ExponentialRetry(500, 5000);

        // The client counts INFO, which tells maxmemory_policy, as an admin's command. No other one is used.
        configuration.AllowAdmin = true;

        // Keys hold the ids of responses, which have no place in a log.
        configuration.IncludeDetailInExceptions = false;
        if (options.RedisPasswordFile is { Length: > 0 } file)
        {
            configuration.Password = File.ReadAllText(file).TrimEnd('\r', '\n');
        }

        return configuration;
    }

    private async ValueTask<IDatabase> WaitAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_connecting is null || _stopping.IsCancellationRequested, this);
        var multiplexer = await _connecting.WaitAsync(_timeout, cancellationToken).ConfigureAwait(false);
        return multiplexer.GetDatabase();
    }

    private async Task<ConnectionMultiplexer> ConnectAsync()
    {
        // Name resolution may block: not on the thread that starts the host.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        for (var delay = FirstDelay; ; delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay)
        {
            try
            {
                var multiplexer = await ConnectionMultiplexer.ConnectAsync(_configuration).ConfigureAwait(false);
                multiplexer.ConnectionRestored += (_, e) => _ = OnConnectedAsync(multiplexer, e.EndPoint, e.ConnectionType);
                multiplexer.ConnectionFailed += (_, e) => OnFailed(e);
                if (multiplexer.IsConnected)
                {
                    await OnConnectedAsync(multiplexer, multiplexer.GetEndPoints()[0], ConnectionType.Interactive).ConfigureAwait(false);
                }
                else
                {
                    StoreLog.RedisDown(_logger, multiplexer.GetEndPoints()[0], "not reached at start");
                }

                _database = multiplexer.GetDatabase();
                return multiplexer;
            }
            catch (Exception e) when (e is RedisException or IOException or System.Net.Sockets.SocketException or TimeoutException)
            {
                StoreLog.RedisConnectFailed(_logger, delay, e);
                await Task.Delay(delay, _stopping.Token).ConfigureAwait(false);
            }
        }
    }

    private void OnFailed(ConnectionFailedEventArgs e)
    {
        if (e.ConnectionType == ConnectionType.Interactive && !_stopping.IsCancellationRequested)
        {
            StoreLog.RedisDown(_logger, e.EndPoint, e.FailureType.ToString());
        }
    }

    private async Task OnConnectedAsync(ConnectionMultiplexer multiplexer, EndPoint? endPoint, ConnectionType type)
    {
        if (type != ConnectionType.Interactive)
        {
            return;
        }

        StoreLog.RedisConnected(_logger, endPoint);
        IsCluster = multiplexer.GetServers().Any(server => server.ServerType == ServerType.Cluster);

        // Usable from here on: what is read below is advice, and requests must not wait for it.
        _database = multiplexer.GetDatabase();
        _watch.Reached();
        try
        {
            await ReadServersAsync(multiplexer).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException)
        {
            // It is advice, not a condition: some services refuse INFO, and a connection may be lost again.
            StoreLog.RedisPolicyUnknown(_logger, e);
        }
    }

    private async Task ReadServersAsync(ConnectionMultiplexer multiplexer)
    {
        string? warning = null;
        foreach (var server in multiplexer.GetServers())
        {
            if (!server.IsConnected || server.IsReplica || server.ServerType == ServerType.Sentinel)
            {
                continue;
            }

            var memory = await server.InfoAsync("memory").ConfigureAwait(false);
            var policy = memory.SelectMany(section => section).FirstOrDefault(pair => pair.Key == "maxmemory_policy").Value;
            if (policy is null)
            {
                StoreLog.RedisPolicyUnknown(_logger, null);
            }
            else if (policy != "noeviction")
            {
                StoreLog.RedisEvicts(_logger, policy, server.EndPoint);
                warning = $"Redis may evict live chains: maxmemory_policy is '{policy}', it should be 'noeviction'.";
            }
        }

        Warning = warning;
        _metrics.EvictionSeen(warning is not null);
    }
}
