using System.Collections.Concurrent;
using Gateway.Store;

namespace Gateway.Runs;

/// <summary>The tails of the runs that this replica makes now.</summary>
internal sealed class RunTails
{
    private readonly ConcurrentDictionary<RunKey, RunTail> _tails = new();

    /// <summary>Begins the tail of a run.</summary>
    public RunTail Open(RunKey run, long events)
    {
        var tail = new RunTail(events);
        _tails[run] = tail;
        return tail;
    }

    /// <summary>Ends it.</summary>
    public void Close(RunKey run, RunTail tail)
    {
        _tails.TryRemove(new KeyValuePair<RunKey, RunTail>(run, tail));
        tail.Close();
    }

    /// <summary>The tail of a run that is made here, or null.</summary>
    public RunTail? Find(RunKey run) => _tails.GetValueOrDefault(run);
}
