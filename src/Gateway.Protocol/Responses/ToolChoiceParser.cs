using System.Collections.Frozen;

namespace Gateway.Protocol.Responses;

/// <summary>Reads <c>tool_choice</c> in all its forms against the tools of the request.</summary>
internal static class ToolChoiceParser
{
    private const string Param = "tool_choice";
    private static readonly string[] Modes = ["none", "auto", "required"];
    private static readonly FrozenSet<string> Known = FrozenSet.Create(
        StringComparer.Ordinal, "type", "name", "namespace", "mode", "tools", "server_label");

    private static readonly string[] SupportedTypes =
        [ToolParser.FunctionType, ToolParser.CustomType, "allowed_tools", McpToolParser.McpType, .. ToolParser.HostedTypes.Order(StringComparer.Ordinal)];

    /// <param name="json">The value as it came; empty when absent.</param>
    /// <param name="tools">The tools that can be named.</param>
    /// <param name="parser">What the request's tools array held besides.</param>
    /// <param name="choice">The choice when the result is null.</param>
    public static ApiError? Parse(ReadOnlyMemory<byte> json, IReadOnlyList<Tool> tools, ToolParser parser, out ToolChoice choice)
    {
        choice = ToolChoice.Auto;
        if (json.IsEmpty)
        {
            return null;
        }

        if (JsonView.Text(json) is { } word)
        {
            return ParseWord(word, tools.Count + parser.Servers.Count, out choice);
        }

        if (!JsonView.IsObject(json))
        {
            return ApiError.InvalidType(Param, "one of a string or an object", JsonView.Describe(json));
        }

        var members = RequestMembers.ReadObject(json, Param, Known);
        var type = members.String("type");
        if (members.Error is not null)
        {
            return members.Error;
        }

        if (type is null)
        {
            return ApiError.MissingParameter(members.PathOf("type"));
        }

        if (type == "allowed_tools")
        {
            return ParseAllowed(members, tools, parser, out choice);
        }

        if (FindNamed(members, type, tools, parser, out var named) is { } error)
        {
            return error;
        }

        if (named.Server is { } server)
        {
            choice = new ToolChoice { Mode = ToolChoiceMode.Required, Servers = [server], IsNamed = server.Name is not null };
            return null;
        }

        if (named.Tool is not { } tool)
        {
            return ApiError.InvalidValue(
                parser.Hosted.GetValueOrDefault(type, Param), $"Invalid value: '{type}'. This tool is not available and can not be forced by 'tool_choice'.");
        }

        choice = new ToolChoice { Mode = ToolChoiceMode.Required, Only = [tool], IsNamed = true };
        return null;
    }

    private static ApiError? ParseWord(string word, int toolCount, out ToolChoice choice)
    {
        choice = ToolChoice.Auto;
        switch (word)
        {
            case "auto":
                return null;
            case "none":
                choice = new ToolChoice { Mode = ToolChoiceMode.None };
                return null;
            case "required" when toolCount == 0:
                return NoTools();
            case "required":
                choice = new ToolChoice { Mode = ToolChoiceMode.Required };
                return null;
            default:
                return ApiError.InvalidEnum(Param, word, Modes);
        }
    }

    private static ApiError? ParseAllowed(
        RequestMembers members, IReadOnlyList<Tool> tools, ToolParser parser, out ToolChoice choice)
    {
        choice = ToolChoice.Auto;
        var mode = members.Enum("mode", ["auto", "required"]);
        var allowed = members.RawArray("tools", "an array of tools");
        if (members.Error is not null)
        {
            return members.Error;
        }

        if (mode is null || allowed.IsEmpty)
        {
            return ApiError.MissingParameter(members.PathOf(mode is null ? "mode" : "tools"));
        }

        var only = new List<Tool>();
        var servers = new List<McpToolChoice>();
        var index = 0;
        foreach (var json in JsonView.Elements(allowed))
        {
            var path = $"{Param}.tools[{index++}]";
            if (!JsonView.IsObject(json))
            {
                return ApiError.InvalidType(path, "an object", JsonView.Describe(json));
            }

            var entry = RequestMembers.ReadObject(json, path, Known);
            var type = entry.String("type");
            if (type is null)
            {
                return entry.Error ?? ApiError.MissingParameter(entry.PathOf("type"));
            }

            if (FindNamed(entry, type, tools, parser, out var named) is { } error)
            {
                return error;
            }

            if (named.Tool is not null && !only.Contains(named.Tool))
            {
                only.Add(named.Tool);
            }

            if (named.Server is not null)
            {
                servers.Add(named.Server);
            }
        }

        if (mode == "required" && only.Count + servers.Count == 0)
        {
            return NoTools();
        }

        choice = new ToolChoice { Mode = mode == "required" ? ToolChoiceMode.Required : ToolChoiceMode.Auto, Only = only, Servers = servers };
        return null;
    }

    /// <summary>The tool that <c>{type, name, namespace?}</c> stands for; nothing without an error for a hosted tool that is not offered.</summary>
    private static ApiError? FindNamed(RequestMembers members, string type, IReadOnlyList<Tool> tools, ToolParser parser, out Named named)
    {
        named = default;
        if (type is McpToolParser.McpType or McpToolParser.SseType)
        {
            return FindServer(members, parser, out named);
        }

        if (type is not (ToolParser.FunctionType or ToolParser.CustomType))
        {
            if (tools.FirstOrDefault(candidate => candidate.Kind == ToolKind.Hosted && candidate.Name == type) is { } bound)
            {
                named = new Named(bound, null);
                return null;
            }

            if (parser.Hosted.ContainsKey(type))
            {
                return null;
            }

            return SupportedTypes.Contains(type) ? NotFound(type) : ApiError.InvalidEnum(members.PathOf("type"), type, SupportedTypes);
        }

        var name = members.String("name");
        var ns = members.String("namespace");
        if (members.Error is not null)
        {
            return members.Error;
        }

        if (name is null)
        {
            return ApiError.MissingParameter(members.PathOf("name"));
        }

        var kind = type == ToolParser.FunctionType ? ToolKind.Function : ToolKind.Custom;
        Tool? tool = null;
        foreach (var candidate in tools)
        {
            // A tool outside any namespace is preferred when the choice names no namespace.
            if (candidate.Kind == kind && candidate.Name == name && (candidate.Namespace == ns || (ns is null && tool is null)))
            {
                tool = candidate;
                if (candidate.Namespace == ns)
                {
                    break;
                }
            }
        }

        named = new Named(tool, null);
        return tool is null ? NotFound(name) : null;
    }

    private static ApiError? FindServer(RequestMembers members, ToolParser parser, out Named named)
    {
        named = default;
        var label = members.String("server_label");
        var name = members.String("name");
        if (members.Error is not null)
        {
            return members.Error;
        }

        if (label is null)
        {
            return ApiError.MissingParameter(members.PathOf("server_label"));
        }

        if (!parser.Servers.Any(server => server.Label == label))
        {
            return NotFound(label);
        }

        named = new Named(null, new McpToolChoice(label, name));
        return null;
    }

    internal static ApiError NotFound(string name) =>
        ApiError.InvalidValue(Param, $"Tool choice '{(name.Length <= ToolNames.MaxLength ? name : name[..ToolNames.MaxLength] + "…")}' not found in 'tools' parameter.");

    internal static ApiError NoTools() => ApiError.InvalidValue(Param, "Tool choice 'required' must be specified with 'tools' parameter.");

    private readonly record struct Named(Tool? Tool, McpToolChoice? Server);
}
