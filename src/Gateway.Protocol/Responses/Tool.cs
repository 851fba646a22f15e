namespace Gateway.Protocol.Responses;

/// <summary>What a tool is, by its <c>type</c> member.</summary>
public enum ToolKind { Function, Custom }

/// <summary>
/// One callable tool as the model sees it. Namespaces are flattened; hosted tools that the gateway drops have no entry.
/// </summary>
public sealed class Tool
{
    public required ToolKind Kind { get; init; }

    /// <summary>The name the client knows it by; inside a namespace the inner name.</summary>
    public required string Name { get; init; }

    /// <summary>The namespace the client declared it in, or null.</summary>
    public string? Namespace { get; init; }

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
}
