using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol;

namespace Gateway.Tools.Mcp;

/// <summary>
/// Collects the pages of <c>tools/list</c>. Reads them itself, since the client library gives up a whole list for one tool that is not as it should be.
/// </summary>
internal sealed class McpToolList(int maxTools, int maxBytes)
{
    private readonly List<McpTool> _tools = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private int _bytes;

    public IReadOnlyList<McpTool> Tools => _tools;

    /// <summary>Tools that can not be offered: without a name, with a name that was there before, or with a schema that is no object's.</summary>
    public int LeftOut { get; private set; }

    /// <summary>Adds the tools of a page.</summary>
    /// <param name="result">The result of the request.</param>
    /// <param name="cursor">Where the next page begins; null after the last.</param>
    /// <returns>Why the list can not be used; null if it can.</returns>
    public McpFailure? Add(JsonNode? result, out string? cursor)
    {
        cursor = null;
        var page = result.Deserialize<JsonElement>(McpJsonUtilities.DefaultOptions);
        if (page.ValueKind != JsonValueKind.Object || !page.TryGetProperty("tools", out var tools) || tools.ValueKind != JsonValueKind.Array)
        {
            return McpFailures.NotMcp();
        }

        foreach (var element in tools.EnumerateArray())
        {
            if (Read(element) is not { } tool || !_names.Add(tool.Name))
            {
                LeftOut++;
                continue;
            }

            _tools.Add(tool);
            _bytes += Encoding.UTF8.GetByteCount(tool.Name) + Encoding.UTF8.GetByteCount(tool.Description ?? string.Empty)
                + tool.InputSchema.Length + tool.Annotations.Length;
            if (_tools.Count > maxTools)
            {
                return new McpFailure(McpFailureKind.Protocol, null, $"The server has more than {maxTools} tools.");
            }

            if (_bytes > maxBytes)
            {
                return new McpFailure(McpFailureKind.Protocol, null, $"The descriptions of the server's tools have more than {maxBytes} bytes.");
            }
        }

        // Empty text is no place to go on from: it would begin anew.
        cursor = ReadText(page, "nextCursor") is { Length: > 0 } next ? next : null;
        return null;
    }

    private static McpTool? Read(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object || ReadText(element, "name") is not { Length: > 0 } name
            || !element.TryGetProperty("inputSchema", out var schema) || !DescribesObject(schema))
        {
            return null;
        }

        var annotations = element.TryGetProperty("annotations", out var hints) && hints.ValueKind == JsonValueKind.Object ? hints : default;
        var isReadOnly = IsTrue(annotations, "readOnlyHint");
        return new McpTool(
            name, ReadText(element, "description"), RawOf(schema), annotations.ValueKind == JsonValueKind.Object ? RawOf(annotations) : default,
            isReadOnly, isReadOnly || IsTrue(annotations, "idempotentHint"));
    }

    // MCP wants "type": "object"; servers that leave it out mean it.
    private static bool DescribesObject(JsonElement schema) => schema.ValueKind == JsonValueKind.Object
        && (!schema.TryGetProperty("type", out var type) || (type.ValueKind == JsonValueKind.String && type.ValueEquals("object"u8)));

    private static bool IsTrue(JsonElement hints, string name) =>
        hints.ValueKind == JsonValueKind.Object && hints.TryGetProperty(name, out var hint) && hint.ValueKind == JsonValueKind.True;

    private static string? ReadText(JsonElement element, string name)
    {
        try
        {
            return element.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            // An escape that is half a surrogate pair.
            return null;
        }
    }

    private static byte[] RawOf(JsonElement element) => JsonMarshal.GetRawUtf8Value(element).ToArray();
}
