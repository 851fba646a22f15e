using Gateway.Tools.Mcp;

namespace Gateway.Tools;

/// <summary>An MCP server of the operator's: <c>Gateway:Tools:Servers:&lt;label&gt;</c>. Requests use it by <c>server_label</c> alone.</summary>
internal sealed class NamedServerOptions
{
    /// <summary>Its http or https URL. Required. It may be on any address.</summary>
    public string? Url { get; set; }

    /// <summary>Which transport is tried first: <see cref="McpTransport.Http"/> (the default) or <see cref="McpTransport.Sse"/>.</summary>
    public McpTransport Transport { get; set; }

    /// <summary>Sent as <c>Authorization: Bearer</c>. Default none.</summary>
    public string? ApiKey { get; set; }

    /// <summary>A file that holds <see cref="ApiKey"/>; read at start. Default none.</summary>
    public string? ApiKeyFile { get; set; }

    /// <summary>Further headers. Default none.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; set; } = new Dictionary<string, string>();

    /// <summary>
    /// Requests may use it by <c>server_label</c>. False: only <c>Gateway:Tools:Bindings</c> use it, and to requests the label is an unknown one.
    /// Default true.
    /// </summary>
    public bool Requests { get; set; } = true;

    /// <summary>The tools that requests may use; bindings name theirs themselves. Default: all.</summary>
    public IReadOnlyList<string>? AllowedTools { get; set; }

    internal IReadOnlyList<KeyValuePair<string, string>> ReadHeaders()
    {
        var key = ApiKey ?? (ApiKeyFile is null ? null : File.ReadAllText(ApiKeyFile).Trim());
        return key is null ? [.. Headers] : [.. Headers, new("Authorization", $"Bearer {key}")];
    }
}
