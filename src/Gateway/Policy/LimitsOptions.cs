namespace Gateway.Policy;

/// <summary>Sizes and counts that hold for every tenant: <c>Gateway:Limits</c>.</summary>
internal sealed class LimitsOptions
{
    public const string Section = "Gateway:Limits";

    /// <summary>The longest request body, in bytes; longer ones are told 413 <c>request_too_large</c>. 1,024 to 1 GiB; default 32 MiB.</summary>
    public long RequestBodyBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>The deepest nesting of a request's JSON; deeper ones are told 400. 8 to 512; default 64.</summary>
    public int JsonDepth { get; set; } = 64;

    /// <summary>The most items in one request's <c>input</c>; more are told 400 <c>array_above_max_length</c>. 1 to 1,000,000; default 16,384.</summary>
    public int InputItems { get; set; } = 16_384;

    /// <summary>
    /// The most MCP servers (<c>mcp</c> and <c>sse</c>) in one request's <c>tools</c>, each of which is looked up, connected to and asked for its
    /// tools; more are told 400 <c>array_above_max_length</c>. 1 to 1,024; default 32.
    /// </summary>
    public int ToolServers { get; set; } = 32;

    /// <summary>
    /// The most bytes of items that one response is made from: those of the chain, the request's own, and what item references stand for, each
    /// time they name it. More are told 400 <c>context_length_exceeded</c>. 65,536 to 1 GiB; default 64 MiB.
    /// </summary>
    public int ContextBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// The most responses being made at once by this process, streamed or not, and passed-through answers with them; more are told 429 <c>rate_limit_exceeded</c>. 1 to 1,000,000;
    /// default 4,096.
    /// </summary>
    public int OpenStreams { get; set; } = 4_096;

    /// <summary>
    /// The longest time that one response may take to be made, all its rounds included; what takes longer ends as failed with
    /// <c>response_timeout</c> (504 while nothing was sent). It also ends what no silence ends: a model server that only sends signs of life, a
    /// client that reads nothing. 1 second to 7 days; default 1 hour.
    /// </summary>
    public TimeSpan ResponseTime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How long the client of a stream, or of a passed-through answer, may take nothing of what waits for it; then it is cut off, as if it had left, and its places come free.
    /// 1 second to 1 day; default 2 minutes.
    /// </summary>
    public TimeSpan ClientStall { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a stream may be silent before a comment is sent to keep it alive. 1 second to 1 hour; default 15 seconds.</summary>
    public TimeSpan KeepAliveInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>The longest event of an upstream's stream, in bytes; longer ones fail the response. 65,536 to 1 GiB; default 16 MiB.</summary>
    public int UpstreamEventBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>The longest answer of an upstream that does not stream, in bytes; longer ones fail the response. 65,536 to 1 GiB; default 64 MiB.</summary>
    public int UpstreamBodyBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// The most tool calls in one answer of an upstream, whoever runs them; more fail the response with <c>upstream_error</c>. 1 to 10,000;
    /// default 128.
    /// </summary>
    public int UpstreamCalls { get; set; } = 128;
}
