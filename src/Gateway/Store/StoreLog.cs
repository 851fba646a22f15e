namespace Gateway.Store;

/// <summary>Log messages of the store, event ids 2000 to 2099. An id once given is never reused.</summary>
internal static partial class StoreLog
{
    [LoggerMessage(2000, LogLevel.Warning, "The {Kind} store failed at {Operation}; it is told once until it works again.")]
    public static partial void Failed(ILogger logger, string kind, string operation, Exception exception);

    [LoggerMessage(2001, LogLevel.Information, "The {Kind} store's {What} work again.")]
    public static partial void Recovered(ILogger logger, string kind, string what);

    [LoggerMessage(2002, LogLevel.Error, "The {Kind} store holds data that can not be read (at {Operation}).")]
    public static partial void Damaged(ILogger logger, string kind, string operation, Exception exception);

    [LoggerMessage(2003, LogLevel.Warning, "A chain of {Turns} turns is not whole: a turn of its history is erased or lost.")]
    public static partial void ChainIncomplete(ILogger logger, int turns);

    [LoggerMessage(2004, LogLevel.Error, "A turn was not kept: the log behind it is shorter than when it was read. The store lost data.")]
    public static partial void HistoryLost(ILogger logger);

    [LoggerMessage(2010, LogLevel.Information, "Redis is connected ({EndPoint}).")]
    public static partial void RedisConnected(ILogger logger, System.Net.EndPoint? endPoint);

    [LoggerMessage(2011, LogLevel.Warning, "The connection to Redis is down ({EndPoint}, {Failure}); it is tried again by itself.")]
    public static partial void RedisDown(ILogger logger, System.Net.EndPoint? endPoint, string failure);

    [LoggerMessage(2012, LogLevel.Warning, "Redis can not be connected; the next try is in {Delay}.")]
    public static partial void RedisConnectFailed(ILogger logger, TimeSpan delay, Exception exception);

    // Critical on purpose: with any other policy Redis throws away live conversations without an error when its memory is full.
    [LoggerMessage(2013, LogLevel.Critical,
        "REDIS MAY EVICT LIVE CHAINS: maxmemory_policy is '{Policy}' on {EndPoint}. Set 'maxmemory-policy noeviction'.")]
    public static partial void RedisEvicts(ILogger logger, string policy, System.Net.EndPoint? endPoint);

    [LoggerMessage(2014, LogLevel.Warning, "Redis did not tell its maxmemory_policy; make sure that it is noeviction.")]
    public static partial void RedisPolicyUnknown(ILogger logger, Exception? exception);

    [LoggerMessage(2015, LogLevel.Warning,
        "Fewer than {Replicas} replicas of Redis acknowledged a write within {Timeout}; a fail-over now may lose it. It is told once until they do again.")]
    public static partial void RedisUnacknowledged(ILogger logger, int replicas, TimeSpan timeout);

    [LoggerMessage(2016, LogLevel.Information, "At least {Replicas} replicas of Redis acknowledge writes again.")]
    public static partial void RedisAcknowledged(ILogger logger, int replicas);

    [LoggerMessage(2020, LogLevel.Information, "The embedded store is open in {Path}.")]
    public static partial void SqliteOpened(ILogger logger, string path);

    [LoggerMessage(2021, LogLevel.Debug, "Removed {Rows} expired rows from the embedded store.")]
    public static partial void SqliteSwept(ILogger logger, int rows);

    [LoggerMessage(2022, LogLevel.Warning, "The embedded store could not be swept; the next try is in {Delay}.")]
    public static partial void SqliteSweepFailed(ILogger logger, TimeSpan delay, Exception exception);

    [LoggerMessage(2030, LogLevel.Information, "Made a key for sealed secrets in {Path}.")]
    public static partial void KeyFileMade(ILogger logger, string path);
}
