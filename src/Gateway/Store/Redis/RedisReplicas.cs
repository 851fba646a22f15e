using System.Collections.Concurrent;
using System.Net;
using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// Waits until replicas have acknowledged what was written (<c>Gateway:Store:WaitReplicas</c>, docs/design/store.md). WAIT blocks its connection for all
/// behind it, so it has one of its own, on which nothing else is sent: writes and reads of others never wait for it. A primary sends its replicas
/// one stream: whoever has acknowledged a later write has all earlier ones. So each WAIT stands behind a write of its own, a mark that leaves nothing,
/// and one WAIT answers for all who came before its mark.
/// </summary>
internal sealed class RedisReplicas : IAsyncDisposable
{
    /// <summary>Has to be propagated to replicas, and to leave nothing behind.</summary>
    private const string Mark = "redis.call('SET', KEYS[1], '') return redis.call('DEL', KEYS[1])";

    private readonly ConcurrentDictionary<EndPoint, Primary> _primaries = new();
    private readonly ConfigurationOptions _configuration;
    private readonly int _replicas;
    private readonly TimeSpan _timeout;
    private readonly StoreMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private Task<ConnectionMultiplexer>? _connecting;
    private bool _isClosed;
    private int _isMissing;

    /// <param name="options">How many replicas, and for how long.</param>
    /// <param name="configuration">That of the shared connection.</param>
    /// <param name="metrics">Counts writes that were not acknowledged in time.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Is told once when they begin to be missing, and once when they are back.</param>
    public RedisReplicas(StoreOptions options, ConfigurationOptions configuration, StoreMetrics metrics, TimeProvider time, ILogger logger)
    {
        _replicas = options.WaitReplicas;
        _timeout = options.WaitTimeout;
        _metrics = metrics;
        _time = time;
        _logger = logger;
        _configuration = configuration.Clone();
        _configuration.ClientName += "-wait";
        _configuration.AsyncTimeout = (int)(options.WaitTimeout + options.CommandTimeout).TotalMilliseconds;
    }

    public bool IsAsked => _replicas > 0;

    /// <summary>
    /// Returns when enough replicas have acknowledged all that was written to these keys before, or when the time for that is over: the write is done
    /// in any case, and only counted and logged.
    /// </summary>
    /// <param name="db">The shared connection, which knows where the keys are.</param>
    /// <param name="keys">One key for each server that was written to.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask AcknowledgedAsync(IDatabase db, IReadOnlyList<RedisKey> keys, CancellationToken cancellationToken)
    {
        if (!IsAsked || keys.Count == 0)
        {
            return;
        }

        var acknowledged = false;
        try
        {
            var replies = await Task.WhenAll(keys.Select(key => AskAsync(db, key))).WaitAsync(_timeout, _time, cancellationToken).ConfigureAwait(false);
            acknowledged = replies.All(replicas => replicas >= _replicas);
        }
        catch (Exception e) when (e is RedisException or RedisCommandException or TimeoutException or ArgumentException or ObjectDisposedException)
        {
            // Not in time, a connection that failed, or a server that only the other connection knows yet.
        }

        if (!acknowledged)
        {
            _metrics.Unacknowledged();
            if (Interlocked.Exchange(ref _isMissing, 1) == 0)
            {
                StoreLog.RedisUnacknowledged(_logger, _replicas, _timeout);
            }
        }
        else if (Volatile.Read(ref _isMissing) == 1 && Interlocked.Exchange(ref _isMissing, 0) == 1)
        {
            StoreLog.RedisAcknowledged(_logger, _replicas);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task<ConnectionMultiplexer>? connecting;
        lock (_lock)
        {
            _isClosed = true;
            connecting = _connecting;
        }

        if (connecting is not null)
        {
            await ((Task)connecting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (connecting.IsCompletedSuccessfully)
            {
                await (await connecting.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private async Task<long> AskAsync(IDatabase db, RedisKey key)
    {
        // The server that was just written to: WAIT has no key by which it could find its way.
        var endPoint = await db.IdentifyEndpointAsync(key, CommandFlags.DemandMaster).ConfigureAwait(false)
            ?? throw new TimeoutException("Nobody serves the key.");
        return await _primaries.GetOrAdd(endPoint, at => new Primary(mark => WaitAsync(at, mark))).JoinAsync(RedisKeys.Mark(key)).ConfigureAwait(false);
    }

    private async Task<long> WaitAsync(EndPoint endPoint, RedisKey mark)
    {
        var multiplexer = await ConnectAsync().ConfigureAwait(false);
        var server = multiplexer.GetServer(endPoint);

        // Not to another server than the WAIT behind it.
        var marking = server.ExecuteAsync("EVAL", [Mark, 1, mark], CommandFlags.NoRedirect);
        var waiting = server.ExecuteAsync("WAIT", [_replicas, (long)_timeout.TotalMilliseconds], CommandFlags.NoRedirect);
        await Task.WhenAll(marking, waiting).ConfigureAwait(false);
        return (long)await waiting.ConfigureAwait(false);
    }

    private Task<ConnectionMultiplexer> ConnectAsync()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            if (_connecting is null or { IsFaulted: true } or { IsCanceled: true })
            {
                _connecting = Task.Run(() => ConnectionMultiplexer.ConnectAsync(_configuration));
            }

            return _connecting;
        }
    }

    /// <summary>One server: one WAIT at a time, and the next one for all who came meanwhile.</summary>
    private sealed class Primary(Func<RedisKey, Task<long>> wait)
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource<long>? _next;
        private RedisKey _mark;
        private bool _isWaiting;

        public Task<long> JoinAsync(RedisKey mark)
        {
            lock (_lock)
            {
                _next ??= new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
                _mark = mark;
                if (!_isWaiting)
                {
                    _isWaiting = true;
                    _ = RunAsync();
                }

                return _next.Task;
            }
        }

        private async Task RunAsync()
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            while (Begin() is { } all)
            {
                try
                {
                    all.Joined.SetResult(await wait(all.Mark).ConfigureAwait(false));
                }
                catch (Exception e)
                {
                    // Whatever it is, those who wait are told; nobody may be left for whom they have waited too long.
                    all.Joined.SetException(e);
                    _ = all.Joined.Task.Exception;
                }
            }
        }

        private (TaskCompletionSource<long> Joined, RedisKey Mark)? Begin()
        {
            lock (_lock)
            {
                var joined = _next;
                (_next, _isWaiting) = (null, joined is not null);
                return joined is null ? null : (joined, _mark);
            }
        }
    }
}
