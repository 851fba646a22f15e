namespace Gateway.Store;

/// <summary>Those within this process that wait for something to happen.</summary>
internal sealed class Wakes<TKey>
    where TKey : notnull
{
    private readonly Lock _lock = new();
    private readonly Dictionary<TKey, Watch[]> _watches = [];

    /// <summary>Calls <paramref name="wake"/> on each <see cref="Wake"/> of the key until disposed.</summary>
    public IAsyncDisposable Add(TKey key, Action wake)
    {
        var watch = new Watch(this, key, wake);
        lock (_lock)
        {
            _watches[key] = [.. _watches.GetValueOrDefault(key) ?? [], watch];
        }

        return watch;
    }

    public void Wake(TKey key)
    {
        Watch[]? watches;
        lock (_lock)
        {
            watches = _watches.GetValueOrDefault(key);
        }

        foreach (var watch in watches ?? [])
        {
            watch.Wake();
        }
    }

    private void Remove(TKey key, Watch watch)
    {
        lock (_lock)
        {
            Watch[] left = [.. (_watches.GetValueOrDefault(key) ?? []).Where(other => other != watch)];
            if (left.Length == 0)
            {
                _watches.Remove(key);
            }
            else
            {
                _watches[key] = left;
            }
        }
    }

    private sealed class Watch(Wakes<TKey> wakes, TKey key, Action wake) : IAsyncDisposable
    {
        public Action Wake => wake;

        public ValueTask DisposeAsync()
        {
            wakes.Remove(key, this);
            return ValueTask.CompletedTask;
        }
    }
}
