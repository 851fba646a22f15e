namespace Gateway.Protocol.Responses;

/// <summary>The limits and switches that <see cref="RequestParser"/> holds a request to.</summary>
public sealed record RequestRules
{
    /// <summary>The rules of the openai dialect with the default limits.</summary>
    public static RequestRules Default { get; } = new();

    /// <summary>The least <c>max_output_tokens</c>, in tokens. Default 16; a dialect may take less.</summary>
    public int MinOutputTokens { get; init; } = 16;

    /// <summary>The most elements of <c>input</c>. More answer 400 <c>array_above_max_length</c>. Default 10,000.</summary>
    public int MaxItems { get; init; } = 10_000;

    /// <summary>The deepest nesting of the body, in levels, at most 1,000. Deeper answers 400. Default 64.</summary>
    public int MaxDepth { get; init; } = 64;

    /// <summary>The longest string <c>input</c>, in characters. Default 10,485,760.</summary>
    public int MaxInputChars { get; init; } = 10_485_760;

    /// <summary>The most tools, those inside namespaces counted one by one. Default 1,024.</summary>
    public int MaxTools { get; init; } = 1024;

    /// <summary>What the gateway may run itself. Null: tools that it would have to run are answered as unknown types. Default null.</summary>
    public ServerToolRules? ServerTools { get; init; }

    /// <summary>The most content parts of one message or tool output. Default 2,048.</summary>
    public int MaxContentParts { get; init; } = 2048;

    /// <summary>A request may name a conversation; else <c>conversation</c> answers 400 <c>unsupported_parameter</c>. Default true.</summary>
    public bool ServesConversations { get; init; } = true;

    /// <summary>Every member is optional, as where a prompt is only counted: neither <c>model</c> nor <c>input</c> is missed. Default false.</summary>
    public bool AllOptional { get; init; }

    /// <summary>
    /// Answer an unknown top-level member with 400 <c>unknown_parameter</c>. Default false: stock clients send members of their own.
    /// </summary>
    public bool StrictParameters { get; init; }
}
