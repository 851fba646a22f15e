using Gateway.Protocol.Json;
using Gateway.Tools.Mcp;

namespace Gateway.Tools;

/// <summary>The <c>tools</c> of an <c>mcp_list_tools</c> item (Responses API reference, "MCP list tools").</summary>
internal static class McpListJson
{
    public static byte[] Write(IReadOnlyList<McpTool> tools)
    {
        using var json = new PooledBuffer(1024);
        json.Append((byte)'[');
        for (var i = 0; i < tools.Count; i++)
        {
            var tool = tools[i];
            json.Append(i == 0 ? "{\"name\":"u8 : ",{\"name\":"u8);
            json.AppendString(tool.Name);
            json.Append(",\"input_schema\":"u8);
            json.Append(tool.InputSchema.Span);

            // Left out rather than null: strict clients refuse a null here.
            if (tool.Description is not null)
            {
                json.Append(",\"description\":"u8);
                json.AppendString(tool.Description);
            }

            if (!tool.Annotations.IsEmpty)
            {
                json.Append(",\"annotations\":"u8);
                json.Append(tool.Annotations.Span);
            }

            json.Append((byte)'}');
        }

        json.Append((byte)']');
        return json.WrittenSpan.ToArray();
    }
}
