namespace Gateway.Protocol.Responses;

/// <summary>A server's tools in <c>tool_choice</c>.</summary>
/// <param name="Label">The server's label.</param>
/// <param name="Name">One tool's name there, or null for all.</param>
public sealed record McpToolChoice(string Label, string? Name);
