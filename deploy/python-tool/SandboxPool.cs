using Microsoft.Extensions.Options;

namespace PythonTool;

/// <summary>
/// The sandboxes there are: one for each session, kept between calls for a bounded time, and one for each call without a session. When there are
/// as many as may be, the session that was idle longest makes room.
/// </summary>
internal sealed class SandboxPool(
    IOptions<PythonToolOptions> options, ProcessStarter starter, TimeProvider time, ILogger<SandboxPool> logger) : IAsyncDisposable
{
    /// <summary>The calls that may wait for another call of their session.</summary>
    private const int MaxWaiting = 16;

    private readonly PythonToolOptions _options = options.Value;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Session> _sessions = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>The places taken, <see cref="_sessions"/> and those of single calls. A place is free again only when its sandbox is gone.</summary>
    private int _taken;

    /// <summary>Runs code in the session's sandbox, or in a fresh one when there is no session.</summary>
    public async Task<CallResult> RunAsync(string? key, string code, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        try
        {
            var (session, refusal) = await TakeAsync(key);
            if (session is null)
            {
                return CallResult.Refused(refusal!);
            }

            try
            {
                return await RunAsync(session, code, either.Token);
            }
            finally
            {
                await GiveBackAsync(session);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return CallResult.Killed("the server is stopping");
        }
    }

    /// <summary>Ends every sandbox, also those that run a call.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        List<Session> idle;
        lock (_lock)
        {
            idle = [.. _sessions.Values.Where(session => session.Users == 0)];
            idle.ForEach(session => _sessions.Remove(session.Key!));
        }

        await Task.WhenAll(idle.Select(EndAsync));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stopping.Dispose();
    }

    private async Task<CallResult> RunAsync(Session session, string code, CancellationToken cancellationToken)
    {
        await session.Turn.WaitAsync(cancellationToken);
        try
        {
            session.Sandbox ??= await Sandbox.StartAsync(starter, _options, time, cancellationToken);
            return await session.Sandbox.RunAsync(code, cancellationToken);
        }
        catch (StartupException e)
        {
            logger.SandboxFailed(e.Message);
            return CallResult.Refused("no sandbox could be started");
        }
        finally
        {
            if (session.Sandbox is { Ended: true } ended)
            {
                await ended.DisposeAsync();
                session.Sandbox = null;
            }

            session.Turn.Release();
        }
    }

    /// <summary>The place of this key, or a new one; or why there is none.</summary>
    private async Task<(Session? Session, string? Refusal)> TakeAsync(string? key)
    {
        Session session;
        Session? oldest = null;
        lock (_lock)
        {
            _stopping.Token.ThrowIfCancellationRequested();
            if (key is not null && _sessions.TryGetValue(key, out var existing))
            {
                if (existing.Users > MaxWaiting)
                {
                    return (null, "too many calls wait for this session");
                }

                existing.Users++;
                return (existing, null);
            }

            if (_taken >= _options.Sandboxes)
            {
                oldest = _sessions.Values.Where(other => other.Users == 0).MinBy(other => other.IdleSince);
                if (oldest is null)
                {
                    return (null, "every sandbox is busy; try again later");
                }

                _sessions.Remove(oldest.Key!);
            }

            session = new Session(key) { Users = 1 };
            if (key is not null)
            {
                _sessions.Add(key, session);
            }

            _taken++;
        }

        if (oldest is not null)
        {
            await EndAsync(oldest);
        }

        return (session, null);
    }

    private async Task GiveBackAsync(Session session)
    {
        lock (_lock)
        {
            if (--session.Users > 0)
            {
                return;
            }

            if (session is { Key: not null, Sandbox: not null } && !_stopping.IsCancellationRequested)
            {
                session.IdleSince = time.GetTimestamp();
                session.Timer ??= time.CreateTimer(_ => EndIfIdle(session), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                session.Timer.Change(_options.SessionIdle, Timeout.InfiniteTimeSpan);
                return;
            }

            if (session.Key is not null)
            {
                _sessions.Remove(session.Key);
            }
        }

        await EndAsync(session);
    }

    private void EndIfIdle(Session session)
    {
        lock (_lock)
        {
            // Since the timer fired a call may have come, and may be over again, or the session may have made room for another one.
            if (session.Users > 0 || time.GetElapsedTime(session.IdleSince) < _options.SessionIdle
                || _sessions.GetValueOrDefault(session.Key!) != session)
            {
                return;
            }

            _sessions.Remove(session.Key!);
        }

        _ = EndAsync(session);
    }

    /// <summary>Ends a session that is out of reach for new calls, and frees its place.</summary>
    private async Task EndAsync(Session session)
    {
        if (session.Sandbox is { } sandbox)
        {
            await sandbox.DisposeAsync();
        }

        session.Dispose();
        lock (_lock)
        {
            _taken--;
        }
    }
}
