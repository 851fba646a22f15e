using Gateway.Store;

namespace Gateway.Runs;

/// <summary>A run that this replica makes.</summary>
internal sealed class ActiveRun(RunKey key, long token, bool isBackground, TimeSpan? window)
{
    public RunKey Key => key;

    public long Token => token;

    public bool IsBackground => isBackground;

    /// <summary>How long it goes on with nobody following it; null for ever.</summary>
    public TimeSpan? Window => window;

    public RunControl Control { get; } = new();

    /// <summary>When the lease was last known to be held, as a timestamp: it runs from there.</summary>
    public long HeldAt { get; set; }

    /// <summary>Since when the store has answered, as a timestamp: before it nobody can have said that they follow. Null while it does not.</summary>
    public long? ReachedSince { get; set; }

    /// <summary>The last prolongation of the lease, which may be on its way.</summary>
    public Task Renewal { get; set; } = Task.CompletedTask;

    /// <summary>The newest events, for followers on this replica.</summary>
    public RunTail? Tail { get; set; }

    /// <summary>Ends with the run.</summary>
    public Task Ended { get; set; } = Task.CompletedTask;
}
