namespace Gateway.Store;

/// <summary>
/// What is kept of a response while it is being made by a durable run (docs/design/runs.md): its request, the log of its events, a journal
/// of what was done, and a lease. Any replica may take a run whose lease has run out; the token it gets by that is greater than any before,
/// and every write of the run names its token, so that a replica that lost the lease without knowing it changes nothing any more. Times are
/// the store's own: the clocks of replicas need not agree. The run ends with the commit of its turn (<see cref="TurnCommit.Run"/>), which
/// removes all of it but the event log.
/// All methods throw <see cref="StoreUnavailableException"/> like those of <see cref="IResponseStore"/>.
/// </summary>
internal interface IRunStore
{
    /// <summary>
    /// Puts a run into the queue, with its first events. May be called again with the same argument after a failure.
    /// </summary>
    ValueTask<RunAdmission> CreateAsync(RunStart start, CancellationToken cancellationToken);

    /// <summary>
    /// Sees to it that a run that was not let in so far never is, for runs with a <see cref="RunStart.Memory"/>. True when that is so; false when it
    /// was let in: it is there, has ended, or is gone again. May be called again.
    /// </summary>
    ValueTask<bool> ForbidAsync(RunKey run, TimeSpan memory, CancellationToken cancellationToken);

    /// <summary>Takes a run whose lease has run out or was given up. Null when there is no such run, or another replica holds it.</summary>
    ValueTask<TakenRun?> TakeAsync(RunKey run, string owner, TimeSpan lease, CancellationToken cancellationToken);

    /// <summary>
    /// Runs whose lease has run out or was given up: of each tenant an equal share of <paramref name="most"/>, at least one, the longest waiting
    /// first. Taking one may fail all the same.
    /// </summary>
    ValueTask<IReadOnlyList<RunKey>> FindFreeAsync(int most, CancellationToken cancellationToken);

    /// <summary>Prolongs the lease from now on, and tells what was asked of the run meanwhile.</summary>
    ValueTask<RunSignals> RenewAsync(RunKey run, long token, TimeSpan lease, CancellationToken cancellationToken);

    /// <summary>
    /// Appends events and journal entries in one step, and wakes those that follow. May be sent again after a failure: what stands at
    /// <see cref="RunAppend.FirstEvent"/> and <see cref="RunAppend.FirstEntry"/> already is not appended twice.
    /// </summary>
    /// <returns>False when the token is not the run's any more: nothing was written.</returns>
    ValueTask<bool> AppendAsync(RunKey run, long token, RunAppend append, CancellationToken cancellationToken);

    /// <summary>Gives the lease up, so that any replica may go on at once. Nothing happens when the token is not the run's any more.</summary>
    ValueTask ReleaseAsync(RunKey run, long token, CancellationToken cancellationToken);

    /// <summary>Asks the run to end. False when there is no such run.</summary>
    ValueTask<bool> CancelAsync(RunKey run, CancellationToken cancellationToken);

    /// <summary>Notes that somebody follows the run now (<see cref="RunSignals.FollowedAgo"/>).</summary>
    ValueTask FollowedAsync(RunKey run, CancellationToken cancellationToken);

    /// <summary>A run that has not ended. Null when there is none.</summary>
    ValueTask<LiveRun?> GetRunAsync(RunKey run, CancellationToken cancellationToken);

    /// <summary>There is a run that has not ended. Cheaper than <see cref="GetRunAsync"/>, which brings the request along.</summary>
    ValueTask<bool> IsLiveAsync(RunKey run, CancellationToken cancellationToken);

    /// <summary>Removes a run with its journal and events. False when there was none. Whoever makes it finds out at its next write.</summary>
    ValueTask<bool> DeleteRunAsync(RunKey run, CancellationToken cancellationToken);

    /// <summary>
    /// The events of a run, ended or not, from <paramref name="from"/> on: index = sequence number. Empty when there are no more so far.
    /// Null when there is no event log (any more).
    /// </summary>
    ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadEventsAsync(RunKey run, long from, int most, CancellationToken cancellationToken);

    /// <summary>
    /// Calls <paramref name="wake"/> after each append to the run and after its end, on whatever replica that happened, until disposed. A call may
    /// be lost: whoever waits must look by itself now and then.
    /// </summary>
    ValueTask<IAsyncDisposable> WatchAsync(RunKey run, Action wake, CancellationToken cancellationToken);

    /// <summary>As <see cref="WatchAsync"/>: after a run was released or put into the queue without a lease.</summary>
    ValueTask<IAsyncDisposable> WatchFreeAsync(Action wake, CancellationToken cancellationToken);
}
