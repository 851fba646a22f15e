namespace Gateway.Tools.Mcp;

/// <summary>The tools of a server, or why they are not known.</summary>
/// <param name="Tools">In the server's order; empty after a failure.</param>
/// <param name="Failure">Null when the list is complete.</param>
internal sealed record McpListing(IReadOnlyList<McpTool> Tools, McpFailure? Failure) : IMcpOutcome
{
    public static McpListing Failed(McpFailure failure) => new([], failure);
}
