using System.Diagnostics;

namespace Gateway.Load.Run;

/// <summary>The times of one burst of calls, in <see cref="Stopwatch"/> ticks. Each request writes to places of its own.</summary>
internal sealed class BurstSamples(int requests, Call call)
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly int _delaysEach = call.Stamped ? call.Deltas : 0;

    /// <summary>From sending to the last byte.</summary>
    public long[] Latencies { get; } = new long[requests];

    /// <summary>From sending to the first delta; empty for JSON answers.</summary>
    public long[] FirstDeltas { get; } = new long[call.Deltas > 0 ? requests : 0];

    /// <summary>From the mock's sending of a delta to its arrival; empty when deltas are not stamped.</summary>
    public long[] Delays { get; } = new long[call.Stamped ? requests * call.Deltas : 0];

    /// <summary>Deltas of all requests together.</summary>
    public int Deltas => requests * call.Deltas;

    public TimeSpan Elapsed { get; private set; }

    public Memory<long> DelaysOf(int request) => Delays.AsMemory(request * _delaysEach, _delaysEach);

    public void Complete()
    {
        Elapsed = Stopwatch.GetElapsedTime(_started);
        Array.Sort(Latencies);
        Array.Sort(FirstDeltas);
        Array.Sort(Delays);
    }
}
