using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace Gateway.Store.Sqlite;

/// <summary>
/// The one writer. Writes that arrive while a group is being synced to disk form the next group: under load one sync serves many commits,
/// and a lone commit waits for nobody.
/// </summary>
internal sealed class SqliteWriter : IAsyncDisposable
{
    /// <summary>How many writes may wait; the next callers wait before they are let in.</summary>
    private const int MostWaiting = 1024;

    private const int LargestGroup = 256;
    private readonly string _file;
    private readonly Channel<SqliteWrite> _waiting = Channel.CreateBounded<SqliteWrite>(
        new BoundedChannelOptions(MostWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    private readonly Task _loop;
    private SqliteSession? _session;

    /// <summary>Opens the database and makes its tables when missing.</summary>
    public SqliteWriter(string file)
    {
        _file = file;
        _session = SqliteSession.OpenWriter(file);
        _loop = Task.Run(WriteGroupsAsync);
    }

    /// <summary>Returns when the write is on disk. A cancelled caller's write may still be done.</summary>
    /// <exception cref="ObjectDisposedException">The writer is closed.</exception>
    public Task<T> WriteAsync<T>(Func<SqliteSession, T> write, CancellationToken cancellationToken) =>
        SendAsync(new SqliteWrite<T>(write), cancellationToken);

    /// <summary>
    /// Moves the write-ahead log into the database and empties it, so that nothing erased is left in it. False when a reader was in the way.
    /// </summary>
    public Task<bool> CheckpointAsync(CancellationToken cancellationToken) =>
        SendAsync(new SqliteWrite<bool>(Checkpoint, alone: true), cancellationToken);

    /// <summary>Writes what is waiting, then closes.</summary>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _loop.ConfigureAwait(false);
        _session?.Dispose();
        _session = null;
    }

    private static bool Checkpoint(SqliteSession session)
    {
        using var row = session.Prepare("PRAGMA wal_checkpoint(TRUNCATE)").ExecuteReader();
        return row.Read() && row.GetInt64(0) == 0;
    }

    private async Task<T> SendAsync<T>(SqliteWrite<T> request, CancellationToken cancellationToken)
    {
        try
        {
            await _waiting.Writer.WriteAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(SqliteWriter));
        }

        return await request.Done.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task WriteGroupsAsync()
    {
        var group = new List<SqliteWrite>(LargestGroup);
        while (await _waiting.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            TakeGroup(group);
            if (WriteGroup(group) is not { } failure)
            {
                continue;
            }

            if (group.Count == 1)
            {
                group[0].Fail(failure);
                continue;
            }

            // One write at fault (too large, a bug) must not take its neighbours with it.
            foreach (var write in group)
            {
                if (WriteGroup([write]) is { } own)
                {
                    write.Fail(own);
                }
            }
        }
    }

    private void TakeGroup(List<SqliteWrite> group)
    {
        group.Clear();
        while (group.Count < LargestGroup && _waiting.Reader.TryPeek(out var next) && (group.Count == 0 || !next.Alone)
            && _waiting.Reader.TryRead(out var write))
        {
            group.Add(write);
            if (write.Alone)
            {
                return;
            }
        }
    }

    /// <summary>Null when the group is on disk and told so; else nothing of it is.</summary>
    private Exception? WriteGroup(List<SqliteWrite> group)
    {
        try
        {
            _session ??= SqliteSession.OpenWriter(_file);
            if (group is [{ Alone: true } alone])
            {
                alone.Execute(_session);
            }
            else
            {
                _session.Prepare("BEGIN IMMEDIATE").ExecuteNonQuery();
                foreach (var write in group)
                {
                    write.Execute(_session);
                }

                _session.Prepare("COMMIT").ExecuteNonQuery();
            }
        }
#pragma warning disable CA1031 // The exception is not lost: it is handed to the callers, who can name the blame; this loop must go on for others.
        catch (Exception e)
#pragma warning restore CA1031
        {
            // Closing rolls back, whatever state the transaction is in. The next group opens again: a disk may be free again by then.
            CloseAfterFailure();
            return e;
        }

        foreach (var write in group)
        {
            write.Succeed();
        }

        return null;
    }

    private void CloseAfterFailure()
    {
        var session = _session;
        _session = null;
        try
        {
            session?.Dispose();
        }
        catch (SqliteException)
        {
            // The failure that led here is the one to tell.
        }
    }
}
