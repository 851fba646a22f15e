using Gateway.Tools.Mcp;

namespace Gateway.Tools;

/// <summary>Tools that the gateway runs: <c>Gateway:Tools</c>.</summary>
internal sealed class ToolsOptions
{
    public const string Section = "Gateway:Tools";

    /// <summary>Connections to MCP servers.</summary>
    public McpOptions Mcp { get; set; } = new();
}
