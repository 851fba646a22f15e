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
        [ToolParser.FunctionType, ToolParser.CustomType, "allowed_tools", "mcp", .. ToolParser.HostedTypes.Order(StringComparer.Ordinal)];

    public static ApiError? Parse(
        ReadOnlyMemory<byte> json, IReadOnlyList<Tool> tools, IReadOnlyDictionary<string, string> hosted, out ToolChoice choice)
    {
        choice = ToolChoice.Auto;
        if (json.IsEmpty)
        {
            return null;
        }

        if (JsonView.Text(json) is { } word)
        {
            return ParseWord(word, tools, out choice);
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
            return ParseAllowed(members, tools, hosted, out choice);
        }

        if (FindNamed(members, type, tools, hosted, out var tool) is { } error)
        {
            return error;
        }

        if (tool is null)
        {
            return ApiError.InvalidValue(
                hosted.GetValueOrDefault(type, Param), $"Invalid value: '{type}'. This tool is not available and can not be forced by 'tool_choice'.");
        }

        choice = new ToolChoice { Mode = ToolChoiceMode.Required, Only = [tool], IsNamed = true };
        return null;
    }

    private static ApiError? ParseWord(string word, IReadOnlyList<Tool> tools, out ToolChoice choice)
    {
        choice = ToolChoice.Auto;
        switch (word)
        {
            case "auto":
                return null;
            case "none":
                choice = new ToolChoice { Mode = ToolChoiceMode.None };
                return null;
            case "required" when tools.Count == 0:
                return NoTools();
            case "required":
                choice = new ToolChoice { Mode = ToolChoiceMode.Required };
                return null;
            default:
                return ApiError.InvalidEnum(Param, word, Modes);
        }
    }

    private static ApiError? ParseAllowed(
        RequestMembers members, IReadOnlyList<Tool> tools, IReadOnlyDictionary<string, string> hosted, out ToolChoice choice)
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

            if (FindNamed(entry, type, tools, hosted, out var tool) is { } error)
            {
                return error;
            }

            if (tool is not null && !only.Contains(tool))
            {
                only.Add(tool);
            }
        }

        if (mode == "required" && only.Count == 0)
        {
            return NoTools();
        }

        choice = new ToolChoice { Mode = mode == "required" ? ToolChoiceMode.Required : ToolChoiceMode.Auto, Only = only };
        return null;
    }

    /// <summary>The tool that <c>{type, name, namespace?}</c> stands for; null without an error for a hosted tool of the request.</summary>
    private static ApiError? FindNamed(
        RequestMembers members, string type, IReadOnlyList<Tool> tools, IReadOnlyDictionary<string, string> hosted, out Tool? tool)
    {
        tool = null;
        if (type is not (ToolParser.FunctionType or ToolParser.CustomType))
        {
            if (hosted.ContainsKey(type))
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

        return tool is null ? NotFound(name) : null;
    }

    private static ApiError NotFound(string name) =>
        ApiError.InvalidValue(Param, $"Tool choice '{(name.Length <= ToolNames.MaxLength ? name : name[..ToolNames.MaxLength] + "…")}' not found in 'tools' parameter.");

    private static ApiError NoTools() => ApiError.InvalidValue(Param, "Tool choice 'required' must be specified with 'tools' parameter.");
}
