namespace Gateway.Tools;

/// <summary>
/// Which tool of which server of the operator's runs a hosted tool. Its name is the type: <c>web_search</c> (its dated names too),
/// <c>file_search</c>, <c>code_interpreter</c>, <c>python</c> or <c>image_generation</c>. A type without a binding is not offered: the tool is
/// dropped when it is optional, refused when it is forced.
/// </summary>
internal sealed class BindingOptions
{
    /// <summary>The label of one of <c>Gateway:Tools:Servers</c>.</summary>
    /// <value>Default: required</value>
    public string? Server { get; set; }

    /// <summary>The tool's name on that server.</summary>
    /// <value>Default: required</value>
    public string? Tool { get; set; }

    /// <summary>
    /// An argument that the server's tool gets, from a source: <c>query</c>, <c>code</c> or <c>prompt</c>, what the model wrote;
    /// <c>tool.&lt;member&gt;</c>, a member of the tool in the request (<c>tool.filters.allowed_domains</c>), left out when it has none;
    /// or <c>=text</c>, that text.
    /// </summary>
    /// <value>Default: what the model wrote, under its own name</value>
    public IReadOnlyDictionary<string, string> Arguments { get; set; } = new Dictionary<string, string>();

    /// <summary>What the model is told of the tool.</summary>
    /// <value>Default: a sentence of the gateway's own</value>
    public string? Description { get; set; }
}
