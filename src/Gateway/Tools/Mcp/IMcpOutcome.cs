namespace Gateway.Tools.Mcp;

/// <summary>What came of an exchange with an MCP server.</summary>
internal interface IMcpOutcome
{
    /// <summary>Null when the server answered.</summary>
    McpFailure? Failure { get; }
}
