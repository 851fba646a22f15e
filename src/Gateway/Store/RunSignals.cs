namespace Gateway.Store;

/// <summary>What a replica learns when it prolongs a lease.</summary>
/// <param name="IsHeld">The lease was prolonged. When false all else says nothing: another replica has the run, or it is gone.</param>
/// <param name="IsCancelled">Somebody asked the run to end.</param>
/// <param name="FollowedAgo">How long ago somebody followed the run (<see cref="IRunStore.FollowedAsync"/>); since its start when nobody ever did.</param>
internal readonly record struct RunSignals(bool IsHeld, bool IsCancelled, TimeSpan FollowedAgo);
