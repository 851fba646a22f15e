namespace Gateway.Runs;

/// <summary>A time within which each of many waits must come to its end. One timer serves them all. Not for several threads.</summary>
internal sealed class Patience : IDisposable
{
    private readonly TimeSpan _most;
    private readonly CancellationToken _aborted;
    private readonly CancellationTokenSource _over;
    private readonly CancellationTokenRegistration _registration;

    /// <param name="most">How long one wait may take.</param>
    /// <param name="time">The clock.</param>
    /// <param name="aborted">Ends every wait.</param>
    public Patience(TimeSpan most, TimeProvider time, CancellationToken aborted)
    {
        _most = most;
        _aborted = aborted;
        _over = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _registration = aborted.UnsafeRegister(static over => ((CancellationTokenSource)over!).Cancel(), _over);
    }

    /// <summary>Cancelled when a wait took too long, or was aborted.</summary>
    public CancellationToken Token => _over.Token;

    /// <summary>A wait took too long. Nothing is waited for any more.</summary>
    public bool IsOver => _over.IsCancellationRequested && !_aborted.IsCancellationRequested;

    /// <summary>A wait begins.</summary>
    public void Begin() => _over.CancelAfter(_most);

    /// <summary>It has come to its end.</summary>
    public void End() => _over.CancelAfter(Timeout.InfiniteTimeSpan);

    public void Dispose()
    {
        _registration.Dispose();
        _over.Dispose();
    }
}
