namespace Gateway.Tools;

/// <summary>How long a prompt is.</summary>
/// <param name="Tokens">Its tokens.</param>
/// <param name="IsEstimate">Nothing counted them: they were reckoned from bytes.</param>
internal readonly record struct PromptCount(long Tokens, bool IsEstimate);
