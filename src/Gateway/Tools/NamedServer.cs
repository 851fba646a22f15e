using Gateway.Tools.Mcp;

namespace Gateway.Tools;

/// <summary>A server of the operator's, ready to be used.</summary>
/// <param name="Server">How it is reached.</param>
/// <param name="ForRequests">Requests may use it, not only bindings.</param>
/// <param name="AllowedTools">The tools that requests may use; null for all.</param>
internal sealed record NamedServer(McpServer Server, bool ForRequests, IReadOnlyList<string>? AllowedTools);
