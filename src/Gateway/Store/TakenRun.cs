namespace Gateway.Store;

/// <summary>A run that this replica holds the lease of.</summary>
/// <param name="Token">Names the lease in every write.</param>
/// <param name="Spec">What <see cref="RunStart.Spec"/> said.</param>
/// <param name="Journal">All journal entries, oldest first.</param>
/// <param name="IsCancelled">Somebody asked the run to end.</param>
internal sealed record TakenRun(long Token, ReadOnlyMemory<byte> Spec, IReadOnlyList<ReadOnlyMemory<byte>> Journal, bool IsCancelled)
{
    /// <summary>The length of the event log: the sequence number of the next event.</summary>
    public long EventCount { get; init; }
}
