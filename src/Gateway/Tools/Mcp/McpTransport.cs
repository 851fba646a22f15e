namespace Gateway.Tools.Mcp;

/// <summary>How an MCP server is spoken to.</summary>
internal enum McpTransport
{
    /// <summary>Streamable HTTP: one URL for everything.</summary>
    Http,

    /// <summary>The older HTTP+SSE: answers come on an event stream, requests go to a URL that the stream names.</summary>
    Sse,
}
