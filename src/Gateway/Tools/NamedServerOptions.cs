using Gateway.Tools.Mcp;

namespace Gateway.Tools;

/// <summary>An MCP server of the operator's. Its name is the label: requests use it by <c>server_label</c> alone.</summary>
internal sealed class NamedServerOptions
{
    /// <summary>Its http or https URL. It may be on any address.</summary>
    /// <value>Default: required</value>
    public string? Url { get; set; }

    /// <summary>Which transport is tried first: streamable HTTP or the older HTTP+SSE.</summary>
    public McpTransport Transport { get; set; }

    /// <summary>Sent as <c>Authorization: Bearer</c>.</summary>
    /// <value>Default: none</value>
    public string? ApiKey { get; set; }

    /// <summary>A file that holds <see cref="ApiKey"/>; read at start.</summary>
    /// <value>Default: none</value>
    public string? ApiKeyFile { get; set; }

    /// <summary>A further header.</summary>
    /// <value>Default: none</value>
    public IReadOnlyDictionary<string, string> Headers { get; set; } = new Dictionary<string, string>();

    /// <summary>
    /// Requests may use it by <c>server_label</c>. False: only <c>Gateway:Tools:Bindings</c> use it, and to requests the label is an unknown one.
    /// </summary>
    public bool Requests { get; set; } = true;

    /// <summary>The tools that requests may use; bindings name theirs themselves.</summary>
    /// <value>Default: none: all of them</value>
    public IReadOnlyList<string>? AllowedTools { get; set; }

    internal IReadOnlyList<KeyValuePair<string, string>> ReadHeaders()
    {
        var key = ApiKey ?? (ApiKeyFile is null ? null : File.ReadAllText(ApiKeyFile).Trim());
        return key is null ? [.. Headers] : [.. Headers, new("Authorization", $"Bearer {key}")];
    }
}
