namespace Gateway.Protocol.ChatCompletions;

/// <summary>
/// What the gateway reads from one chunk of a Chat Completions stream, or from one whole completion: each member is the raw JSON of a
/// value in the chunk, empty when it is absent or null. Nothing is decoded yet.
/// </summary>
public ref struct ChatChunk
{
    /// <summary><c>delta.content</c> (or <c>message.content</c>, or the legacy <c>text</c>): a string or an array of parts.</summary>
    public ReadOnlySpan<byte> Content { get; set; }

    /// <summary>Reasoning text under any of its names: <c>reasoning</c>, <c>reasoning_content</c>, <c>reasoning_text</c>, <c>thinking</c>.</summary>
    public ReadOnlySpan<byte> Reasoning { get; set; }

    /// <summary><c>reasoning_details</c>, an array; read only when <see cref="Reasoning"/> is absent.</summary>
    public ReadOnlySpan<byte> ReasoningDetails { get; set; }

    public ReadOnlySpan<byte> Refusal { get; set; }

    /// <summary><c>tool_calls</c>: an array, or one object.</summary>
    public ReadOnlySpan<byte> ToolCalls { get; set; }

    /// <summary>The legacy <c>function_call</c> object.</summary>
    public ReadOnlySpan<byte> FunctionCall { get; set; }

    /// <summary><c>logprobs.content</c> of the choice: an array.</summary>
    public ReadOnlySpan<byte> Logprobs { get; set; }

    /// <summary><c>finish_reason</c>, a string.</summary>
    public ReadOnlySpan<byte> FinishReason { get; set; }

    public ReadOnlySpan<byte> Usage { get; set; }

    /// <summary>llama.cpp's <c>timings</c>, which hold the cached tokens.</summary>
    public ReadOnlySpan<byte> Timings { get; set; }

    /// <summary>The chunk is an error report; <see cref="Error"/> is the whole chunk.</summary>
    public ReadOnlySpan<byte> Error { get; set; }

    /// <summary>There was a <c>choices</c> array.</summary>
    public bool HasChoices { get; set; }

    /// <summary>The chunk says something that a client will see: text, reasoning, a refusal or a call.</summary>
    public readonly bool IsMeaningful =>
        !IsEmptyText(Content) || !IsEmptyText(Reasoning) || !ReasoningDetails.IsEmpty || !IsEmptyText(Refusal)
        || ToolCalls.Length > 2 || !FunctionCall.IsEmpty || !FinishReason.IsEmpty;

    private static bool IsEmptyText(ReadOnlySpan<byte> value) => value.Length <= 2;
}
