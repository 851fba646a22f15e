namespace Gateway.Policy;

/// <summary>Sizes and counts that hold for every tenant.</summary>
/// <remarks>Fixed: 32 KiB and 100 lines of request headers.</remarks>
internal sealed class LimitsOptions
{
    public const string Section = "Gateway:Limits";

    /// <summary>The longest request body; longer ones are told 413 <c>request_too_large</c>.</summary>
    /// <value>1,024 to 1 GiB</value>
    public long RequestBodyBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>The deepest nesting of a request's JSON; deeper ones are told 400.</summary>
    /// <value>8 to 512</value>
    public int JsonDepth { get; set; } = 64;

    /// <summary>The most items in one request's <c>input</c>; more are told 400 <c>array_above_max_length</c>.</summary>
    /// <value>1 to 1,000,000</value>
    public int InputItems { get; set; } = 16_384;

    /// <summary>
    /// The most MCP servers (<c>mcp</c> and <c>sse</c>) in one request's <c>tools</c>, each of which is looked up, connected to and asked for its
    /// tools; more are told 400 <c>array_above_max_length</c>.
    /// </summary>
    /// <value>1 to 1,024</value>
    public int ToolServers { get; set; } = 32;

    /// <summary>
    /// The most bytes of items that one response is made from: those of the chain, the request's own, and what item references stand for, each
    /// time they name it. More are told 400 <c>context_length_exceeded</c>. A page of a list of responses ends early when they have that many together.
    /// </summary>
    /// <value>65,536 to 1 GiB</value>
    public int ContextBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// The most responses being made at once by a process, streamed or not, and passed-through answers with them; more are told 429
    /// <c>rate_limit_exceeded</c>.
    /// </summary>
    /// <value>1 to 1,000,000</value>
    public int OpenStreams { get; set; } = 4_096;

    /// <summary>
    /// The longest time that one response may take to be made, all its rounds included; what takes longer ends as failed with
    /// <c>response_timeout</c> (504 while nothing was sent). It also ends what no silence ends: a model server that only sends signs of life, a
    /// client that reads nothing.
    /// </summary>
    /// <value>1 second to 7 days</value>
    public TimeSpan ResponseTime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How long the client of a stream, or of a passed-through answer, may take nothing of what waits for it; then it is cut off, as if it had left, and its places come free.
    /// </summary>
    /// <value>1 second to 1 day</value>
    public TimeSpan ClientStall { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a stream may be silent before a comment is sent to keep it alive.</summary>
    /// <value>1 second to 1 hour</value>
    public TimeSpan KeepAliveInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>The longest event of an upstream's stream; longer ones fail the response.</summary>
    /// <value>65,536 to 1 GiB</value>
    public int UpstreamEventBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>The longest answer of an upstream that does not stream; longer ones fail the response.</summary>
    /// <value>65,536 to 1 GiB</value>
    public int UpstreamBodyBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// The most tool calls in one answer of an upstream, whoever runs them; more fail the response with <c>upstream_error</c>.
    /// </summary>
    /// <value>1 to 10,000</value>
    public int UpstreamCalls { get; set; } = 128;
}
