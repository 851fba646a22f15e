using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Gateway.Testing.Mcp;

/// <summary>A tool of <see cref="TestMcpServer"/>: how it is listed, and what a call of it does.</summary>
public sealed record TestMcpTool(string Name, McpToolHandler Handler)
{
    public string? Title { get; init; }

    public string? Description { get; init; }

    /// <summary>The JSON schema of the arguments. It is listed as it is, also when it is none.</summary>
    public JsonNode? InputSchema { get; init; } = new JsonObject { ["type"] = "object" };

    /// <summary>The JSON schema of <c>structuredContent</c>; null for none.</summary>
    public JsonNode? OutputSchema { get; init; }

    public ToolAnnotations? Annotations { get; init; }

    /// <summary>The entry of <c>tools/list</c>.</summary>
    internal JsonObject ToEntry()
    {
        var entry = new JsonObject { ["name"] = Name };
        if (Title is not null)
        {
            entry["title"] = Title;
        }

        if (Description is not null)
        {
            entry["description"] = Description;
        }

        entry["inputSchema"] = InputSchema?.DeepClone();
        if (OutputSchema is not null)
        {
            entry["outputSchema"] = OutputSchema.DeepClone();
        }

        if (Annotations is not null)
        {
            entry["annotations"] = JsonSerializer.SerializeToNode(Annotations, McpJsonUtilities.DefaultOptions);
        }

        return entry;
    }
}
