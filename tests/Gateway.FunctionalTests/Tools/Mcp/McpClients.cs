using ModelContextProtocol.Client;

namespace Gateway.FunctionalTests.Tools.Mcp;

/// <summary>The plain client of the SDK, as the tests of the MCP servers use it.</summary>
internal static class McpClients
{
    public static Task<McpClient> ConnectAsync(Uri endpoint, HttpTransportMode mode = HttpTransportMode.AutoDetect, params IEnumerable<(string Name, string Value)> headers) =>
        McpClient.CreateAsync(
            new HttpClientTransport(new HttpClientTransportOptions
            {
                Endpoint = endpoint,
                TransportMode = mode,
                AdditionalHeaders = headers.ToDictionary(h => h.Name, h => h.Value),
            }),
            cancellationToken: TestContext.Current.CancellationToken);
}
