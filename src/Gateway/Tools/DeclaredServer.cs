using Gateway.Protocol.Responses;
using Gateway.Tools.Mcp;

namespace Gateway.Tools;

/// <summary>An MCP server of a request: what the request says of it, and how it is reached.</summary>
/// <param name="Declared">What the request says.</param>
/// <param name="Server">How it is reached.</param>
/// <param name="OperatorAllows">The tools that the operator allows; null for all.</param>
internal sealed record DeclaredServer(McpServerTool Declared, McpServer Server, IReadOnlyList<string>? OperatorAllows = null)
{
    public string Label => Declared.Label;

    /// <summary>The tool may be used: checked when tools are offered, and again when one is called.</summary>
    public bool Allows(string name, bool isReadOnly) =>
        Declared.Allowed?.Matches(name, isReadOnly) != false && OperatorAllows?.Contains(name, StringComparer.Ordinal) != false;
}
