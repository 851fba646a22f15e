namespace Gateway.Store;

/// <summary>What a commit needs to know of the run that made the turn. The run ends with it.</summary>
/// <param name="Token">The lease. When it is not the run's any more, nothing is written: <see cref="CommitOutcome.Fenced"/>.</param>
/// <param name="FirstEvent">The index of the first of the last events.</param>
/// <param name="Events">The last events, the terminal one at the end; empty when the run keeps none.</param>
/// <param name="EventRetention">How long the event log is kept from now on.</param>
internal sealed record RunFence(long Token, long FirstEvent, IReadOnlyList<ReadOnlyMemory<byte>> Events, TimeSpan EventRetention);
