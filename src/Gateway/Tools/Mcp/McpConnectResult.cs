namespace Gateway.Tools.Mcp;

/// <summary>A connection, or why there is none.</summary>
internal sealed record McpConnectResult(McpConnection? Connection, McpFailure? Failure);
