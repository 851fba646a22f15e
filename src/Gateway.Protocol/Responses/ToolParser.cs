using System.Buffers;
using System.Collections.Frozen;

namespace Gateway.Protocol.Responses;

/// <summary>
/// Reads tool definitions: functions, custom tools and namespaces of them, MCP servers, and hosted tools, which are left out when nothing here
/// can run them.
/// </summary>
internal sealed class ToolParser
{
    public const string FunctionType = "function";
    public const string CustomType = "custom";
    public const string NamespaceType = "namespace";

    /// <summary>
    /// Tools that OpenAI runs itself, or whose calls have a form of their own. One that is not bound to a server of the operator's is echoed but
    /// not offered to the model, and refused when <c>tool_choice</c> forces it.
    /// </summary>
    public static readonly FrozenSet<string> HostedTypes = FrozenSet.Create(
        StringComparer.Ordinal,
        "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11", "file_search", "code_interpreter",
        "image_generation", "computer", "computer_use", "computer_use_preview", "local_shell", "shell", "apply_patch", "tool_search",
        "programmatic_tool_calling");

    /// <summary>Runs Python code. Not one of OpenAI's: without a binding it is refused, even when it is optional.</summary>
    public const string PythonType = "python";

    private static readonly string[] ClientTypes = [FunctionType, CustomType, NamespaceType, .. HostedTypes.Order(StringComparer.Ordinal)];

    private static readonly FrozenSet<string> Known = FrozenSet.Create(
        StringComparer.Ordinal, "type", "name", "description", "parameters", "strict", "format", "tools");

    private static readonly FrozenSet<string> FormatKnown = FrozenSet.Create(StringComparer.Ordinal, "type", "syntax", "definition");

    private readonly List<Tool> _tools = [];
    private readonly HashSet<string> _upstreamNames = new(StringComparer.Ordinal);
    private readonly List<McpServerTool> _servers = [];
    private readonly HashSet<string> _labels = new(StringComparer.Ordinal);
    private readonly int _maxTools;
    private readonly ServerToolRules? _serverTools;
    private readonly ArrayBufferWriter<byte>? _echo;

    /// <param name="maxTools">The most tools to take.</param>
    /// <param name="serverTools">What the gateway may run; null where only the client's tools can stand.</param>
    /// <param name="echoes">Gather <see cref="Echo"/> on the way.</param>
    public ToolParser(int maxTools = int.MaxValue, ServerToolRules? serverTools = null, bool echoes = false)
    {
        _maxTools = maxTools;
        _serverTools = serverTools;
        _echo = echoes ? new ArrayBufferWriter<byte>(256) : null;
    }

    /// <summary>The callable tools. Those of <see cref="Servers"/> are known only when the servers have listed them.</summary>
    public IReadOnlyList<Tool> Tools => _tools;

    public IReadOnlyList<McpServerTool> Servers => _servers;

    /// <summary>The hosted tools that were left out, by type, with the path of the first of each.</summary>
    public Dictionary<string, string> Hosted { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads an array of tools. <paramref name="path"/> names it in errors.</summary>
    public ApiError? ReadArray(ReadOnlyMemory<byte> array, string path) => ReadArray(array, path, null);

    /// <summary>Takes over tools that were read before; those of a name that is known already are left out.</summary>
    public void Add(IEnumerable<Tool> tools)
    {
        foreach (var tool in tools)
        {
            if (_upstreamNames.Add(tool.UpstreamName))
            {
                _tools.Add(tool);
            }
        }
    }

    /// <summary>
    /// The elements of the tools array as responses echo them, in brackets: function tools always have <c>description</c>,
    /// <c>parameters</c> and <c>strict</c>; all else is as it came. Empty unless asked for.
    /// </summary>
    public ReadOnlyMemory<byte> Echo()
    {
        _echo?.Write(_echo.WrittenCount == 0 ? "[]"u8 : "]"u8);
        return _echo?.WrittenMemory ?? default;
    }

    private void AddEcho(ReadOnlyMemory<byte> tool, RequestMembers members, string? type)
    {
        if (_echo is null)
        {
            return;
        }

        _echo.Write(_echo.WrittenCount == 0 ? "["u8 : ","u8);
        if (type is McpToolParser.McpType or McpToolParser.SseType)
        {
            McpToolParser.WriteEcho(tool, _echo);
            return;
        }

        if (type != FunctionType)
        {
            _echo.Write(tool.Span);
            return;
        }

        _echo.Write(tool.Span[..^1]);
        _echo.Write(members.IsGiven("description") ? [] : ",\"description\":null"u8);
        _echo.Write(members.IsGiven("parameters") ? [] : ",\"parameters\":null"u8);
        _echo.Write(members.IsGiven("strict") ? [] : ",\"strict\":true"u8);
        _echo.Write("}"u8);
    }

    private ApiError? ReadArray(ReadOnlyMemory<byte> array, string path, string? ns)
    {
        var index = 0;
        foreach (var json in JsonView.Elements(array))
        {
            if (Read(json, $"{path}[{index}]", ns) is { } error)
            {
                return error;
            }

            index++;
        }

        return null;
    }

    private ApiError? Read(ReadOnlyMemory<byte> json, string path, string? ns)
    {
        if (!JsonView.IsObject(json))
        {
            return ApiError.InvalidType(path, "an object", JsonView.Describe(json));
        }

        var members = RequestMembers.ReadObject(json, path, Known);
        var type = members.String("type");
        if (members.Error is not null)
        {
            return members.Error;
        }

        if (ns is null)
        {
            AddEcho(json, members, type);
        }

        return type switch
        {
            null => ApiError.MissingParameter(members.PathOf("type")),
            FunctionType or CustomType => ReadCallable(members, type, ns),
            NamespaceType when ns is null => ReadNamespace(members),
            _ when ns is not null => ApiError.InvalidEnum(members.PathOf("type"), type, [FunctionType, CustomType]),
            McpToolParser.McpType or McpToolParser.SseType when _serverTools is not null => ReadServer(json, path, _serverTools),
            _ when _serverTools?.Hosted.TryGetValue(type, out var tool) == true => AddTool(tool!.DeclaredAs(json), members.PathOf("type")),
            _ when HostedTypes.Contains(type) || (type == PythonType && _serverTools?.IsEcho == true) => Drop(type, members.PathOf("type")),
            _ => ApiError.InvalidEnum(members.PathOf("type"), type, SupportedTypes()),
        };
    }

    private string[] SupportedTypes() => _serverTools is null
        ? ClientTypes
        : [.. ClientTypes, McpToolParser.McpType, McpToolParser.SseType, .. _serverTools.Hosted.ContainsKey(PythonType) ? [PythonType] : (string[])[]];

    private ApiError? ReadServer(ReadOnlyMemory<byte> json, string path, ServerToolRules rules)
    {
        if (_servers.Count >= rules.MaxServers)
        {
            return ApiError.ArrayTooLong("tools", rules.MaxServers, _servers.Count + 1);
        }

        if (McpToolParser.Read(json, path, rules, out var server) is { } error)
        {
            return error;
        }

        if (!_labels.Add(server!.Label))
        {
            return ApiError.InvalidValue($"{path}.server_label", $"Invalid value: '{server.Label}'. Server labels must be unique.");
        }

        _servers.Add(server);
        return null;
    }

    private ApiError? Drop(string type, string path)
    {
        Hosted.TryAdd(type, path);
        return null;
    }

    private ApiError? ReadNamespace(RequestMembers members)
    {
        var name = members.String("name");
        members.String("description");
        var tools = members.RawArray("tools", "an array of tools");
        if (members.Error is not null)
        {
            return members.Error;
        }

        if (string.IsNullOrEmpty(name) || tools.IsEmpty)
        {
            return ApiError.MissingParameter(members.PathOf(string.IsNullOrEmpty(name) ? "name" : "tools"));
        }

        return ReadArray(tools, members.PathOf("tools"), name);
    }

    private ApiError? ReadCallable(RequestMembers members, string type, string? ns)
    {
        var name = members.String("name");
        var tool = new Tool
        {
            Kind = type == FunctionType ? ToolKind.Function : ToolKind.Custom,
            Name = name ?? "",
            Namespace = ns,
            UpstreamName = ns is null ? name ?? "" : ToolNames.Flatten(ns, name ?? ""),
            Description = members.String("description"),
            Parameters = type == FunctionType ? RequestParser.CompactSchema(members.RawObject("parameters")) : default,
            Strict = type == FunctionType ? members.Bool("strict") : null,
            Format = type == CustomType ? members.RawObject("format") : default,
        };
        if (type == CustomType && members.Object("format", FormatKnown) is { } format)
        {
            CheckFormat(format);
        }

        if (members.Error is not null)
        {
            return members.Error;
        }

        if (name is null)
        {
            return ApiError.MissingParameter(members.PathOf("name"));
        }

        if (ToolNames.Check(name, members.PathOf("name")) is { } badName)
        {
            return badName;
        }

        return AddTool(tool, members.PathOf("name"));
    }

    private ApiError? AddTool(Tool tool, string path)
    {
        if (_tools.Count >= _maxTools)
        {
            return ApiError.ArrayTooLong("tools", _maxTools, _tools.Count + 1);
        }

        if (!_upstreamNames.Add(tool.UpstreamName))
        {
            return ApiError.InvalidValue(path, $"Invalid value: '{tool.UpstreamName}'. Tool names must be unique.");
        }

        _tools.Add(tool);
        return null;
    }

    private static void CheckFormat(RequestMembers format)
    {
        var type = format.Enum("type", ["text", "grammar"]);
        if (type is null)
        {
            format.Fail(ApiError.MissingParameter(format.PathOf("type")));
        }
        else if (type == "grammar")
        {
            if (format.Enum("syntax", ["lark", "regex"]) is null)
            {
                format.Fail(ApiError.MissingParameter(format.PathOf("syntax")));
            }

            if (format.String("definition") is null)
            {
                format.Fail(ApiError.MissingParameter(format.PathOf("definition")));
            }
        }
    }
}
