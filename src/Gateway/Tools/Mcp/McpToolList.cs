using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

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
        if (Member(result, "tools") is not JsonArray tools)
        {
            return McpFailures.NotMcp();
        }

        foreach (var entry in tools)
        {
            if (Read(entry) is not { } tool || !_names.Add(tool.Name))
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
        cursor = Text(result, "nextCursor") is { Length: > 0 } next ? next : null;
        return null;
    }

    private static McpTool? Read(JsonNode? entry)
    {
        try
        {
            if (Text(entry, "name") is not { Length: > 0 } name || Member(entry, "inputSchema") is not JsonObject schema || !DescribesObject(schema))
            {
                return null;
            }

            var annotations = Member(entry, "annotations") as JsonObject;
            var isReadOnly = IsTrue(annotations, "readOnlyHint");
            return new McpTool(
                name, Text(entry, "description"), RawOf(schema), annotations is null ? default : RawOf(annotations),
                isReadOnly, isReadOnly || IsTrue(annotations, "idempotentHint"));
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // Escapes that are half a surrogate pair; a member that is there twice.
            return null;
        }
    }

    // MCP wants "type": "object"; servers that leave it out mean it.
    private static bool DescribesObject(JsonObject schema) => Member(schema, "type") is null || Text(schema, "type") == "object";

    private static bool IsTrue(JsonNode? hints, string name) => Member(hints, name)?.GetValueKind() == JsonValueKind.True;

    private static string? Text(JsonNode? node, string name) => Member(node, name) is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static JsonNode? Member(JsonNode? node, string name) => node is JsonObject members && members.TryGetPropertyValue(name, out var member) ? member : null;

    private static byte[] RawOf(JsonObject node) => Encoding.UTF8.GetBytes(node.ToJsonString());
}
