using System.Text.Json.Nodes;
using ModelContextProtocol.Protocol;

namespace Gateway.Testing.Mcp;

/// <summary>Answers one <c>tools/call</c>.</summary>
/// <param name="arguments">The call's arguments; empty when it has none.</param>
/// <param name="meta">The call's <c>_meta</c>; null when it has none.</param>
/// <param name="cancellationToken">Set when the client takes the call back or leaves, or the server stops.</param>
public delegate Task<CallToolResult> McpToolHandler(JsonObject arguments, JsonObject? meta, CancellationToken cancellationToken);
