namespace Gateway.Protocol.Responses;

/// <summary>Tokens used by a response (Responses API reference, "usage"), summed over the rounds of the tool loop.</summary>
/// <param name="InputTokens">Prompt tokens, cached ones included.</param>
/// <param name="CachedTokens">Prompt tokens that came from the server's prefix cache.</param>
/// <param name="CacheWriteTokens">Prompt tokens written to a cache that bills for it.</param>
/// <param name="OutputTokens">Completion tokens, reasoning included.</param>
/// <param name="ReasoningTokens">Completion tokens spent on reasoning.</param>
/// <param name="TotalTokens">The server's total, or the sum.</param>
public readonly record struct Usage(
    long InputTokens, long CachedTokens, long CacheWriteTokens, long OutputTokens, long ReasoningTokens, long TotalTokens)
{
    public static Usage operator +(Usage a, Usage b) => new(
        a.InputTokens + b.InputTokens,
        a.CachedTokens + b.CachedTokens,
        a.CacheWriteTokens + b.CacheWriteTokens,
        a.OutputTokens + b.OutputTokens,
        a.ReasoningTokens + b.ReasoningTokens,
        a.TotalTokens + b.TotalTokens);

    public static Usage Add(Usage left, Usage right) => left + right;
}
