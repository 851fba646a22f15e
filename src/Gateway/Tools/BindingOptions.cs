namespace Gateway.Tools;

/// <summary>
/// Which tool of which server of the operator's runs a hosted tool: <c>Gateway:Tools:Bindings:&lt;type&gt;</c>, the type being
/// <c>web_search</c> (its dated names too), <c>file_search</c>, <c>code_interpreter</c>, <c>python</c> or <c>image_generation</c>.
/// </summary>
internal sealed class BindingOptions
{
    /// <summary>The label of one of <c>Gateway:Tools:Servers</c>. Required.</summary>
    public string? Server { get; set; }

    /// <summary>The tool's name on that server. Required.</summary>
    public string? Tool { get; set; }

    /// <summary>
    /// The arguments that the server's tool gets, by name, each from a source: <c>query</c>, <c>code</c> or <c>prompt</c>, what the model wrote;
    /// <c>tool.&lt;member&gt;</c>, a member of the tool in the request (<c>tool.filters.allowed_domains</c>), left out when it has none;
    /// or <c>=text</c>, that text. Default: what the model wrote, under its own name.
    /// </summary>
    public IReadOnlyDictionary<string, string> Arguments { get; set; } = new Dictionary<string, string>();

    /// <summary>What the model is told of the tool. Default: a sentence of the gateway's own.</summary>
    public string? Description { get; set; }
}
