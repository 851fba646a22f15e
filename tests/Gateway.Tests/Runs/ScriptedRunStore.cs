using System.Text;
using Gateway.Store;

namespace Gateway.Tests.Runs;

/// <summary>Takes what a run appends, and does what the test says: fail, hold, or deny the lease. Nothing else of a store is there.</summary>
internal sealed class ScriptedRunStore : IRunStore
{
    private readonly Lock _lock = new();
    private readonly List<string> _appends = [];
    private TaskCompletionSource _next = NewSource();

    /// <summary>What the next append does before it is taken; by default nothing.</summary>
    public Func<CancellationToken, ValueTask> Before { get; set; } = _ => ValueTask.CompletedTask;

    /// <summary>Somebody else holds the lease.</summary>
    public bool IsLost { get; set; }

    /// <summary>What was taken: the first event's number, the events, the first entry's number, the entries.</summary>
    public IReadOnlyList<string> Appends
    {
        get
        {
            lock (_lock)
            {
                return [.. _appends];
            }
        }
    }

    /// <summary>How many appends were tried.</summary>
    public int Tries { get; private set; }

    /// <summary>Waits until so many appends were tried.</summary>
    public async Task TriedAsync(int count)
    {
        while (true)
        {
            Task next;
            lock (_lock)
            {
                if (Tries >= count)
                {
                    return;
                }

                next = _next.Task;
            }

            await next.WaitAsync(TimeSpan.FromSeconds(10));
        }
    }

    public async ValueTask<bool> AppendAsync(RunKey run, long token, RunAppend append, CancellationToken cancellationToken)
    {
        try
        {
            await Before(cancellationToken);
            lock (_lock)
            {
                if (!IsLost)
                {
                    _appends.Add($"{append.FirstEvent}:{Join(append.Events)} {append.FirstEntry}:{Join(append.Entries)}");
                }

                return !IsLost;
            }
        }
        finally
        {
            lock (_lock)
            {
                Tries++;
                _next.SetResult();
                _next = NewSource();
            }
        }
    }

    public ValueTask<RunAdmission> CreateAsync(RunStart start, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<bool> ForbidAsync(RunKey run, TimeSpan memory, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<TakenRun?> TakeAsync(RunKey run, string owner, TimeSpan lease, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<RunKey>> FindFreeAsync(int most, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<RunSignals> RenewAsync(RunKey run, long token, TimeSpan lease, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask ReleaseAsync(RunKey run, long token, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<bool> CancelAsync(RunKey run, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask FollowedAsync(RunKey run, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<LiveRun?> GetRunAsync(RunKey run, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<bool> IsLiveAsync(RunKey run, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<bool> DeleteRunAsync(RunKey run, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadEventsAsync(RunKey run, long from, int most, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<IAsyncDisposable> WatchAsync(RunKey run, Action wake, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<IAsyncDisposable> WatchFreeAsync(Action wake, CancellationToken cancellationToken) => throw new NotSupportedException();

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static string Join(IReadOnlyList<ReadOnlyMemory<byte>> elements) => string.Join(',', elements.Select(element => Encoding.UTF8.GetString(element.Span)));
}
