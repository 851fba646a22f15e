using System.Collections.Concurrent;

namespace Gateway.Store.Sqlite;

/// <summary>Sessions for reading. Each read sees one moment: what is written meanwhile does not disturb it, and it disturbs no writer.</summary>
internal sealed class SqliteReaders(string file) : IDisposable
{
    /// <summary>How many idle sessions are kept; each holds file handles and a page cache of up to 2 MB.</summary>
    private const int MostIdle = 8;

    private readonly ConcurrentQueue<SqliteSession> _idle = new();
    private volatile bool _disposed;

    public T Read<T>(Func<SqliteSession, T> read)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_idle.TryDequeue(out var session))
        {
            session = SqliteSession.OpenReader(file);
        }

        try
        {
            session.Prepare("BEGIN").ExecuteNonQuery();
            var result = read(session);
            session.Prepare("COMMIT").ExecuteNonQuery();
            Return(session);
            return result;
        }
        catch
        {
            // Closing also ends the transaction, whatever state it is in.
            session.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _disposed = true;
        while (_idle.TryDequeue(out var session))
        {
            session.Dispose();
        }
    }

    private void Return(SqliteSession session)
    {
        if (_disposed || _idle.Count >= MostIdle)
        {
            session.Dispose();
        }
        else
        {
            _idle.Enqueue(session);
        }
    }
}
