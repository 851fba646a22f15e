using System.Buffers;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Responses;

/// <summary>Reads tools of type <c>mcp</c> and <c>sse</c>.</summary>
internal static class McpToolParser
{
    public const string McpType = "mcp";
    public const string SseType = "sse";
    private const int MaxLabelLength = 64;
    private const int MaxUrlLength = 2048;
    private const int MaxHeaders = 64;

    private static readonly FrozenSet<string> Known = FrozenSet.Create(
        StringComparer.Ordinal, "type", "server_label", "server_url", "connector_id", "tunnel_id", "headers", "authorization", "allowed_tools",
        "require_approval", "server_description");

    private static readonly FrozenSet<string> FilterKnown = FrozenSet.Create(StringComparer.Ordinal, "tool_names", "read_only");

    private static readonly FrozenSet<string> ApprovalKnown = FrozenSet.Create(StringComparer.Ordinal, "always", "never");

    private static readonly SearchValues<char> TokenCharacters = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    public static ApiError? Read(ReadOnlyMemory<byte> json, string path, ServerToolRules rules, out McpServerTool? server)
    {
        server = null;
        var members = RequestMembers.ReadObject(json, path, Known);
        var type = members.String("type");
        var url = ReadUrl(members);
        var label = members.String("server_label", MaxLabelLength);
        if (label is null && rules.LabelIsOptional && url is not null)
        {
            label = LabelOf(url);
        }

        foreach (var name in (ReadOnlySpan<string>)["connector_id", "tunnel_id"])
        {
            if (members.Has(name))
            {
                members.Fail(ApiError.UnsupportedParameter(members.PathOf(name), "is not supported by this gateway. Use 'server_url'."));
            }
        }

        var read = new McpServerTool
        {
            Path = path,
            Label = label ?? "",
            Url = url,
            PrefersSse = type == SseType,
            Headers = ReadHeaders(members),
            Allowed = ReadAllowed(members),
            Approval = ReadApproval(members, rules.ApprovalByDefault),
            Description = members.String("server_description"),
        };
        if (members.Error is not null)
        {
            return members.Error;
        }

        if (string.IsNullOrEmpty(label))
        {
            return ApiError.MissingParameter(members.PathOf(rules.LabelIsOptional ? "server_url" : "server_label"));
        }

        if (ToolNames.Check(label, members.PathOf("server_label")) is { } badLabel)
        {
            return badLabel;
        }

        if (url is null && !rules.IsNamedServer(label))
        {
            return ApiError.MissingParameter(members.PathOf("server_url"));
        }

        server = read;
        return null;
    }

    /// <summary>Appends the tool without what is secret in it, as responses echo it.</summary>
    public static void WriteEcho(ReadOnlyMemory<byte> json, IBufferWriter<byte> output)
    {
        var separator = "{\""u8;
        foreach (var member in JsonView.Members(json))
        {
            if (!member.Is("headers"u8) && !member.Is("authorization"u8))
            {
                output.Write(separator);
                output.Write(member.Name);
                output.Write("\":"u8);
                output.Write(member.Is("server_url"u8) ? WithoutSecrets(member.Value).Span : member.Value.Span);
                separator = ",\""u8;
            }
        }

        output.Write("}"u8);
    }

    /// <summary>The URL without what may be a key: user name and password, query, fragment.</summary>
    private static ReadOnlyMemory<byte> WithoutSecrets(ReadOnlyMemory<byte> json)
    {
        // Anything else is refused before it could be echoed.
        if (!Uri.TryCreate(JsonView.Text(json), UriKind.Absolute, out var url) || (url.UserInfo.Length == 0 && url.Query.Length == 0 && url.Fragment.Length == 0))
        {
            return json;
        }

        using var shown = new PooledBuffer(json.Length);
        shown.AppendString(url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped));
        return shown.WrittenSpan.ToArray();
    }

    private static Uri? ReadUrl(RequestMembers members)
    {
        if (members.String("server_url", MaxUrlLength) is not { } text)
        {
            return null;
        }

        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.Host.Length == 0 || !HasName(url))
        {
            members.Fail(ApiError.InvalidValue(members.PathOf("server_url"), $"Invalid '{members.PathOf("server_url")}': expected an absolute http or https URL."));
            return null;
        }

        return url;
    }

    /// <summary>The host's name can be written in ASCII: the parser of URLs lets others pass.</summary>
    private static bool HasName(Uri url)
    {
        try
        {
            return url.IdnHost.Length > 0;
        }
        catch (UriFormatException)
        {
            return false;
        }
    }

    /// <summary>
    /// The server's address as a label, for dialects whose clients give none: the host, and the path unless it only names the transport. Two
    /// servers of one host must not share a label: a chain keeps its list of tools by it.
    /// </summary>
    private static string LabelOf(Uri url)
    {
        var address = url.IdnHost + (url.IsDefaultPort ? "" : $"_{url.Port}");
        var path = url.AbsolutePath.Trim('/');
        if (path is not ("" or McpType or SseType))
        {
            address += $"_{path}";
        }

        var label = string.Concat(address.Select(static c => char.IsAsciiLetterOrDigit(c) || c == '-' ? c : '_'));
        return label.Length <= MaxLabelLength
            ? label
            : $"{label[..(MaxLabelLength - 9)]}_{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(address)).AsSpan(0, 4))}";
    }

    private static List<KeyValuePair<string, string>> ReadHeaders(RequestMembers members)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var pair in JsonView.Members(members.RawObject("headers")))
        {
            var name = Encoding.UTF8.GetString(JsonView.Unescape(pair.Name.ToArray()).Span);
            var path = members.PathOf("headers");
            if (name.Length is 0 or > 128 || name.AsSpan().ContainsAnyExcept(TokenCharacters))
            {
                members.Fail(ApiError.InvalidValue(path, $"Invalid '{path}': a name in it is not a legal HTTP header name."));
            }
            else if (IsConnectionHeader(name))
            {
                members.Fail(ApiError.InvalidValue(path, $"Invalid '{path}': the header '{name}' can not be set."));
            }
            else if (JsonView.Text(pair.Value) is not { } value)
            {
                members.Fail(ApiError.InvalidType($"{path}.{name}", "a string", JsonView.Describe(pair.Value)));
            }
            else if (!IsHeaderValue(value))
            {
                members.Fail(ApiError.InvalidValue($"{path}.{name}", $"Invalid '{path}.{name}': expected visible ASCII characters."));
            }
            else
            {
                headers.Add(new(name, value));
            }
        }

        if (headers.Count > MaxHeaders)
        {
            members.Fail(ApiError.ObjectTooLarge(members.PathOf("headers"), MaxHeaders, headers.Count));
        }

        if (members.String("authorization") is { } token)
        {
            if (!IsHeaderValue(token))
            {
                members.Fail(ApiError.InvalidValue(members.PathOf("authorization"), $"Invalid '{members.PathOf("authorization")}': expected visible ASCII characters."));
            }

            headers.RemoveAll(static header => header.Key.Equals("Authorization", StringComparison.OrdinalIgnoreCase));
            headers.Add(new("Authorization", $"Bearer {token}"));
        }

        return headers;
    }

    /// <summary>What frames the messages and the session is the connection's own.</summary>
    private static bool IsConnectionHeader(string name) =>
        name.StartsWith("Mcp-", StringComparison.OrdinalIgnoreCase)
        || name.ToUpperInvariant() is "HOST" or "CONTENT-LENGTH" or "CONTENT-TYPE" or "TRANSFER-ENCODING" or "CONNECTION" or "UPGRADE" or "TE" or "TRAILER"
            or "KEEP-ALIVE" or "PROXY-AUTHORIZATION" or "PROXY-CONNECTION" or "EXPECT" or "ACCEPT" or "ACCEPT-ENCODING" or "LAST-EVENT-ID";

    private static bool IsHeaderValue(string value) => value.Length <= 8192 && !value.AsSpan().ContainsAnyExceptInRange(' ', '~');

    private static McpToolFilter? ReadAllowed(RequestMembers members)
    {
        var allowed = members.Raw("allowed_tools");
        if (allowed.IsEmpty)
        {
            return null;
        }

        if (JsonView.IsArray(allowed))
        {
            return new McpToolFilter(ReadNames(members, allowed, members.PathOf("allowed_tools")), null);
        }

        if (JsonView.IsObject(allowed))
        {
            return ReadFilter(members, "allowed_tools");
        }

        members.Fail(ApiError.InvalidType(members.PathOf("allowed_tools"), "one of an array of strings or an object", JsonView.Describe(allowed)));
        return null;
    }

    private static McpApproval ReadApproval(RequestMembers members, bool byDefault)
    {
        var value = members.Raw("require_approval");
        if (value.IsEmpty)
        {
            return new McpApproval(byDefault);
        }

        if (JsonView.IsString(value))
        {
            return new McpApproval(members.Enum("require_approval", ["always", "never"]) == "always");
        }

        return members.Object("require_approval", ApprovalKnown) is { } filters
            ? new McpApproval(byDefault, ReadFilter(filters, "always"), ReadFilter(filters, "never"))
            : new McpApproval(byDefault);
    }

    private static McpToolFilter? ReadFilter(RequestMembers members, string name)
    {
        if (members.Object(name, FilterKnown) is not { } filter)
        {
            return null;
        }

        var names = filter.RawArray("tool_names", "an array of strings");
        return new McpToolFilter(names.IsEmpty ? null : ReadNames(members, names, filter.PathOf("tool_names")), filter.Bool("read_only"));
    }

    private static List<string> ReadNames(RequestMembers members, ReadOnlyMemory<byte> array, string path)
    {
        var names = new List<string>();
        foreach (var value in JsonView.Elements(array))
        {
            if (JsonView.Text(value) is { } name)
            {
                names.Add(name);
            }
            else
            {
                members.Fail(ApiError.InvalidType($"{path}[{names.Count}]", "a string", JsonView.Describe(value)));
                break;
            }
        }

        return names;
    }
}
