using System.Globalization;

namespace Gateway.Testing.Scripting;

/// <summary>The usage object of an answer.</summary>
/// <param name="Cached">Sent as <c>prompt_tokens_details.cached_tokens</c>; null to leave the details out.</param>
/// <param name="Reasoning">Sent as <c>completion_tokens_details.reasoning_tokens</c>; null to leave the details out.</param>
public sealed record ChatUsage(int Prompt, int Completion, int? Cached = null, int? Reasoning = null)
{
    public string ToJson()
    {
        var cached = Cached is null ? "" : string.Create(CultureInfo.InvariantCulture, $$""","prompt_tokens_details":{"cached_tokens":{{Cached}}}""");
        var reasoning = Reasoning is null ? "" : string.Create(CultureInfo.InvariantCulture, $$""","completion_tokens_details":{"reasoning_tokens":{{Reasoning}}}""");
        return string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"prompt_tokens":{{Prompt}},"completion_tokens":{{Completion}},"total_tokens":{{Prompt + Completion}}{{cached}}{{reasoning}}}""");
    }
}
