using System.Text;
using Gateway.Runs;
using Gateway.Store;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Runs;

public sealed class RunOutputTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private readonly FakeTimeProvider _time = new();
    private readonly ScriptedRunStore _store = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Events_AreSentInBatches_AMomentApart()
    {
        using var control = new RunControl();
        await using var output = NewOutput(control, events: 2);

        Write(output, "a");
        await output.FlushAsync(Cancellation);
        await _store.TriedAsync(1);
        Write(output, "b");
        await output.FlushAsync(Cancellation);
        Write(output, "c");
        await output.FlushAsync(Cancellation);
        Assert.Single(_store.Appends);

        await AdvanceUntilAsync(_store.TriedAsync(2));

        Assert.Equal(["2:a 0:", "3:b,c 0:"], _store.Appends);
    }

    [Fact]
    public async Task FirstOutput_GoesAtOnce_AndWhatFollowsWaits()
    {
        using var control = new RunControl();
        await using var output = NewOutput(control);
        output.Write("response.created"u8, Bytes("created"));
        output.Write("response.in_progress"u8, Bytes("in progress"));
        await output.FlushAsync(Cancellation);
        await _store.TriedAsync(1);
        Write(output, "item");
        Write(output, "delta");

        // No time goes by.
        await output.FlushAsync(Cancellation);
        await _store.TriedAsync(2);
        Write(output, "more");
        await output.FlushAsync(Cancellation);

        Assert.Equal(["0:created,in progress 0:", "2:item,delta 0:"], _store.Appends);
        await AdvanceUntilAsync(_store.TriedAsync(3));
        Assert.Equal("4:more 0:", _store.Appends[^1]);
    }

    [Fact]
    public async Task TerminalEvent_IsWrittenOnlyWhenNothingIsSentAnyMore()
    {
        using var control = new RunControl();
        await using var output = NewOutput(control);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var sending = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.Before = async _ =>
        {
            sending.TrySetResult();
            await gate.Task;
        };
        Write(output, "a");
        await output.FlushAsync(Cancellation);
        await sending.Task.WaitAsync(Cancellation);

        // Told with what is being sent, it would be told before the commit, which may still fail.
        var isWritten = false;
        var ending = output.EndAsync(
            () =>
            {
                isWritten = true;
                Write(output, "end");
            },
            TimeSpan.FromHours(1));
        Assert.False(isWritten);
        gate.SetResult();

        Assert.Equal(["end"], (await ending).Events.Select(json => Encoding.UTF8.GetString(json.Span)));
        Assert.Equal(["0:a 0:"], _store.Appends);
    }

    [Fact]
    public async Task Entry_IsSentAtOnce_BehindTheEventsBeforeIt()
    {
        using var control = new RunControl();
        await using var output = NewOutput(control, events: 5, entries: 3);
        Write(output, "a");
        Write(output, "b");

        await output.AppendAsync(Bytes("entry"), Cancellation);
        await output.AppendAsync(Bytes("next"), Cancellation);
        Write(output, "c");
        await output.DrainAsync(Cancellation);

        Assert.Equal(["5:a,b 3:entry", "7: 4:next", "7:c 5:"], _store.Appends);
    }

    [Fact]
    public async Task Store_IsNotThere_TheSameIsSentAgainInOrder()
    {
        using var control = new RunControl();
        // Time goes by faster here than tries are made: the end of a lease is another test's.
        await using var output = NewOutput(control, lease: TimeSpan.FromDays(1));
        _store.Before = _ => throw new StoreUnavailableException("down");
        Write(output, "a");
        var appended = output.AppendAsync(Bytes("entry"), Cancellation).AsTask();
        await _store.TriedAsync(1);
        Write(output, "b");
        await output.FlushAsync(Cancellation);

        await AdvanceUntilAsync(_store.TriedAsync(4));
        Assert.False(appended.IsCompleted);
        _store.Before = _ => ValueTask.CompletedTask;
        await AdvanceUntilAsync(appended);
        await output.DrainAsync(Cancellation);

        Assert.Equal(["0:a 0:entry", "1:b 1:"], _store.Appends);
    }

    [Fact]
    public async Task Lease_IsLost_NothingMoreIsWritten()
    {
        using var control = new RunControl();
        await using var output = NewOutput(control);
        _store.IsLost = true;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await output.AppendAsync(Bytes("entry"), Cancellation));

        Assert.True(control.LeaseLost.IsCancellationRequested);
        Assert.True(control.Ended.IsCancellationRequested);
        Assert.False(control.IsCancelled);
        Write(output, "a");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await output.DrainAsync(Cancellation));
        Assert.Equal(1, _store.Tries);
    }

    [Fact]
    public async Task Lease_IsLost_WhileTheStoreIsNotThere_EndsTheWait()
    {
        using var control = new RunControl();
        await using var output = NewOutput(control);
        _store.Before = _ => throw new StoreUnavailableException("down");
        var appended = output.AppendAsync(Bytes("entry"), Cancellation).AsTask();
        await _store.TriedAsync(1);

        control.Lose();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => appended);
    }

    [Fact]
    public async Task Store_NeverTakesTheWrite_TheRunIsGivenUpAfterALease()
    {
        using var control = new RunControl();
        await using var output = NewOutput(control);
        _store.Before = _ => throw new StoreUnavailableException("what is there can not be read");
        var started = _time.GetTimestamp();
        var appended = output.AppendAsync(Bytes("entry"), Cancellation).AsTask();

        await AdvanceUntilAsync(appended.ContinueWith(static _ => { }, Cancellation, TaskContinuationOptions.None, TaskScheduler.Default));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => appended);
        Assert.True(control.LeaseLost.IsCancellationRequested);
        Assert.True(_time.GetElapsedTime(started) >= Lease);
    }

    [Fact]
    public async Task TooMuchWaits_FlushWaitsForTheStore()
    {
        using var control = new RunControl();
        await using var output = NewOutput(control);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.Before = _ => new ValueTask(gate.Task);
        Write(output, new string('a', 1024 * 1024));
        Assert.True(output.FlushAsync(Cancellation).AsTask().IsCompletedSuccessfully);
        Write(output, new string('b', (1024 * 1024) + 1));

        var flushed = output.FlushAsync(Cancellation).AsTask();

        Assert.False(flushed.IsCompleted);
        gate.SetResult();
        await flushed;
        Assert.Equal((1024 * 1024 * 2) + 1, _store.Appends.Sum(append => append.Count(c => c is 'a' or 'b')));
    }

    [Fact]
    public async Task End_TakesWhatWaits_AndTheTerminalEventCanBeReplaced()
    {
        using var control = new RunControl();
        await using var output = NewOutput(control, events: 3);
        Write(output, "a");
        await output.DrainAsync(Cancellation);
        Write(output, "b");

        var fence = await output.EndAsync(() => Write(output, "end"), TimeSpan.FromHours(1));

        Assert.Equal((7L, 4L, "b,end", TimeSpan.FromHours(1)), (fence.Token, fence.FirstEvent, Join(fence), fence.EventRetention));
        Write(output, "another");
        fence = output.Replace(fence);
        Assert.Equal("b,another", Join(fence));
        Write(output, "third");
        Assert.Equal("b,third", Join(output.Replace(fence)));
        Assert.Single(_store.Appends);
    }

    [Fact]
    public async Task NoEventsAreKept_EntriesAre()
    {
        using var control = new RunControl();
        await using var output = NewOutput(control, keepsEvents: false);
        Assert.False(output.WantsEvents);
        Assert.False(output.IsStream);

        await output.FlushAsync(Cancellation);
        await output.KeepAliveAsync(Cancellation);
        await output.AppendAsync(Bytes("entry"), Cancellation);
        var fence = await output.EndAsync(static () => { }, TimeSpan.FromHours(1));

        Assert.Equal(["0: 0:entry"], _store.Appends);
        Assert.Empty(output.Replace(fence).Events);
    }

    private static string Join(RunFence fence) => string.Join(',', fence.Events.Select(json => Encoding.UTF8.GetString(json.Span)));

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static void Write(RunOutput output, string json) => output.Write("type"u8, Bytes(json));

    private RunOutput NewOutput(RunControl control, bool keepsEvents = true, long events = 0, long entries = 0, TimeSpan? lease = null) => new(
        _store, new RunKey("t", ResponseId.NewChain()), 7, control, keepsEvents, events, entries, Interval, TimeSpan.FromSeconds(15), lease ?? Lease, _time);

    /// <summary>Lets time go by, a batch's interval at a time: who waits may begin to wait a moment later.</summary>
    private async Task AdvanceUntilAsync(Task task)
    {
        while (!task.IsCompleted)
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            _time.Advance(Interval);
            await Task.Yield();
        }

        await task;
    }
}
