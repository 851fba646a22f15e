namespace Gateway.Tests.Store;

/// <summary>Counts wake-ups, and lets a test wait for the next one.</summary>
internal sealed class Woken
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _next = New();

    public int Times { get; private set; }

    public void Wake()
    {
        lock (_lock)
        {
            Times++;
            _next.TrySetResult();
        }
    }

    /// <summary>Does something, and waits until it has woken.</summary>
    public async Task ByAsync(Func<Task> act)
    {
        Task next;
        lock (_lock)
        {
            _next = New();
            next = _next.Task;
        }

        await act();
        await next.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
