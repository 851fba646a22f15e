using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>
/// A writer's hold on a conversation, renewed every third of its length until it is given up. A writer that loses it is told by
/// <see cref="Lost"/>, and its commit is refused. The hold of a durable run is not given up here: it ends with the run.
/// </summary>
internal sealed class ConversationLease : IAsyncDisposable
{
    private readonly IConversationStore _store;
    private readonly string _tenant;
    private readonly TimeSpan _length;
    private readonly CancellationTokenSource _ended = new();
    private readonly CancellationTokenSource _lost = new();
    private readonly Task _renewing;
    private bool _isOver;
    private bool _wasRenewed;
    private int _disposed;

    /// <param name="store">Where it is held.</param>
    /// <param name="tenant">Whose conversation it is.</param>
    /// <param name="hold">The hold, which was taken just now.</param>
    /// <param name="length">How long it lasts without a renewal.</param>
    /// <param name="time">The clock.</param>
    public ConversationLease(IConversationStore store, string tenant, ConversationLock hold, TimeSpan length, TimeProvider time)
    {
        _store = store;
        _tenant = tenant;
        _length = length;
        Hold = hold;
        _renewing = RenewAsync(time);
    }

    public ConversationLock Hold { get; private set; }

    /// <summary>Somebody else has the conversation now, or it is gone: nothing can be added to it any more.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>It was lost because the conversation is gone.</summary>
    public bool IsGone { get; private set; }

    /// <summary>The hold is a run's from now on, whoever makes that.</summary>
    public void HandToRun() => Hold = Hold with { IsRuns = true };

    /// <summary>The hold is over already: a commit has given it up, or it never came about.</summary>
    public void MarkOver() => _isOver = true;

    /// <summary>Gives the hold up, so that others need not wait for its end. A second call does nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
        {
            return;
        }

        await _ended.CancelAsync();
        await _renewing;

        // A renewal that came behind the commit has taken the hold again.
        if (!Hold.IsRuns && (!_isOver || _wasRenewed))
        {
            try
            {
                await _store.ReleaseAsync(_tenant, Hold, CancellationToken.None);
            }
            catch (StoreUnavailableException)
            {
                // It runs out by itself.
            }
        }

        _ended.Dispose();
        _lost.Dispose();
    }

    private async Task RenewAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(_length / 3, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_ended.Token))
            {
                _wasRenewed = true;
                try
                {
                    if (await _store.RenewAsync(_tenant, Hold, _length, _ended.Token) is var access and not ConversationAccess.Done)
                    {
                        IsGone = access == ConversationAccess.NotFound;
                        await _lost.CancelAsync();
                        return;
                    }
                }
                catch (StoreUnavailableException)
                {
                    // The next try may be in time; if not, the commit finds out whether somebody else came in between.
                }
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            // It was given up.
        }
    }
}
