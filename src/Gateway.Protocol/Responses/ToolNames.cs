using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Gateway.Protocol.Responses;

/// <summary>The names of tools: what is a legal one, how a namespace is flattened into it, and which tool the model meant by it.</summary>
public static partial class ToolNames
{
    /// <summary>The longest name that servers take.</summary>
    public const int MaxLength = 64;

    private const string Separator = "__";
    private const string ModelPrefix = "functions.";

    /// <summary>
    /// The upstream name of a tool inside a namespace: <c>ns__tool</c>. One that would be too long or hold other characters than
    /// letters, digits, underscore and dash is cut and ends in a hash of the whole, always the same for the same two names.
    /// </summary>
    public static string Flatten(string ns, string name)
    {
        ArgumentNullException.ThrowIfNull(ns);
        ArgumentNullException.ThrowIfNull(name);
        var full = ns + Separator + name;
        return LegalName().IsMatch(full) ? full : WithHash(full, full);
    }

    /// <summary>
    /// The same, unless it is <paramref name="taken"/>: <c>a__b</c> of the namespace <c>x</c> and <c>b</c> of <c>x__a</c> are one name. Then a name
    /// that is free, cut and with a hash, always the same for the same two names and the same taken ones.
    /// </summary>
    public static string Flatten(string ns, string name, IReadOnlySet<string> taken)
    {
        ArgumentNullException.ThrowIfNull(taken);
        var flat = Flatten(ns, name);
        for (var attempt = 0; taken.Contains(flat); attempt++)
        {
            flat = WithHash(ns + Separator + name, $"{ns}\0{name}\0{attempt}");
        }

        return flat;
    }

    private static string WithHash(string full, string hashed)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(hashed)).AsSpan(0, 4));
        var legal = new StringBuilder(MaxLength);
        foreach (var c in full.AsSpan(0, Math.Min(full.Length, MaxLength - hash.Length - 1)))
        {
            legal.Append(char.IsAsciiLetterOrDigit(c) || c is '_' or '-' ? c : '_');
        }

        return legal.Append('_').Append(hash).ToString();
    }

    /// <summary>
    /// The tool a model means by <paramref name="upstreamName"/>, or null. Models alter names: after the exact name it is tried without a
    /// leading <c>functions.</c>, then regardless of case if that leaves one tool.
    /// </summary>
    public static Tool? Find(IReadOnlyList<Tool> tools, string upstreamName)
    {
        ArgumentNullException.ThrowIfNull(tools);
        ArgumentNullException.ThrowIfNull(upstreamName);
        if (FindExact(tools, upstreamName) is { } exact)
        {
            return exact;
        }

        var stripped = upstreamName.StartsWith(ModelPrefix, StringComparison.Ordinal) ? upstreamName[ModelPrefix.Length..] : upstreamName;
        if (stripped.Length < upstreamName.Length && FindExact(tools, stripped) is { } found)
        {
            return found;
        }

        Tool? match = null;
        foreach (var tool in tools)
        {
            if (string.Equals(tool.UpstreamName, stripped, StringComparison.OrdinalIgnoreCase))
            {
                if (match is not null)
                {
                    return null;
                }

                match = tool;
            }
        }

        return match;
    }

    /// <summary>
    /// The tools offered by a request together with those that <c>additional_tools</c> and <c>tool_search_output</c> items add; the same
    /// list when the items add none. A tool whose name is taken already is left out.
    /// </summary>
    public static IReadOnlyList<Tool> WithItems(IReadOnlyList<Tool> tools, IReadOnlyList<Item> items)
    {
        ArgumentNullException.ThrowIfNull(tools);
        ArgumentNullException.ThrowIfNull(items);
        ToolParser? all = null;
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Kind is not (ItemKind.AdditionalTools or ItemKind.ToolSearchOutput))
            {
                continue;
            }

            if (all is null)
            {
                all = new ToolParser();
                all.Add(tools);
            }

            var added = new ToolParser();

            // The item was validated when it was accepted; what an older rule let through is left out.
            if (added.ReadArray(JsonView.Member(items[i].Json, "tools"u8), "tools") is null)
            {
                all.Add(added.Tools);
            }
        }

        return all?.Tools ?? tools;
    }

    /// <summary>The tools of a <c>tools</c> array as a response echoes it; none when it is not such an array.</summary>
    public static IReadOnlyList<Tool> FromEcho(ReadOnlyMemory<byte> toolsJson)
    {
        var parser = new ToolParser(serverTools: ServerToolRules.Echo);
        return parser.ReadArray(toolsJson, "tools") is null ? parser.Tools : [];
    }

    internal static ApiError? Check(string name, string path)
    {
        if (name.Length > MaxLength)
        {
            return ApiError.StringTooLong(path, MaxLength, name.Length);
        }

        return LegalName().IsMatch(name)
            ? null
            : ApiError.InvalidValue(path, $"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.");
    }

    private static Tool? FindExact(IReadOnlyList<Tool> tools, string name)
    {
        foreach (var tool in tools)
        {
            if (tool.UpstreamName == name)
            {
                return tool;
            }
        }

        return null;
    }

    [GeneratedRegex(@"\A[A-Za-z0-9_-]{1,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex LegalName();
}
