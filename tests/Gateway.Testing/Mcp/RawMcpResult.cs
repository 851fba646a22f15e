using System.Text.Json.Nodes;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Gateway.Testing.Mcp;

/// <summary>
/// Lets a handler answer with JSON that the SDK's types refuse: the JSON travels in the <c>_meta</c> of an empty result, and a filter puts its
/// members in the result's place just before it is sent.
/// </summary>
internal static class RawMcpResult
{
    private const string Key = "raw";

    public static CallToolResult ForCall(JsonObject result) => new() { Meta = Wrap(result) };

    public static ListToolsResult ForListing(JsonObject result) => new() { Meta = Wrap(result) };

    /// <summary>The filter of outgoing messages.</summary>
    public static McpMessageHandler Unwrap(McpMessageHandler next) => (context, cancellationToken) =>
    {
        if (context.JsonRpcMessage is JsonRpcResponse { Result: JsonObject result } && result["_meta"] is JsonObject meta && meta[Key] is JsonObject raw)
        {
            // What the protocol's revision adds to a result stays; the content of an empty one does not.
            result.Remove("content");
            meta.Remove(Key);
            if (meta.Count == 0)
            {
                result.Remove("_meta");
            }

            foreach (var (name, value) in raw)
            {
                result[name] = value?.DeepClone();
            }
        }

        return next(context, cancellationToken);
    };

    private static JsonObject Wrap(JsonObject result) => new() { [Key] = result.DeepClone() };
}
