namespace Gateway.Protocol.Responses;

/// <summary>What a tool is. The client runs functions and custom tools; the gateway runs the others.</summary>
public enum ToolKind { Function, Custom, Mcp, Hosted }

/// <summary>
/// One callable tool as the model sees it. Namespaces are flattened; tools of MCP servers come from the servers' lists; hosted tools that
/// nothing here can run have no entry.
/// </summary>
public sealed class Tool
{
    public required ToolKind Kind { get; init; }

    /// <summary>The name the client knows it by; inside a namespace or on a server the inner name; of a hosted tool its <c>type</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The namespace the client declared it in, or null.</summary>
    public string? Namespace { get; init; }

    /// <summary>The label of the MCP server that has it, or null.</summary>
    public string? ServerLabel { get; init; }

    /// <summary>A hosted tool as the request declared it; empty for the others.</summary>
    public ReadOnlyMemory<byte> Declaration { get; init; }

    /// <summary>The name sent upstream: unique in the request, at most 64 characters of <c>[A-Za-z0-9_-]</c>.</summary>
    public required string UpstreamName { get; init; }

    /// <summary>The description, or null.</summary>
    public string? Description { get; init; }

    /// <summary>The JSON schema of the arguments; empty when the client gave none.</summary>
    public ReadOnlyMemory<byte> Parameters { get; init; }

    /// <summary>As the client gave it, or null.</summary>
    public bool? Strict { get; init; }

    /// <summary>The <c>format</c> object of a custom tool; empty when it has none.</summary>
    public ReadOnlyMemory<byte> Format { get; init; }

    /// <summary>An MCP server's own word that the tool changes nothing (<c>annotations.readOnlyHint</c>).</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>The server's own word that calling it twice does no more than calling it once (<c>idempotentHint</c>, or it changes nothing).</summary>
    public bool IsRepeatable { get; init; }

    /// <summary>The hosted tool with what a request says of it.</summary>
    internal Tool DeclaredAs(ReadOnlyMemory<byte> declaration) => new()
    {
        Kind = Kind,
        Name = Name,
        UpstreamName = UpstreamName,
        Description = Description,
        Parameters = Parameters,
        Declaration = declaration,
    };

    /// <summary>The gateway runs its calls; those of the others are the client's.</summary>
    public bool IsServerRun => Kind is ToolKind.Mcp or ToolKind.Hosted;
}
