using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;

namespace Gateway.Tools.Mcp;

/// <summary>
/// Keeps connections to MCP servers, with their lists of tools, for the next request of the same tenant with the same headers. Connecting costs
/// several round trips, more than most calls.
/// </summary>
internal sealed class McpClientPool : IMcpClientPool, IAsyncDisposable
{
    private static readonly McpFailure Stopping = new(McpFailureKind.Unreachable, null, "The gateway is stopping.");

    private readonly McpConnector _connector;
    private readonly McpOptions _options;
    private readonly TimeProvider _time;
    private readonly McpMetrics _metrics;
    private readonly ILogger<McpClientPool> _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<McpPoolKey, McpPoolEntry> _entries = [];
    private readonly Dictionary<McpPoolKey, McpTransport> _spoken = [];
    private readonly HashSet<McpPoolEntry> _open = [];
    private readonly HashSet<Task> _closing = [];
    private bool _stopped;

    public McpClientPool(McpConnector connector, IOptions<ToolsOptions> options, TimeProvider time, McpMetrics metrics, ILogger<McpClientPool> logger)
    {
        _connector = connector;
        _options = options.Value.Mcp;
        _time = time;
        _metrics = metrics;
        _logger = logger;
    }

    public async Task<McpListing> ListToolsAsync(McpServer server, CancellationToken cancellationToken)
    {
        // Reading a list changes nothing: it is read again whatever became of the first attempt.
        var listing = await UseAsync(
            server, entry => entry.ListToolsAsync().WaitAsync(cancellationToken), McpListing.Failed,
            failure => failure.Kind == McpFailureKind.Unreachable || failure.MayEndSession);
        return Count("list", listing);
    }

    public async Task<McpCallOutcome> CallToolAsync(
        McpServer server, string tool, ReadOnlyMemory<byte> argumentsJson, string? session, CancellationToken cancellationToken)
    {
        var outcome = ParseArguments(argumentsJson) is { } arguments
            ? await UseAsync(server, CallAsync, McpCallOutcome.Failed, _ => false)
            : McpCallOutcome.Failed(new McpFailure(McpFailureKind.Protocol, null, "The arguments of the call are not a JSON object, or nest too deeply.") { IsNotRun = true });
        return Count("call", outcome);

        async Task<McpCallOutcome> CallAsync(McpPoolEntry entry)
        {
            var (connection, failure) = await entry.ConnectAsync().WaitAsync(cancellationToken);
            return connection is null
                ? McpCallOutcome.Failed(failure!)
                : await connection.CallToolAsync(tool, (JsonObject)arguments.DeepClone(), session, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task[] closing;
        lock (_lock)
        {
            _stopped = true;
            foreach (var entry in _open.ToList())
            {
                entry.Users = 0;
                Retire(entry);
            }

            closing = [.. _closing];
        }

        await Task.WhenAll(closing);
    }

    private static JsonObject? ParseArguments(ReadOnlyMemory<byte> json)
    {
        if (json.IsEmpty)
        {
            return [];
        }

        try
        {
            var arguments = JsonNode.Parse(json.Span) as JsonObject;
            // Finds escapes that are half a surrogate pair, which the parser lets pass.
            _ = arguments?.ToJsonString();
            return arguments;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Uses a connection; once more with a new one, if it was one of the pool's that turns out to be dead before anything was done.</summary>
    private async Task<T> UseAsync<T>(
        McpServer server, Func<McpPoolEntry, Task<T>> use, Func<McpFailure, T> failed, Func<McpFailure, bool> mayRepeat)
        where T : IMcpOutcome
    {
        var isRepeated = false;
        while (true)
        {
            if (Rent(server) is not { } rented)
            {
                return failed(Stopping);
            }

            var (entry, isReused) = rented;
            try
            {
                var result = await use(entry);
                if (result.Failure is not { } failure)
                {
                    return result;
                }

                if (failure.IsNotRun || failure.MayEndSession || failure.Kind is McpFailureKind.Unreachable or McpFailureKind.Timeout)
                {
                    RetireUnlessRetired(entry);
                }

                if (isRepeated || !isReused || !(failure.IsNotRun || mayRepeat(failure)))
                {
                    return result;
                }

                McpLog.SessionLost(_logger, server.Label);
                isRepeated = true;
            }
            finally
            {
                Return(entry);
            }
        }
    }

    private (McpPoolEntry Entry, bool IsReused)? Rent(McpServer server)
    {
        var key = McpPoolKey.Of(server);
        lock (_lock)
        {
            if (_stopped)
            {
                return null;
            }

            if (_entries.TryGetValue(key, out var entry))
            {
                if (entry.IsAlive && !IsTooOld(entry))
                {
                    entry.Users++;
                    entry.IdleTimer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                    _metrics.Rented(hit: true);
                    return (entry, entry.HasConnection);
                }

                Retire(entry);
            }

            _metrics.Rented(hit: false);
            entry = new McpPoolEntry(key, _time, _options.ListAge, (e, closing) => ConnectAsync(e, server, closing)) { Users = 1 };
            _open.Add(entry);
            if (_entries.Count < _options.MaxConnections || CloseLeastRecentlyUsed())
            {
                _entries.Add(key, entry);
            }
            else
            {
                entry.IsRetired = true;
            }

            return (entry, false);
        }
    }

    private void Return(McpPoolEntry entry)
    {
        lock (_lock)
        {
            if (--entry.Users > 0 || _stopped)
            {
                return;
            }

            entry.UnusedSince = _time.GetTimestamp();
            if (entry.IsRetired)
            {
                Close(entry);
            }
            else if (IsTooOld(entry) || !entry.IsAlive)
            {
                Retire(entry);
            }
            else if (entry.IdleTimer is { } timer)
            {
                timer.Change(_options.IdleTime, Timeout.InfiniteTimeSpan);
            }
            else
            {
                entry.IdleTimer = _time.CreateTimer(_ => RetireIdle(entry), null, _options.IdleTime, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private async Task<McpConnectResult> ConnectAsync(McpPoolEntry entry, McpServer server, CancellationToken closing)
    {
        McpTransport first;
        lock (_lock)
        {
            first = _spoken.GetValueOrDefault(entry.Key, server.Transport);
        }

        var result = await _connector.ConnectAsync(server, first, entry.ForgetTools, closing);
        if (result.Connection is { } connection)
        {
            _metrics.ConnectionOpened();
            Remember(entry.Key, connection.Transport);
        }
        else
        {
            // Before those who wait learn of it, so that the next attempt is a new one.
            RetireUnlessRetired(entry);
        }

        return result;
    }

    /// <summary>Notes what a server speaks if it is not what was asked for, so that the next connection need not find out again.</summary>
    private void Remember(McpPoolKey key, McpTransport spoken)
    {
        lock (_lock)
        {
            if (spoken == key.Transport)
            {
                _spoken.Remove(key);
                return;
            }

            if (_spoken.Count >= _options.MaxConnections)
            {
                // It is found out anew: cheaper than keeping count of what is least used.
                _spoken.Clear();
            }

            _spoken[key] = spoken;
        }
    }

    private void RetireIdle(McpPoolEntry entry)
    {
        lock (_lock)
        {
            // It may have been used again between the timer and the lock.
            if (entry.Users == 0 && !entry.IsRetired && _time.GetElapsedTime(entry.UnusedSince) >= _options.IdleTime)
            {
                Retire(entry);
            }
        }
    }

    private void RetireUnlessRetired(McpPoolEntry entry)
    {
        lock (_lock)
        {
            if (!entry.IsRetired)
            {
                Retire(entry);
            }
        }
    }

    /// <summary>Takes the place in the pool; the connection is closed now, or when the last user leaves.</summary>
    private void Retire(McpPoolEntry entry)
    {
        if (!entry.IsRetired)
        {
            entry.IsRetired = true;
            _entries.Remove(entry.Key);
        }

        if (entry.Users == 0)
        {
            Close(entry);
        }
    }

    private bool CloseLeastRecentlyUsed()
    {
        if (_entries.Values.Where(entry => entry.Users == 0).MinBy(entry => entry.UnusedSince) is not { } unused)
        {
            return false;
        }

        Retire(unused);
        return true;
    }

    private void Close(McpPoolEntry entry)
    {
        if (!_open.Remove(entry))
        {
            return;
        }

        // On its own: nobody who is done with a connection waits for the server's goodbye.
        var closing = Task.Run(() => CloseAsync(entry));
        _closing.Add(closing);
        _ = closing.ContinueWith(
            done =>
            {
                lock (_lock)
                {
                    _closing.Remove(done);
                }
            },
            CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private async Task CloseAsync(McpPoolEntry entry)
    {
        await entry.DisposeAsync();
        if (entry.HasConnection)
        {
            _metrics.ConnectionClosed();
        }
    }

    private bool IsTooOld(McpPoolEntry entry) => _time.GetElapsedTime(entry.Born) >= _options.ConnectionLife;

    private T Count<T>(string operation, T outcome)
        where T : IMcpOutcome
    {
        if (outcome.Failure is { } failure)
        {
            _metrics.Failed(operation, failure.Kind);
        }

        return outcome;
    }
}
