namespace Gateway.Tools.Mcp;

/// <summary>Log messages of MCP servers, event ids 4100 to 4199. Never a URL, header, argument or result.</summary>
internal static partial class McpLog
{
    [LoggerMessage(4100, LogLevel.Warning, "MCP server '{Label}' lists {Count} tool(s) that can not be offered: no name, a name twice, or an input schema that is no object's.")]
    public static partial void ToolsLeftOut(ILogger logger, string label, int count);

    [LoggerMessage(4101, LogLevel.Information, "MCP server '{Label}' could not be connected to: {Kind}, HTTP status {Status}.")]
    public static partial void ConnectFailed(ILogger logger, string label, McpFailureKind kind, int? status);

    [LoggerMessage(4102, LogLevel.Debug, "MCP server '{Label}' has ended its session; connecting again.")]
    public static partial void SessionLost(ILogger logger, string label);

    // The type only: the message may hold what the server said.
    [LoggerMessage(4103, LogLevel.Debug, "A connection to an MCP server did not close in order ({Reason}).")]
    public static partial void CloseFailed(ILogger logger, string reason);
}
