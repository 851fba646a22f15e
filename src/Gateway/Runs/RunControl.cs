namespace Gateway.Runs;

/// <summary>The ways in which a run on this replica can be told to end. Each may be said again, also when the run is over.</summary>
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
        Set(_ended);
    }

    /// <summary>Gives the run to another replica; calls that run may finish within <paramref name="patience"/>.</summary>
    public void HandOver(TimeSpan patience)
    {
        Set(_handOver);
        Set(_ended, patience);
    }

    /// <summary>Ends the run without another word. Somebody else goes on with it.</summary>
    public void Lose()
    {
        Set(_lost);
        Set(_handOver);
        Set(_ended);
    }

    public void Dispose()
    {
        _ended.Dispose();
        _handOver.Dispose();
        _lost.Dispose();
    }

    private static void Set(CancellationTokenSource source, TimeSpan patience = default)
    {
        try
        {
            if (patience > TimeSpan.Zero)
            {
                source.CancelAfter(patience);
            }
            else
            {
                source.Cancel();
            }
        }
        catch (ObjectDisposedException)
        {
            // The run is over: whoever says so could not know.
        }
    }
}
