namespace Gateway.Protocol.Responses;

/// <summary>
/// An MCP server that a request declares as a tool (Responses API reference, "MCP"): type <c>mcp</c>, or <c>sse</c>, which is the same with
/// the older transport first.
/// </summary>
public sealed class McpServerTool
{
    /// <summary>Where it stands in the request, <c>tools[0]</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Unique in the request.</summary>
    public required string Label { get; init; }

    /// <summary>As the client gave it. Its query may be secret: it is never echoed, stored or logged. Null for a server that the operator has named.</summary>
    public Uri? Url { get; init; }

    /// <summary>The client asked for HTTP+SSE: it is tried before streamable HTTP.</summary>
    public bool PrefersSse { get; init; }

    /// <summary>Headers for each request to the server, <c>Authorization</c> among them. Secret: never echoed, stored or logged.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The tools that may be used; null for all.</summary>
    public McpToolFilter? Allowed { get; init; }

    public required McpApproval Approval { get; init; }

    /// <summary>Told to the model before the descriptions of the server's tools; null when there is none.</summary>
    public string? Description { get; init; }
}
