namespace Gateway.Store.Sqlite;

/// <summary>
/// The embedded store's folder, held against a second process: the store counts on being the only writer. The system releases the lock when
/// the process dies.
/// </summary>
internal sealed class StoreFolder : IDisposable
{
    private readonly FileStream _lock;

    private StoreFolder(string database, FileStream fileLock)
    {
        Database = database;
        _lock = fileLock;
    }

    public string Database { get; }

    /// <exception cref="StoreUnavailableException">The folder can not be used, or another process uses it.</exception>
    public static StoreFolder Open(string path)
    {
        var folder = Path.GetFullPath(path);
        try
        {
            Make(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreUnavailableException($"{StoreOptions.Section}:Path is '{path}'. The folder can not be made: {e.Message}", e);
        }

        try
        {
            var fileLock = new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            return new StoreFolder(Path.Combine(folder, "gateway.db"), fileLock);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StoreUnavailableException($"{StoreOptions.Section}:Path is '{path}'. The folder can not be written: {e.Message}", e);
        }
        catch (IOException e)
        {
            throw new StoreUnavailableException(
                $"{StoreOptions.Section}:Path is '{path}'. Another gateway process uses this folder ({e.Message}). Give each process its own, "
                + $"or set {StoreOptions.Section}:Redis so that several share one store.",
                e);
        }
    }

    /// <summary>What is kept is what users wrote: a folder made here is for its owner alone.</summary>
    public static void Make(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    public void Dispose() => _lock.Dispose();
}
