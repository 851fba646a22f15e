namespace Gateway.Protocol.Responses;

/// <summary>One tool of an <c>mcp_list_tools</c> item.</summary>
/// <param name="Name">Its name on the server.</param>
/// <param name="Description">The description, or null.</param>
/// <param name="InputSchema">The JSON schema of its arguments; empty when it has none.</param>
/// <param name="IsReadOnly">The server says that it changes nothing.</param>
/// <param name="IsRepeatable">The server says that calling it twice does no more than calling it once.</param>
public sealed record McpListedTool(string Name, string? Description, ReadOnlyMemory<byte> InputSchema, bool IsReadOnly, bool IsRepeatable);
