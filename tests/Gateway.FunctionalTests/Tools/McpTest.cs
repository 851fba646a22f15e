using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Tools;

/// <summary>What a test of server-run tools has at hand: an MCP server beside the gateway, which may reach it.</summary>
public abstract class McpTest(GatewayFixture fixture) : FunctionalTest(fixture)
{
    private protected TestMcpServer Server { get; set; } = null!;

    /// <summary>Starts an MCP server, and a gateway that may reach loopback addresses.</summary>
    private protected Task StartAsync(params (string Key, string Value)[] settings) => StartAsync(_ => settings);

    /// <summary>As above, with settings that need the MCP server's address.</summary>
    private protected async Task StartAsync(Func<TestMcpServer, IEnumerable<(string Key, string Value)>> settings)
    {
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo, TestMcpTools.Add, TestMcpTools.Failing);
        await UseOwnGatewayAsync([("Gateway:Tools:AllowedHosts:0", "127.0.0.1"), .. settings(Server)]);
    }

    /// <summary>The server as a tool of a request.</summary>
    private protected string Mcp(string label = "srv", string approval = "never", string more = "", TestMcpServer? server = null) =>
        $$"""{"type":"mcp","server_label":"{{label}}","server_url":"{{(server ?? Server).Endpoint}}","require_approval":"{{approval}}"{{more}}}""";

    /// <summary>An answer that calls these tools of the server, each with one argument.</summary>
    private protected static ChatAnswer Calls(params IEnumerable<(string Name, string Arguments)> calls) =>
        ChatAnswer.Call([.. calls.Select((call, i) => new ChatToolCall($"call_{i}", call.Name, call.Arguments))]);

    private protected static string Echo(string message) => $$"""{"message":"{{message}}"}""";

    /// <summary>The messages of the upstream's latest call, each as its role and what it says.</summary>
    private protected IEnumerable<string> Prompt => Upstream.LastCall.Messages.Select(message => Summary(message!));

    private protected async Task<JsonElement> CreateAsync(string json, bool streamed) =>
        streamed ? (await StreamAsync(json)).Final : await CreateAsync(json);

    private static string Summary(JsonNode message)
    {
        var calls = message["tool_calls"]?.AsArray().Select(call => $"{call!["function"]!["name"]}({call["function"]!["arguments"]})");
        return $"{message["role"]}: {message["content"]}{(calls is null ? "" : string.Join(' ', calls))}";
    }
}
