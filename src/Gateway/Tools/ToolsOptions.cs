using Gateway.Tools.Mcp;

namespace Gateway.Tools;

/// <summary>Tools that the gateway runs (see <see href="tools.md">tools</see>).</summary>
internal sealed class ToolsOptions
{
    public const string Section = "Gateway:Tools";

    /// <summary>
    /// The most rounds of one response that end in server-run calls; the one after the last gets no server-run tools, so that the model answers.
    /// </summary>
    /// <value>1 to 1,000</value>
    public int MaxRounds { get; set; } = 32;

    /// <summary>The most server-run calls of one round that run at once.</summary>
    /// <value>1 to 100</value>
    public int ParallelCalls { get; set; } = 5;

    /// <summary>
    /// The most times one response may call one tool with the same arguments; further such calls fail, and a round of nothing else is the last
    /// with server-run tools.
    /// </summary>
    /// <value>1 to 1,000</value>
    public int RepeatedCalls { get; set; } = 3;

    /// <summary>
    /// The longest output of one call; what is longer is cut, with a note to the model. It holds for the <c>results</c> of a file search too, of
    /// which the first whole ones are shown.
    /// </summary>
    /// <value>1,024 to 64 MiB</value>
    public int OutputBytes { get; set; } = 256 * 1024;

    /// <summary>
    /// What a response does when a server does not list its tools. <see cref="ListFailure.Fail"/>: it ends (424 <c>http_error</c>, or a failed
    /// stream). <see cref="ListFailure.Continue"/>: it goes on without that server.
    /// </summary>
    public ListFailure OnListFailure { get; set; }

    /// <summary>The operator's own servers, by the label that requests use.</summary>
    public IReadOnlyDictionary<string, NamedServerOptions> Servers { get; set; } = new Dictionary<string, NamedServerOptions>();

    /// <summary>What runs hosted tools, by type.</summary>
    public IReadOnlyDictionary<string, BindingOptions> Bindings { get; set; } = new Dictionary<string, BindingOptions>();

    /// <summary>Connections to MCP servers.</summary>
    public McpOptions Mcp { get; set; } = new();
}
