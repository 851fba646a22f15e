namespace Gateway.Testing.Scripting;

/// <summary>One thing that a scripted answer does. Steps run in order.</summary>
public abstract record ChatStep;

/// <summary>Sends these bytes in one write and flushes. Empty bytes send only the response's head.</summary>
public sealed record SendStep(ReadOnlyMemory<byte> Bytes) : ChatStep;

/// <summary>Does nothing until it is released, or until the client leaves.</summary>
public sealed record HoldStep : ChatStep
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Done when the answer has come this far.</summary>
    public Task Reached => _reached.Task;

    internal Task Released => _released.Task;

    /// <summary>Lets the answer go on.</summary>
    public void Release() => _released.TrySetResult();

    internal void SetReached() => _reached.TrySetResult();
}

/// <summary>Breaks the connection with a TCP reset.</summary>
public sealed record ResetStep : ChatStep;

/// <summary>Waits, for load runs with paced tokens. Not for tests, which wait for signals.</summary>
public sealed record PaceStep(TimeSpan Interval) : ChatStep;
