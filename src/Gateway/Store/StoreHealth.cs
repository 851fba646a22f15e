namespace Gateway.Store;

/// <summary>What is known of the store without asking it.</summary>
/// <param name="Kind"><c>redis</c> or <c>sqlite</c>.</param>
/// <param name="ReachedOnce">It has answered at least once since the start.</param>
/// <param name="Available">It is not known to be down.</param>
/// <param name="Warning">What an operator should know (such as an evicting <c>maxmemory_policy</c>), or null.</param>
internal sealed record StoreHealth(string Kind, bool ReachedOnce, bool Available, string? Warning = null);
