namespace Gateway.Store;

/// <summary>Whether a run was let into the queue.</summary>
/// <param name="Token">The token of the lease; 0 when none was asked for; null when it was refused.</param>
/// <param name="Refusal">Why it was refused.</param>
internal readonly record struct RunAdmission(long? Token, RunRefusal Refusal = RunRefusal.None);
