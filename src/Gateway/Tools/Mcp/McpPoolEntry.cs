namespace Gateway.Tools.Mcp;

/// <summary>
/// A connection in the pool with its list of tools. It is made for the first who asks and awaited by all, under no request's cancellation: who
/// leaves does not take it from the others. Its users and its place in the pool are <see cref="McpClientPool"/>'s business, under its lock.
/// </summary>
internal sealed class McpPoolEntry : IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly TimeSpan _listAge;
    private readonly CancellationTokenSource _closing = new();
    private readonly CancellationToken _closed;
    private readonly Lazy<Task<McpConnectResult>> _connecting;
    private readonly Lock _lock = new();
    private Lazy<Task<McpListing>>? _listing;
    private long _listedAt;

    public McpPoolEntry(McpPoolKey key, TimeProvider time, TimeSpan listAge, Func<McpPoolEntry, CancellationToken, Task<McpConnectResult>> connect)
    {
        Key = key;
        _time = time;
        _listAge = listAge;
        Born = time.GetTimestamp();
        _closed = _closing.Token;
        _connecting = new(() => connect(this, _closed));
    }

    public McpPoolKey Key { get; }

    public long Born { get; }

    /// <summary>Requests that use it now.</summary>
    public int Users { get; set; }

    /// <summary>When the last of them left.</summary>
    public long UnusedSince { get; set; }

    /// <summary>Closes it when nobody comes; runs while it has no users.</summary>
    public ITimer? IdleTimer { get; set; }

    /// <summary>No new request finds it; it is closed when the last user leaves.</summary>
    public bool IsRetired { get; set; }

    /// <summary>It is not known to be of no use.</summary>
    public bool IsAlive => Connected is not { } connected || connected.Connection is { IsOpen: true };

    /// <summary>There is, or was, a connection.</summary>
    public bool HasConnection => Connected is { Connection: not null };

    private McpConnectResult? Connected => _connecting is { IsValueCreated: true, Value.IsCompletedSuccessfully: true } ? _connecting.Value.Result : null;

    /// <summary>The connection, made on the first call.</summary>
    public Task<McpConnectResult> ConnectAsync() => _connecting.Value;

    /// <summary>The tools: read now, being read for another request, or read not long ago.</summary>
    public async Task<McpListing> ListToolsAsync()
    {
        var (connection, failure) = await ConnectAsync();
        return connection is null ? McpListing.Failed(failure!) : await ListOf(connection).Value;
    }

    /// <summary>The list is out of date, and so is one that is being read.</summary>
    public void ForgetTools()
    {
        lock (_lock)
        {
            _listing = null;
        }
    }

    /// <summary>Closes the connection, or gives up making it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (IdleTimer is { } timer)
        {
            await timer.DisposeAsync();
        }

        await _closing.CancelAsync();
        if (_connecting.IsValueCreated && (await _connecting.Value).Connection is { } connection)
        {
            await connection.DisposeAsync();
        }

        _closing.Dispose();
    }

    private Lazy<Task<McpListing>> ListOf(McpConnection connection)
    {
        lock (_lock)
        {
            if (_listing is null || !IsFresh(_listing))
            {
                _listedAt = _time.GetTimestamp();
                _listing = new(() => connection.ListToolsAsync(CancellationToken.None));
            }

            return _listing;
        }
    }

    private bool IsFresh(Lazy<Task<McpListing>> listing) =>
        !listing.IsValueCreated || !listing.Value.IsCompleted
        || (listing.Value is { IsCompletedSuccessfully: true, Result.Failure: null } && _time.GetElapsedTime(_listedAt) < _listAge);
}
