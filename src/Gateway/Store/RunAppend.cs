namespace Gateway.Store;

/// <summary>What a run adds to its logs.</summary>
/// <param name="FirstEvent">The index of the first event: the length that the event log must have.</param>
/// <param name="Events">The events, one JSON object each.</param>
/// <param name="FirstEntry">The index of the first entry: the length that the journal must have.</param>
/// <param name="Entries">The journal entries. Opaque to the store.</param>
internal sealed record RunAppend(
    long FirstEvent, IReadOnlyList<ReadOnlyMemory<byte>> Events, long FirstEntry, IReadOnlyList<ReadOnlyMemory<byte>> Entries);
