namespace Gateway.Upstream;

/// <summary>Work on all upstreams that is done again and again, and at once when their configuration changes.</summary>
internal abstract class UpstreamRounds : BackgroundService
{
    private TaskCompletionSource _wake = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="registry">Tells of changes.</param>
    /// <param name="time">The clock.</param>
    protected UpstreamRounds(UpstreamRegistry registry, TimeProvider time)
    {
        Registry = registry;
        Time = time;
        registry.Changed += Wake;
    }

    protected UpstreamRegistry Registry { get; }

    protected TimeProvider Time { get; }

    public override void Dispose()
    {
        Registry.Changed -= Wake;
        base.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Does the work once. Throws only when it is cancelled: anything else would end the process.</summary>
    /// <returns>The time until it is to be done again.</returns>
    protected abstract Task<TimeSpan> RunRoundAsync(CancellationToken cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            // Taken before the round, so that a change during it starts another one.
            var wake = _wake = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            TimeSpan wait;
            try
            {
                wait = await RunRoundAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }

            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            await Task.WhenAny(wake.Task, Task.Delay(wait, Time, waiting.Token));
            await waiting.CancelAsync();
        }
    }

    private void Wake() => _wake.TrySetResult();
}
