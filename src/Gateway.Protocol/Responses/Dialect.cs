namespace Gateway.Protocol.Responses;

/// <summary>What differs between the API's dialects: usage, the prefix of the output, the id rule, the error body and the limit rule.</summary>
public abstract class Dialect
{
    /// <summary>The openai dialect, the default.</summary>
    public static Dialect OpenAi { get; } = new OpenAiDialect();

    /// <summary>The least <c>max_output_tokens</c> a client may ask for.</summary>
    public abstract int MinOutputTokens { get; }
}
