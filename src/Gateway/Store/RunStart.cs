namespace Gateway.Store;

/// <summary>A run to be put into the queue.</summary>
internal sealed record RunStart
{
    public required RunKey Run { get; init; }

    /// <summary>All that a replica needs to make the response. Opaque to the store; what is secret in it is sealed.</summary>
    public required ReadOnlyMemory<byte> Spec { get; init; }

    /// <summary>The first events; empty when the run keeps none.</summary>
    public required IReadOnlyList<ReadOnlyMemory<byte>> Events { get; init; }

    /// <summary>Who holds the first lease; null to leave the run to whoever is free.</summary>
    public string? Owner { get; init; }

    /// <summary>The length of that lease.</summary>
    public TimeSpan Lease { get; init; }

    /// <summary>
    /// The response is made in the conversation of its chain, which its self holds now: the hold is the run's from here on, and lasts until the run is
    /// ended or deleted. Default no.
    /// </summary>
    public bool HoldsConversation { get; init; }

    /// <summary>The most runs of all tenants that may be there, this one included.</summary>
    public required int MostRuns { get; init; }

    /// <summary>The most runs of the tenant that may be there, this one included. It holds for runs without a first lease only: the others do not wait.</summary>
    public int MostOfTenant { get; init; } = int.MaxValue;

    /// <summary>For how long it is remembered that the run was let in, and whether it was forbidden (<see cref="IRunStore.ForbidAsync"/>); null: neither.</summary>
    public TimeSpan? Memory { get; init; }

    /// <summary>How long all of it is kept after the last write, should nobody ever end it.</summary>
    public required TimeSpan Retention { get; init; }
}
