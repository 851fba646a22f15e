namespace Gateway.Store.Sqlite;

/// <summary>
/// Responses in one SQLite file (docs/design/store.md): for one gateway process, with nothing to install. A commit survives a power cut once
/// it is told.
/// </summary>
internal sealed class SqliteResponseStore : IResponseStore, ITenantEraser, IStoreStart, IAsyncDisposable
{
    private const int SweepBatch = 500;
    private readonly StoreOptions _options;
    private readonly StoreMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly StoreWatch _watch;
    private readonly CancellationTokenSource _stopping = new();
    private StoreFolder? _folder;
    private SqliteWriter? _writer;
    private SqliteReaders? _readers;
    private Task _sweeping = Task.CompletedTask;
    private volatile bool _erasedInLog;

    public SqliteResponseStore(StoreOptions options, StoreMetrics metrics, TimeProvider time, ILogger<SqliteResponseStore> logger)
    {
        _options = options;
        _metrics = metrics;
        _time = time;
        _logger = logger;
        _watch = new StoreWatch("sqlite", metrics, time, logger);
        Runs = new SqliteRunStore(this, time);
        Conversations = new SqliteConversationStore(this);
    }

    /// <summary>The runs in the same file.</summary>
    public SqliteRunStore Runs { get; }

    /// <summary>Conversations in the same file.</summary>
    public SqliteConversationStore Conversations { get; }

    public StoreHealth Health => new("sqlite", _watch.ReachedOnce, _writer is not null && !_watch.FailedJustNow);

    internal long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <exception cref="StoreUnavailableException">The folder or the database can not be used. The message says why.</exception>
    public async Task StartAsync()
    {
        _folder = StoreFolder.Open(_options.Path);
        try
        {
            _writer = new SqliteWriter(_folder.Database);
            _readers = new SqliteReaders(_folder.Database);

            // Whoever held them was the process before: the folder's lock says that it is gone.
            await _writer.WriteAsync(session => SqliteRuns.FreeAll(session, Now), CancellationToken.None).ConfigureAwait(false);
            await _writer.WriteAsync(SqliteConversations.ReleaseAll, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Microsoft.Data.Sqlite.SqliteException e)
        {
            throw new StoreUnavailableException(
                $"{StoreOptions.Section}:Path is '{_options.Path}'. Its database can not be opened: {e.Message}", e);
        }

        // What was deleted just before the last stop may still stand in the write-ahead log.
        _erasedInLog = true;
        _watch.Reached();
        _sweeping = SweepLoopAsync();
        StoreLog.SqliteOpened(_logger, Path.GetFullPath(_options.Path));
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        await _sweeping.ConfigureAwait(false);
        if (_writer is not null)
        {
            await _writer.DisposeAsync().ConfigureAwait(false);
        }

        _readers?.Dispose();
        _folder?.Dispose();
        _stopping.Dispose();
    }

    public ValueTask<Chain?> LoadChainAsync(string tenant, ResponseId parent, CancellationToken cancellationToken) =>
        ReadAsync("load_chain", session => Load(session, tenant, parent), cancellationToken);

    public async ValueTask<CommitOutcome> CommitAsync(TurnCommit commit, CancellationToken cancellationToken)
    {
        // Encoded now: when the caller's patience ends the write still waits for its turn, while the items' buffers serve other requests.
        var turn = TurnCodec.Encode(commit.Turn);
        var lastEvents = SqliteRunStore.Copies(commit.Run?.Events ?? []);
        var outcome = await WriteAsync("commit", session => SqliteWrites.Commit(session, commit, turn, lastEvents, Now), cancellationToken)
            .ConfigureAwait(false);
        if (commit.Run is not null && outcome is CommitOutcome.Appended or CommitOutcome.Branched or CommitOutcome.AlreadyCommitted)
        {
            Runs.Ended(new RunKey(commit.Tenant, commit.Id));
        }

        if (outcome == CommitOutcome.HistoryLost)
        {
            StoreLog.HistoryLost(_logger);
        }

        return outcome;
    }

    public ValueTask<StoredResponse?> GetAsync(string tenant, ResponseId id, CancellationToken cancellationToken) =>
        ReadAsync(
            "get",
            session => SqliteQueries.Record(session, tenant, id, Now) is { } record ? SqliteQueries.Response(session, tenant, record, Now) : null,
            cancellationToken);

    public async ValueTask<bool> DeleteAsync(string tenant, ResponseId id, CancellationToken cancellationToken)
    {
        var deleted = await WriteAsync("delete", session => SqliteWrites.Delete(session, tenant, id, Now), cancellationToken).ConfigureAwait(false);
        if (deleted)
        {
            Erased();
        }

        return deleted;
    }

    public ValueTask<StoredPage?> ListAsync(string tenant, ListQuery query, CancellationToken cancellationToken) =>
        ReadAsync("list", session => SqliteQueries.Page(session, tenant, query, Now), cancellationToken);

    public ValueTask<bool> ClaimAsync(string tenant, string name, string owner, TimeSpan retention, CancellationToken cancellationToken) =>
        WriteAsync(
            "claim",
            session => SqliteWrites.Claim(session, tenant, name, owner, Now + (long)ClaimLife.For(retention).TotalMilliseconds, Now),
            cancellationToken);

    public ValueTask<string?> FindOwnerAsync(string tenant, string name, CancellationToken cancellationToken) =>
        ReadAsync("find_owner", session => SqliteQueries.Owner(session, tenant, name, Now), cancellationToken);

    public async ValueTask ReleaseAsync(string tenant, string name, string owner, CancellationToken cancellationToken) =>
        await WriteAsync("release", session => SqliteWrites.Release(session, tenant, name, owner), cancellationToken).ConfigureAwait(false);

    public async ValueTask<TenantErasure> EraseTenantAsync(string tenant, CancellationToken cancellationToken)
    {
        var all = default(TenantErasure);
        TenantErasure erased;
        do
        {
            // In batches: commits get their turn in between.
            erased = await WriteAsync("erase_tenant", session => SqliteWrites.EraseTenant(session, tenant, SweepBatch), cancellationToken).ConfigureAwait(false);
            if (erased.Entries > 0)
            {
                Erased();
            }

            all += erased;
        }
        while (erased.Entries > 0);

        await WipeLogAsync(cancellationToken).ConfigureAwait(false);
        return all;
    }

    /// <summary>Text was removed that must not stay in the write-ahead log. Only ever set: somebody else may have removed some meanwhile.</summary>
    public void Erased() => _erasedInLog = true;

    /// <summary>Removes all that has expired, and wipes erased text from the write-ahead log.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        var writer = Opened(_writer);
        int rows;
        do
        {
            // In batches: commits get their turn in between.
            rows = await writer.WriteAsync(session => SqliteWrites.Sweep(session, Now, SweepBatch), cancellationToken).ConfigureAwait(false);
            if (rows > 0)
            {
                Erased();
            }

            StoreLog.SqliteSwept(_logger, rows);
        }
        while (rows > 0);

        await WipeLogAsync(cancellationToken).ConfigureAwait(false);
    }

    private static T Opened<T>(T? part)
        where T : class => part ?? throw new StoreUnavailableException("The embedded store is not open.");

    /// <summary>Takes erased text out of the write-ahead log. When a reader is in the way, or it fails, the next sweep does.</summary>
    private async Task WipeLogAsync(CancellationToken cancellationToken)
    {
        if (!_erasedInLog)
        {
            return;
        }

        _erasedInLog = false;
        var isWiped = false;
        try
        {
            isWiped = await Opened(_writer).CheckpointAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            if (!isWiped)
            {
                Erased();
            }
        }
    }

    public ValueTask<T> ReadAsync<T>(string operation, Func<SqliteSession, T> read, CancellationToken cancellationToken) =>
        _watch.ReadAsync(
            operation,
            ct =>
            {
                ct.ThrowIfCancellationRequested();
                return new ValueTask<T>(Opened(_readers).Read(read));
            },
            cancellationToken);

    public ValueTask<T> WriteAsync<T>(string operation, Func<SqliteSession, T> write, CancellationToken cancellationToken) =>
        _watch.WriteAsync(
            operation,
            async ct => await Opened(_writer).WriteAsync(write, ct).WaitAsync(_options.CommandTimeout, ct).ConfigureAwait(false),
            cancellationToken);

    private Chain? Load(SqliteSession session, string tenant, ResponseId parent)
    {
        var now = Now;
        if (SqliteQueries.Record(session, tenant, parent, now) is not { } record)
        {
            return null;
        }

        if (SqliteQueries.Turns(session, tenant, record.Path, now, out var isTail) is { } turns)
        {
            return new Chain(record, turns, isTail);
        }

        _metrics.ChainIncomplete();
        StoreLog.ChainIncomplete(_logger, record.Path.Sum(segment => segment.Count));
        return null;
    }

    private async Task SweepLoopAsync()
    {
        using var timer = new PeriodicTimer(_options.SweepInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                try
                {
                    await SweepAsync(_stopping.Token).ConfigureAwait(false);
                }
                catch (Exception e) when (e is Microsoft.Data.Sqlite.SqliteException or IOException)
                {
                    StoreLog.SqliteSweepFailed(_logger, _options.SweepInterval, e);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }
}
