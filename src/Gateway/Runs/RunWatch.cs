using Gateway.Store;

namespace Gateway.Runs;

/// <summary>Tells a follower that there may be something new: by the run's tail while it is made on this replica, else by the store.</summary>
internal sealed class RunWatch(IRunStore runs, RunTails tails, RunKey run, TimeProvider time) : IAsyncDisposable
{
    private readonly SemaphoreSlim _wake = new(0);
    private CancellationTokenSource _over = new(Timeout.InfiniteTimeSpan, time);
    private IAsyncDisposable? _inStore;
    private IDisposable? _here;

    /// <summary>The run's newest events; null while it is made elsewhere, or has ended.</summary>
    public RunTail? Tail { get; private set; }

    /// <summary>Finds out where the run is made now. Called before each look for events: what comes behind that look wakes.</summary>
    public async ValueTask RefreshAsync(CancellationToken cancellationToken)
    {
        if (Tail is { IsClosed: false })
        {
            return;
        }

        _here?.Dispose();
        Tail = tails.Find(run);
        _here = Tail?.Watch(Wake);
        if (Tail is null)
        {
            _inStore ??= await runs.WatchAsync(run, Wake, cancellationToken);
        }
    }

    /// <summary>Waits for a wake, or until the patience is over.</summary>
    public async Task WaitAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        // One timer for all waits of a stream, as long as it does not run out.
        if (!_over.TryReset())
        {
            _over.Dispose();
            _over = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        }

        var over = _over;
        over.CancelAfter(patience);
        using var registration = cancellationToken.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), over);
        await _wake.WaitAsync(over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }

    public async ValueTask DisposeAsync()
    {
        _here?.Dispose();
        if (_inStore is not null)
        {
            await _inStore.DisposeAsync();
        }

        _wake.Dispose();
        _over.Dispose();
    }

    private void Wake()
    {
        try
        {
            if (_wake.CurrentCount == 0)
            {
                _wake.Release();
            }
        }
        catch (ObjectDisposedException)
        {
            // Nobody waits any more.
        }
    }
}
