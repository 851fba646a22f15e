namespace Gateway.Protocol.Responses;

/// <summary>What <c>include</c> asks for (Responses API reference, "include").</summary>
[Flags]
public enum Includes
{
    None = 0,
    Logprobs = 1,
    EncryptedReasoning = 2,
    InputImageUrls = 4,
    ComputerOutputImageUrls = 8,
    FileSearchResults = 16,
    WebSearchResults = 32,
    WebSearchSources = 64,
    CodeInterpreterOutputs = 128,
}

/// <summary>How <c>text.format</c> wants the answer.</summary>
public enum TextFormatKind { Text, JsonObject, JsonSchema }

/// <summary>The parsed <c>text.format</c>.</summary>
/// <param name="Kind">text, json_object or json_schema.</param>
/// <param name="Name">The schema's name, or null.</param>
/// <param name="Description">The schema's description, or null.</param>
/// <param name="Schema">The schema as JSON; empty unless <paramref name="Kind"/> is json_schema.</param>
/// <param name="Strict">As given, or null.</param>
public sealed record TextFormat(TextFormatKind Kind, string? Name, string? Description, ReadOnlyMemory<byte> Schema, bool? Strict)
{
    public static TextFormat Text { get; } = new(TextFormatKind.Text, null, null, default, null);
}

/// <summary>
/// A parsed and validated body of <c>POST /v1/responses</c>. Scalars are read into properties; objects that the response echoes are kept as
/// the raw JSON that came. Made only by <c>RequestParser</c>, which gives the catalogue's error for anything that breaks a rule.
/// </summary>
public sealed record ResponsesRequest
{
    /// <summary>The model as the client names it; null when it sent none (legal only when the chain has one).</summary>
    public string? Model { get; init; }

    /// <summary>The request's own input items; a string input is one user message. Items of the chain are not in it.</summary>
    public required IReadOnlyList<Item> Input { get; init; }

    /// <summary>The client sent <c>input</c> (an empty array counts).</summary>
    public bool HasInput { get; init; }

    public string? Instructions { get; init; }

    public string? PreviousResponseId { get; init; }

    /// <summary>The id of the conversation to take part in; null for none. Never together with <see cref="PreviousResponseId"/>.</summary>
    public string? ConversationId { get; init; }

    /// <summary>Default true.</summary>
    public bool Store { get; init; } = true;

    /// <summary>Default false.</summary>
    public bool Background { get; init; }

    /// <summary>Default false.</summary>
    public bool Stream { get; init; }

    /// <summary><c>stream_options.include_obfuscation</c>; default false.</summary>
    public bool IncludeObfuscation { get; init; }

    public Includes Include { get; init; }

    /// <summary>Raw JSON object; empty when absent.</summary>
    public ReadOnlyMemory<byte> Metadata { get; init; }

    public int? MaxOutputTokens { get; init; }

    public int? MaxToolCalls { get; init; }

    /// <summary>0 to 2; null when not sent, which is echoed as 1 and not forwarded. Likewise the next three.</summary>
    public double? Temperature { get; init; }

    /// <summary>0 to 1.</summary>
    public double? TopP { get; init; }

    /// <summary>-2 to 2.</summary>
    public double? PresencePenalty { get; init; }

    /// <summary>-2 to 2.</summary>
    public double? FrequencyPenalty { get; init; }

    /// <summary>0 to 20.</summary>
    public int? TopLogprobs { get; init; }

    /// <summary>Null when not sent, which is echoed as true.</summary>
    public bool? ParallelToolCalls { get; init; }

    /// <summary>The <c>text.format</c> object as it came; empty when absent.</summary>
    public ReadOnlyMemory<byte> TextFormatJson { get; init; }

    public TextFormat TextFormat { get; init; } = TextFormat.Text;

    /// <summary>low, medium or high; null when not sent.</summary>
    public string? Verbosity { get; init; }

    /// <summary>none, minimal, low, medium, high, xhigh or max; null when not sent.</summary>
    public string? ReasoningEffort { get; init; }

    /// <summary>auto, concise or detailed (also from the old <c>generate_summary</c>); null when not sent.</summary>
    public string? ReasoningSummary { get; init; }

    /// <summary>auto, current_turn or all_turns; null when not sent.</summary>
    public string? ReasoningContext { get; init; }

    /// <summary><c>reasoning.mode</c>, echoed; null when not sent.</summary>
    public string? ReasoningMode { get; init; }

    /// <summary><c>truncation: "auto"</c>.</summary>
    public bool TruncationAuto { get; init; }

    /// <summary>The tools array as it is echoed: raw tools without secrets, function tools completed with null members; empty when absent.</summary>
    public ReadOnlyMemory<byte> ToolsJson { get; init; }

    /// <summary>The tools the model may be offered.</summary>
    public IReadOnlyList<Tool> Tools { get; init; } = [];

    /// <summary>The MCP servers whose tools the model may be offered too.</summary>
    public IReadOnlyList<McpServerTool> Servers { get; init; } = [];

    /// <summary>The <c>tool_choice</c> as it came; empty when absent.</summary>
    public ReadOnlyMemory<byte> ToolChoiceJson { get; init; }

    public ToolChoice ToolChoice { get; init; } = ToolChoice.Auto;

    public string? ServiceTier { get; init; }

    public string? SafetyIdentifier { get; init; }

    public string? User { get; init; }

    public string? PromptCacheKey { get; init; }

    /// <summary>Raw JSON object; empty when absent.</summary>
    public ReadOnlyMemory<byte> PromptCacheOptions { get; init; }

    public string? PromptCacheRetention { get; init; }

    /// <summary>False asks for a warm-up: no model call, an empty completed response.</summary>
    public bool Generate { get; init; } = true;

    /// <summary>Members that the API does not define but servers know (<c>seed</c>, <c>stop</c>, <c>top_k</c>, …), as raw JSON.</summary>
    public IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>>> ExtraParameters { get; init; } = [];
}
