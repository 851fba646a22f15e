using Gateway.Protocol.Responses;
using Gateway.Responses;
using Gateway.Store;
using Gateway.Tools;

namespace Gateway.Runs;

/// <summary>
/// Takes what a run says and does into the store: the first output at once, then events in batches, a moment apart; journal entries at once, together with the events before
/// them. What the store can not take is sent again until the lease is lost. Followers read from the store, so nothing is told that could be lost.
/// </summary>
internal sealed class RunOutput : IResponseEventSink, ILoopOutput, IAsyncDisposable
{
    /// <summary>More than this waiting, and the model server is not read until the store took it.</summary>
    private const int MostWaitingBytes = 1024 * 1024;

    private readonly IRunStore _store;
    private readonly RunKey _run;
    private readonly long _token;
    private readonly RunControl _control;
    private readonly TimeSpan _interval;
    private readonly TimeSpan _keepAlive;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _sending = new(1);
    private readonly SemaphoreSlim _signal = new(0);
    private readonly TaskCompletionSource _firstOutput = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopPump = new();
    private readonly Lock _lock = new();
    private readonly Task _pump;
    private List<ReadOnlyMemory<byte>> _waiting = [];
    private int _waitingBytes;
    private long _firstEvent;
    private long _firstEntry;
    private long _lastEvent;
    private bool _hasOutput;

    public RunOutput(
        IRunStore store, RunKey run, long token, RunControl control, bool keepsEvents, long events, long entries, TimeSpan interval, TimeSpan keepAlive,
        TimeSpan patience, TimeProvider time)
    {
        _store = store;
        _run = run;
        _token = token;
        _control = control;
        WantsEvents = keepsEvents;
        _firstEvent = events;
        _firstEntry = entries;
        _interval = interval;
        _keepAlive = keepAlive;
        _patience = patience;
        _time = time;
        _lastEvent = time.GetTimestamp();
        _pump = keepsEvents ? PumpAsync() : Task.CompletedTask;
    }

    public bool WantsEvents { get; }

    public bool IsStream => WantsEvents;

    /// <summary>Is told what the store took; null when nobody on this replica can follow.</summary>
    public RunTail? Tail { get; init; }

    /// <summary>The events of the response, for signs of life; set once, before the loop runs.</summary>
    public ResponseEventStream? Events { get; set; }

    public void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> json)
    {
        lock (_lock)
        {
            _waiting.Add(json.ToArray());
            _waitingBytes += json.Length;
        }

        _hasOutput |= !IsLifecycle(type);
    }

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (!WantsEvents || Volatile.Read(ref _waitingBytes) == 0)
        {
            return;
        }

        _lastEvent = _time.GetTimestamp();
        if (_waitingBytes > MostWaitingBytes)
        {
            await SendAsync([], cancellationToken);
        }
        else if (_signal.CurrentCount == 0)
        {
            _signal.Release();
        }

        if (_hasOutput)
        {
            _firstOutput.TrySetResult();
        }
    }

    public ValueTask KeepAliveAsync(CancellationToken cancellationToken)
    {
        if (WantsEvents && _time.GetElapsedTime(_lastEvent) is var silence && silence >= _keepAlive)
        {
            // Those who follow are sent a sign of life as well, and with it the status: from now on a failure is an event.
            Events!.Start();
            if (silence >= SseOutput.RepeatAfter)
            {
                Events.RepeatInProgress();
            }
        }

        return FlushAsync(cancellationToken);
    }

    /// <summary>Puts an entry into the journal, behind every event written so far. When this returns it is kept.</summary>
    public ValueTask AppendAsync(ReadOnlyMemory<byte> entry, CancellationToken cancellationToken) => new(SendAsync([entry], cancellationToken));

    /// <summary>Puts everything written so far into the store.</summary>
    public async ValueTask DrainAsync(CancellationToken cancellationToken)
    {
        if (WantsEvents)
        {
            await SendAsync([], cancellationToken);
        }
    }

    /// <summary>The commit of the run: the events that are not in the store yet go with it. Nothing may be written afterwards.</summary>
    /// <param name="end">Writes the terminal event, when nothing goes into the store by itself any more: it must not be told before the commit.</param>
    /// <param name="eventRetention">How long the events are kept.</param>
    public async Task<RunFence> EndAsync(Action end, TimeSpan eventRetention)
    {
        await StopPumpAsync();
        await _sending.WaitAsync();
        end();
        lock (_lock)
        {
            return new RunFence(_token, _firstEvent, [.. _waiting], eventRetention);
        }
    }

    /// <summary>The same commit, with the terminal event that was written since instead of the one it had.</summary>
    public RunFence Replace(RunFence fence)
    {
        lock (_lock)
        {
            return WantsEvents ? fence with { Events = [.. fence.Events.SkipLast(1), _waiting[^1]] } : fence;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopPumpAsync();
        _sending.Dispose();
        _signal.Dispose();
        _stopPump.Dispose();
    }

    private async Task StopPumpAsync()
    {
        await _stopPump.CancelAsync();
        await _pump;
    }

    private async Task PumpAsync()
    {
        try
        {
            while (true)
            {
                await _signal.WaitAsync(_stopPump.Token);
                var hadOutput = _firstOutput.Task.IsCompleted;
                await SendAsync([], _stopPump.Token);
                await RestAsync(hadOutput);
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over here: by its end, or because the lease is lost.
        }
    }

    /// <summary>
    /// Waits until the next batch may go. The first output does not wait: a client looks at how long that takes. From then on the batches of all
    /// runs go at the same moments, so that one round trip and one wake of the process does for many.
    /// </summary>
    private async Task RestAsync(bool hadOutput)
    {
        var untilTick = _interval - TimeSpan.FromTicks(_time.GetElapsedTime(0).Ticks % _interval.Ticks);
        if (hadOutput)
        {
            await Task.Delay(untilTick, _time, _stopPump.Token);
            return;
        }

        await _firstOutput.Task.WaitAsync(untilTick, _time, _stopPump.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopPump.Token.ThrowIfCancellationRequested();
    }

    /// <summary>The event tells how the response stands, and nothing of its output.</summary>
    private static bool IsLifecycle(ReadOnlySpan<byte> type) =>
        type.SequenceEqual("response.created"u8) || type.SequenceEqual("response.queued"u8) || type.SequenceEqual("response.in_progress"u8);

    /// <exception cref="OperationCanceledException">The lease was lost.</exception>
    private async Task SendAsync(IReadOnlyList<ReadOnlyMemory<byte>> entries, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken);
        try
        {
            List<ReadOnlyMemory<byte>> events;
            lock (_lock)
            {
                events = _waiting;
                _waiting = [];
                _waitingBytes = 0;
            }

            if (events.Count > 0 || entries.Count > 0)
            {
                await SendAgainAndAgainAsync(new RunAppend(_firstEvent, events, _firstEntry, entries));
                Tail?.Add(_firstEvent, events);
                _firstEvent += events.Count;
                _firstEntry += entries.Count;
            }
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Only the end of the lease ends this: what was taken out of the list must not be lost.</summary>
    private async Task SendAgainAndAgainAsync(RunAppend append)
    {
        if (!await RunRetry.WriteAsync(() => _store.AppendAsync(_run, _token, append, _control.LeaseLost), _control, _patience, _time))
        {
            _control.Lose();
            _control.LeaseLost.ThrowIfCancellationRequested();
        }
    }
}
