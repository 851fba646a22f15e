namespace Gateway.Tools.Mcp;

/// <summary>How an exchange with an MCP server failed.</summary>
internal enum McpFailureKind
{
    /// <summary>The server answered with an HTTP status that is no success.</summary>
    Http,

    /// <summary>The server answered with a JSON-RPC error, with something that is not MCP, or with more than it may.</summary>
    Protocol,

    /// <summary>No connection, or one that ended before the answer.</summary>
    Unreachable,

    /// <summary>No answer in time.</summary>
    Timeout,

    /// <summary>The egress guard does not let the gateway go there.</summary>
    Refused,
}
