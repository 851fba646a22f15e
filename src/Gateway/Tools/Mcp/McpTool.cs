namespace Gateway.Tools.Mcp;

/// <summary>A tool as its server lists it.</summary>
/// <param name="Name">Any text: names of upstream functions are stricter.</param>
/// <param name="Description">What it does, for the model.</param>
/// <param name="InputSchema">The JSON object that describes its arguments, without line breaks.</param>
/// <param name="Annotations">The JSON object of its hints; empty if it has none.</param>
/// <param name="IsReadOnly">The server's word (<c>readOnlyHint</c>) that a call changes nothing.</param>
/// <param name="IsIdempotent">The server's word (<c>idempotentHint</c>, <c>readOnlyHint</c>) that calling twice does no more than calling once.</param>
internal sealed record McpTool(
    string Name, string? Description, ReadOnlyMemory<byte> InputSchema, ReadOnlyMemory<byte> Annotations, bool IsReadOnly, bool IsIdempotent);
