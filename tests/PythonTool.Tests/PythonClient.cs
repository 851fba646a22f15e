using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace PythonTool.Tests;

/// <summary>The stock MCP client, with a shorter way to call.</summary>
internal static class PythonClient
{
    public static Task<McpClient> ConnectAsync(string address, string? key = null) => McpClient.CreateAsync(new HttpClientTransport(new HttpClientTransportOptions
    {
        Endpoint = new Uri(address + "/mcp"),
        TransportMode = HttpTransportMode.StreamableHttp,
        AdditionalHeaders = key is null ? null : new Dictionary<string, string> { ["Authorization"] = "Bearer " + key },
    }));

    public static Task<PythonCall> RunAsync(
        this McpClient client, string code, string? session = null, CancellationToken cancellationToken = default) =>
        client.RunAsync(JsonSerializer.SerializeToElement(code), session, cancellationToken);

    public static async Task<PythonCall> RunAsync(
        this McpClient client, JsonElement code, JsonNode? session, CancellationToken cancellationToken = default) =>
        PythonCall.From(await client.CallToolAsync(
            new CallToolRequestParams
            {
                Name = "python",
                Arguments = new Dictionary<string, JsonElement> { ["code"] = code },
                Meta = session is null ? null : new JsonObject { ["responses-gateway/session"] = session },
            },
            cancellationToken));
}
