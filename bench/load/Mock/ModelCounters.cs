namespace Gateway.Load.Mock;

/// <summary>What a <see cref="ModelServer"/> was asked for.</summary>
/// <param name="Requests">Chat completions.</param>
/// <param name="Peak">The most of them at once, those that wait for a place included.</param>
/// <param name="PromptTokens">Of all prompts together.</param>
/// <param name="CachedTokens">Of those, what was in the prefix cache.</param>
internal sealed record ModelCounters(int Requests, int Peak, long PromptTokens, long CachedTokens);
