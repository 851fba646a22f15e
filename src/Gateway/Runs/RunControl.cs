namespace Gateway.Runs;

/// <summary>The ways in which a run on this replica can be told to end. Each may be said again.</summary>
internal sealed class RunControl : IDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly CancellationTokenSource _handOver = new();
    private readonly CancellationTokenSource _lost = new();
    private volatile bool _isCancelled;

    /// <summary>Cancelled when everything must end: the run is lost, cancelled, or out of time to be handed over.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>Cancelled when the run is to go to another replica: nothing new is begun.</summary>
    public CancellationToken HandingOver => _handOver.Token;

    /// <summary>Cancelled when this replica holds the lease no more: nothing may be written.</summary>
    public CancellationToken LeaseLost => _lost.Token;

    /// <summary>The run is to end as cancelled.</summary>
    public bool IsCancelled => _isCancelled;

    /// <summary>Ends the run as cancelled.</summary>
    public void Cancel()
    {
        _isCancelled = true;
        _ended.Cancel();
    }

    /// <summary>Gives the run to another replica; calls that run may finish within <paramref name="patience"/>.</summary>
    public void HandOver(TimeSpan patience)
    {
        _handOver.Cancel();
        _ended.CancelAfter(patience);
    }

    /// <summary>Ends the run without another word.</summary>
    public void Lose()
    {
        _lost.Cancel();
        _ended.Cancel();
    }

    public void Dispose()
    {
        _ended.Dispose();
        _handOver.Dispose();
        _lost.Dispose();
    }
}
