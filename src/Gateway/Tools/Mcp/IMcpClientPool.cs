namespace Gateway.Tools.Mcp;

/// <summary>The border to MCP servers. Nothing but the caller's own cancellation is thrown: all else is in the outcome.</summary>
internal interface IMcpClientPool
{
    /// <summary>The server's tools, from the pool when a list of them is there that is young enough.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<McpListing> ListToolsAsync(McpServer server, CancellationToken cancellationToken);

    /// <summary>Calls a tool, once. It is only called again when the server can not have run it.</summary>
    /// <param name="server">Where the tool is.</param>
    /// <param name="tool">The tool's name on the server.</param>
    /// <param name="argumentsJson">A JSON object; nothing stands for an empty one.</param>
    /// <param name="session">An opaque name of what calls belong together, sent as <c>_meta["responses-gateway/session"]</c>; null for none.</param>
    /// <param name="cancellationToken">Ends the wait and tells the server so.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<McpCallOutcome> CallToolAsync(
        McpServer server, string tool, ReadOnlyMemory<byte> argumentsJson, string? session, CancellationToken cancellationToken);
}
