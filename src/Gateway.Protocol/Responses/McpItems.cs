using Gateway.Protocol.Json;

namespace Gateway.Protocol.Responses;

/// <summary>Reads the items of MCP tools (Responses API reference, "MCP list tools", "MCP call", "MCP approval request").</summary>
public static class McpItems
{
    /// <summary>The <c>approval_request_id</c> of a call or of an approval's answer, or null.</summary>
    public static string? ApprovalRequestIdOf(in Item item) => JsonView.Text(JsonView.Member(item.Json, "approval_request_id"u8));

    /// <summary>The answer to an approval request is yes.</summary>
    public static bool IsApproved(in Item response) => JsonView.Member(response.Json, "approve"u8).Span.SequenceEqual("true"u8);

    /// <summary>The label of the server that the item is about, or null.</summary>
    public static string? ServerLabelOf(in Item item) => JsonView.Text(JsonView.Member(item.Json, "server_label"u8));

    /// <summary>The name of the tool that was called, or null.</summary>
    public static string? NameOf(in Item item) => JsonView.Text(JsonView.Member(item.Json, "name"u8));

    /// <summary>The arguments of the call, or null.</summary>
    public static string? ArgumentsOf(in Item item) => JsonView.Text(JsonView.Member(item.Json, "arguments"u8));

    /// <summary>The list failed: it holds no tools and can not stand for another.</summary>
    public static bool HasError(in Item item)
    {
        var error = JsonView.Member(item.Json, "error"u8);
        return !error.IsEmpty && !JsonView.IsNull(error);
    }

    /// <summary>The tools of an <c>mcp_list_tools</c> item. Elements that are no tools are left out.</summary>
    public static IReadOnlyList<McpListedTool> ToolsOf(in Item list)
    {
        var tools = new List<McpListedTool>();
        foreach (var json in JsonView.Elements(JsonView.Member(list.Json, "tools"u8)))
        {
            if (JsonView.Text(JsonView.Member(json, "name"u8)) is { Length: > 0 } name)
            {
                var schema = JsonView.Member(json, "input_schema"u8);
                var annotations = JsonView.Member(json, "annotations"u8);
                var isReadOnly = JsonView.Member(annotations, "readOnlyHint"u8).Span.SequenceEqual("true"u8);
                var isIdempotent = JsonView.Member(annotations, "idempotentHint"u8).Span.SequenceEqual("true"u8);
                tools.Add(new McpListedTool(
                    name, JsonView.Text(JsonView.Member(json, "description"u8)), JsonView.IsObject(schema) ? schema : default, isReadOnly, isReadOnly || isIdempotent));
            }
        }

        return tools;
    }

    /// <summary>The tools of an <c>mcp_list_tools</c> item as they are: a JSON array.</summary>
    public static ReadOnlyMemory<byte> ListOf(in Item list) => JsonView.Member(list.Json, "tools"u8);

    /// <summary>Appends the call without its outcome, and the outcome as a <c>tool_output</c> item behind it.</summary>
    public static void WriteSplit(ReadOnlyMemory<byte> call, PooledBuffer output)
    {
        ArgumentNullException.ThrowIfNull(output);
        ReadOnlyMemory<byte> id = default;
        ReadOnlyMemory<byte> outcome = default;
        ReadOnlyMemory<byte> error = default;
        var separator = (byte)'{';
        foreach (var member in JsonView.Members(call))
        {
            if (member.Is("output"u8))
            {
                outcome = member.Value;
                continue;
            }

            if (member.Is("error"u8))
            {
                error = member.Value;
                continue;
            }

            id = member.Is("id"u8) ? member.Value : id;
            output.Append(separator);
            output.Append((byte)'"');
            output.Append(member.Name);
            output.Append("\":"u8);
            output.Append(member.Value.Span);
            separator = (byte)',';
        }

        output.Append("},{\"type\":\"tool_output\",\"tool_call_id\":"u8);
        output.Append(id.Span);
        output.Append(",\"output\":"u8);
        output.Append(!error.IsEmpty && !JsonView.IsNull(error) ? error.Span : outcome.IsEmpty ? "null"u8 : outcome.Span);
        output.Append((byte)'}');
    }
}
