namespace Gateway.Load.Run;

/// <summary>What was seen of one event stream.</summary>
internal struct StreamSeen
{
    public int Deltas;

    /// <summary>When the first delta was read, in <see cref="System.Diagnostics.Stopwatch"/> ticks.</summary>
    public long FirstDelta;

    /// <summary>The end mark came.</summary>
    public bool Ended;
}
