using System.Text.Json.Nodes;
using Gateway.FunctionalTests.Tools;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Sdk;

/// <summary>MCP tools through the openai npm package, run by node: js/mcp.mjs against a gateway whose upstream makes the calls that the user lists.</summary>
public sealed class JavaScriptMcpTests(GatewayFixture fixture, ITestOutputHelper output) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task EveryMcpCase_OfTheJavaScriptSdk_Passes()
    {
        await StartAsync();
        var other = Own(await TestMcpServer.StartAsync());
        other.Add(TestMcpTools.Saying("echo", "I am the other."));
        other.RequiredBearer = "secret";
        Upstream.Default = Obey;

        await NodeScript.RunAsync(
            "mcp.mjs", cases: 31, [new Uri(Gateway.BaseAddress, "/v1").AbsoluteUri, Server.Endpoint.AbsoluteUri, other.Endpoint.AbsoluteUri], output, Cancellation);
    }

    private static ChatScript Obey(JsonObject request)
    {
        var messages = request["messages"]!.AsArray();
        var order = (string?)messages.Last(message => (string?)message!["role"] == "user")!["content"];
        var results = messages.Where(message => (string?)message!["role"] == "tool").Select(message => (string?)message!["content"]).ToList();
        var answer = order switch
        {
            "roles" => ChatAnswer.Say(string.Join(' ', messages.Select(message => (string?)message!["role"]))),
            "loop" when request["tools"] is not null => Calls(("srv__echo", Echo($"{results.Count}"))),
            _ when results.Count > 0 => ChatAnswer.Say($"The tools said {string.Join(", ", results)}"),
            ['[', ..] => Calls(JsonNode.Parse(order)!.AsArray().Select(call => ((string)call![0]!, call[1]!.ToJsonString()))),
            _ => ChatAnswer.Say("Hello"),
        };
        return answer.For(request);
    }
}
