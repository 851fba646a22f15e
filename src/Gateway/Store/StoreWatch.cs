using Microsoft.Data.Sqlite;
using StackExchange.Redis;

namespace Gateway.Store;

/// <summary>
/// Runs a store's operations: times them, turns every failure of the store into <see cref="StoreUnavailableException"/>, and remembers how
/// the last one ended.
/// </summary>
internal sealed class StoreWatch(string kind, StoreMetrics metrics, TimeProvider time, ILogger logger)
{
    /// <summary>
    /// How long a failure counts. After it requests try again: a store that is only judged by its use could otherwise never come back.
    /// </summary>
    private static readonly TimeSpan FailureCounts = TimeSpan.FromSeconds(1);

    private const long Never = long.MinValue;
    private long _readFailedAt = Never;
    private long _writeFailedAt = Never;
    private volatile bool _reachedOnce;

    public bool ReachedOnce => _reachedOnce;

    /// <summary>
    /// The last read or the last write failed just now. They count apart: a full disk or a full Redis still reads, and must not look well
    /// until a turn that can not be kept has been generated.
    /// </summary>
    public bool FailedJustNow => IsRecent(ref _readFailedAt) || IsRecent(ref _writeFailedAt);

    public void Reached() => _reachedOnce = true;

    public ValueTask<T> ReadAsync<T>(string operation, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken) =>
        RunAsync(operation, action, isWrite: false, cancellationToken);

    public ValueTask<T> WriteAsync<T>(string operation, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken) =>
        RunAsync(operation, action, isWrite: true, cancellationToken);

    private async ValueTask<T> RunAsync<T>(
        string operation, Func<CancellationToken, ValueTask<T>> action, bool isWrite, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        var outcome = "unavailable";
        try
        {
            var result = await action(cancellationToken).ConfigureAwait(false);
            outcome = "ok";
            Succeeded(isWrite);
            return result;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            outcome = "cancelled";
            throw;
        }
        catch (NewerFormatException)
        {
            // Nor does one that only this version can not read.
            throw;
        }
        catch (InvalidDataException e)
        {
            // One damaged element says nothing about the store as a whole.
            StoreLog.Damaged(logger, kind, operation, e);
            throw new StoreUnavailableException("The store holds data that can not be read.", e);
        }
        catch (Exception e) when (IsStoreFailure(e))
        {
            Failed(operation, isWrite, e);
            throw e as StoreUnavailableException ?? new StoreUnavailableException("The store is unavailable.", e);
        }
        finally
        {
            metrics.Measured(operation, outcome, time.GetElapsedTime(start));
        }
    }

    /// <summary>What the clients of Redis and SQLite throw when a server, a disk, or a connection fails; all else is a bug.</summary>
    public static bool IsStoreFailure(Exception e) =>
        e is RedisException or RedisCommandException or TimeoutException or SqliteException or IOException or UnauthorizedAccessException
            or ObjectDisposedException or StoreUnavailableException;

    private bool IsRecent(ref long failedAt) =>
        Volatile.Read(ref failedAt) is var at && at != Never && time.GetElapsedTime(at) < FailureCounts;

    private void Succeeded(bool isWrite)
    {
        _reachedOnce = true;
        ref var failedAt = ref isWrite ? ref _writeFailedAt : ref _readFailedAt;

        // The plain read first: the exchange would make every operation fight for the cache line.
        if (Volatile.Read(ref failedAt) != Never && Interlocked.Exchange(ref failedAt, Never) != Never)
        {
            StoreLog.Recovered(logger, kind, isWrite ? "writes" : "reads");
        }
    }

    private void Failed(string operation, bool isWrite, Exception e)
    {
        ref var failedAt = ref isWrite ? ref _writeFailedAt : ref _readFailedAt;
        if (Interlocked.Exchange(ref failedAt, time.GetTimestamp()) == Never)
        {
            StoreLog.Failed(logger, kind, operation, e);
        }
    }
}
