namespace Gateway.Protocol.Responses;

/// <summary>How far the model is free to call tools.</summary>
public enum ToolChoiceMode { Auto, None, Required }

/// <summary>
/// The parsed <c>tool_choice</c>. A choice of one named tool is <see cref="ToolChoiceMode.Required"/> with that tool in
/// <see cref="Only"/> and <see cref="IsNamed"/> set; <c>allowed_tools</c> is its mode with its subset in <see cref="Only"/>.
/// </summary>
public sealed class ToolChoice
{
    public static ToolChoice Auto { get; } = new() { Mode = ToolChoiceMode.Auto };

    public required ToolChoiceMode Mode { get; init; }

    /// <summary>The only tools the model may call, or null for all of the request's.</summary>
    public IReadOnlyList<Tool>? Only { get; init; }

    /// <summary>
    /// Tools of MCP servers that the model may call besides <see cref="Only"/>: a server's label, and a tool's name on it or null for all of
    /// them. They are known when the servers have listed them: see <see cref="Resolve"/>.
    /// </summary>
    public IReadOnlyList<McpToolChoice> Servers { get; init; } = [];

    /// <summary>The client named exactly one tool.</summary>
    public bool IsNamed { get; init; }

    /// <summary>The choice over the tools that there are now: <see cref="Servers"/> become tools in <see cref="Only"/>.</summary>
    /// <param name="tools">All tools that are offered.</param>
    /// <param name="choice">The resolved choice when the result is null.</param>
    /// <returns>The error when a named tool does not exist, or nothing is left that could be called although it must.</returns>
    public ApiError? Resolve(IReadOnlyList<Tool> tools, out ToolChoice choice)
    {
        ArgumentNullException.ThrowIfNull(tools);
        choice = this;
        if (Servers.Count == 0)
        {
            return Mode == ToolChoiceMode.Required && Only is null && tools.Count == 0 ? ToolChoiceParser.NoTools() : null;
        }

        var only = new List<Tool>(Only ?? []);
        foreach (var server in Servers)
        {
            var found = tools.Where(tool => tool.Kind == ToolKind.Mcp && tool.ServerLabel == server.Label && (server.Name is null || tool.Name == server.Name)).ToList();
            if (found.Count == 0 && server.Name is not null)
            {
                return ToolChoiceParser.NotFound(server.Name);
            }

            only.AddRange(found.Except(only));
        }

        if (only.Count == 0 && Mode == ToolChoiceMode.Required)
        {
            return ToolChoiceParser.NoTools();
        }

        choice = new ToolChoice { Mode = Mode, Only = only, IsNamed = IsNamed && only.Count == 1 };
        return null;
    }

    /// <summary>The choice after a round of server-run calls: a forced choice would loop for ever; the set of allowed tools stays.</summary>
    public ToolChoice Relax() => Mode != ToolChoiceMode.Required ? this : new ToolChoice { Mode = ToolChoiceMode.Auto, Only = IsNamed ? null : Only };

    /// <summary>The choice without its force, offering the same tools: for a request that only wants to know how long its prompt is.</summary>
    /// <param name="namedIsFiltered">The server is sent a named tool alone.</param>
    public ToolChoice Unforced(bool namedIsFiltered) => Mode != ToolChoiceMode.Required || !namedIsFiltered ? Relax() : new ToolChoice { Mode = ToolChoiceMode.Auto, Only = Only };
}
