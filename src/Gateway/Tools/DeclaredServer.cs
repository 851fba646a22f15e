using Gateway.Protocol.Responses;
using Gateway.Tools.Mcp;

namespace Gateway.Tools;

/// <summary>An MCP server of a request: what the request says of it, and how it is reached.</summary>
internal sealed record DeclaredServer(McpServerTool Declared, McpServer Server)
{
    public string Label => Declared.Label;

    /// <summary>The tool may be used: checked when tools are offered, and again when one is called.</summary>
    public bool Allows(string name, bool isReadOnly) => Declared.Allowed?.Matches(name, isReadOnly) != false && Server.Allows(name);
}
