using Gateway.Policy;
using Microsoft.Extensions.Options;

namespace Gateway.Hosting;

/// <summary>
/// The way out: from the stop signal on the replica is not ready and takes no new work, while requests that run may finish. The server keeps
/// listening meanwhile, since a load balancer goes on sending for a moment, and a refusal with Retry-After is better than a closed port.
/// </summary>
internal sealed class Drain : IHostedLifecycleService, IDisposable
{
    private readonly StopDeadline _deadline;
    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;
    private readonly ILogger<Drain> _logger;
    private readonly CancellationTokenRegistration _signal;
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _draining;
    private int _running;

    public Drain(IHostApplicationLifetime lifetime, IOptions<HostingOptions> options, StopDeadline deadline, TimeProvider time, ILogger<Drain> logger)
    {
        _deadline = deadline;
        _time = time;
        _timeout = options.Value.DrainTimeout;
        _logger = logger;
        _signal = lifetime.ApplicationStopping.Register(Begin);
    }

    /// <summary>The stop signal was received.</summary>
    public bool IsDraining => _draining;

    /// <summary>Requests that run now.</summary>
    public int Running => Volatile.Read(ref _running);

    public void RequestStarted() => Interlocked.Increment(ref _running);

    public void RequestEnded()
    {
        if (Interlocked.Decrement(ref _running) == 0 && _draining)
        {
            _idle.TrySetResult();
        }
    }

    /// <summary>Runs before the server stops listening.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        Begin();
        HostingLog.Draining(_logger, Running, _timeout);
        try
        {
            await _idle.Task.WaitAsync(_timeout, _time, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            HostingLog.DrainTimedOut(_logger, Running, _timeout);
            // What still runs ends now, in a way that its client understands; the server would only cut it off.
            _deadline.Pass();
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _signal.Dispose();

    private void Begin()
    {
        _draining = true;
        // The flag is written before the count is read, and RequestEnded does it the other way round: one of them sees the other.
        if (Interlocked.CompareExchange(ref _running, 0, 0) == 0)
        {
            _idle.TrySetResult();
        }
    }
}
