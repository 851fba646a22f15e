namespace Gateway.Upstream;

/// <summary>Why a call has no place.</summary>
internal enum NoPlace
{
    /// <summary>It has one.</summary>
    None,

    /// <summary>No destination is there or answers its probes.</summary>
    Unavailable,

    /// <summary>Every destination that is there has failed this call already.</summary>
    AllTried,

    /// <summary>Every destination that is left works on as many calls as it may.</summary>
    Full,

    /// <summary>They are full, and as many calls wait as may.</summary>
    QueueFull,

    /// <summary>No place came free in time.</summary>
    QueueTimeout,
}

/// <summary>A place of a call at a destination, taken until the picker gets it back; or why there is none.</summary>
internal readonly record struct Place(Candidate? Candidate, DestinationStats? Stats, NoPlace Missing)
{
    public Place(NoPlace missing)
        : this(null, null, missing)
    {
    }

    public bool IsTaken => Stats is not null;
}
