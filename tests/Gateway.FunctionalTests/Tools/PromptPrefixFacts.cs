using System.Text;
using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.FunctionalTests.Runs;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Tools;

/// <summary>
/// What a server's prompt cache needs: the request of a turn begins with the messages of the one before, byte for byte, and has the same tools, whatever
/// the turns hold, on every store, and whichever replica makes them.
/// </summary>
public abstract class PromptPrefixFacts(GatewayFixture fixture) : RunTest(fixture)
{
    private const string Weather = """{"type":"function","name":"get_weather","description":"Wetter \u00fcberall \"genau\"","parameters":{ "type":"object", "properties":{"city":{"type":"string"}} },"strict":true}""";
    private const string Patch = """{"type":"custom","name":"patch","description":"Patches"}""";

    private readonly List<TestGateway> _replicas = [];
    private int _turns;

    [Fact]
    public async Task TextAndStructuredOutput_BeginsWithTheTurnBefore()
    {
        await StartOwnAsync();
        const string more = """
            "instructions":"Sei nett, \u00fcberall 👋.","text":{"format":{"type":"json_schema","name":"s","strict":true,"schema":{ "type":"object","properties":{"a":{"type":"string"}} }}}
            """;
        Upstream.Enqueue(ChatAnswer.Say("""{"a":"é \"q\" \\ 你好 👋🏽"}"""), ChatAnswer.Say("\n<b>&amp;'</b>\t"), ChatAnswer.Say("Drei"));

        await TurnsAsync($$"""{{more}},"input":"Q1 \u00fc \/ \"x\""}""", $$"""{{more}},"input":[{"role":"user","content":[{"type":"input_text","text":"Q2 \n"},{"type":"input_text","text":"more"}]}]}""", $$"""{{more}},"input":"Q3"}""");

        AssertPrefixes(3);
    }

    [Fact]
    public async Task StructuredOutputInThePrompt_BeginsWithTheTurnBefore()
    {
        await StartOwnAsync(("Gateway:Upstreams:main:ProfileOptions:json_schema", "json_object_plus_prompt"));
        const string more = """
            "text":{"format":{"type":"json_schema","name":"s","schema":{ "type":"object","properties":{"a":{"type":"string"}} }}}
            """;

        // A line break makes the gateway read a body without its white space.
        await TurnsAsync($$"""{{more}},"input":"Q1"}""", $$"""{{more}},"input":"Q2"}""" + "\n", $$"""{{more}},"input":"Q3"}""");

        AssertPrefixes(3);
    }

    [Theory]
    [InlineData("generic", "")]
    [InlineData("vllm", "\"reasoning\":{\"context\":\"all_turns\"},")]
    [InlineData("deepseek", "\"reasoning\":{\"context\":\"all_turns\"},")]
    public async Task Reasoning_BeginsWithTheTurnBefore(string profile, string more)
    {
        await StartOwnAsync(("Gateway:Upstreams:main:Profile", profile));
        Upstream.Enqueue(
            new ChatAnswer { Reasoning = "Hm \"so\".", Text = "A1" },
            new ChatAnswer { Reasoning = "Then", ToolCalls = [new ChatToolCall("call_a", "get_weather", """{"city":"Oslo"}""")] },
            new ChatAnswer { Reasoning = "Ah.", Text = "A2" });
        var tools = $$"""{{more}}"tools":[{{Weather}}]""";
        var first = await TurnAsync(null, $$"""{{tools}},"input":"Q1"}""");
        var second = await TurnAsync(first, $$"""{{tools}},"input":"Q2"}""");
        var third = await TurnAsync(second, $$"""{{tools}},"input":[{"type":"function_call_output","call_id":"{{second.Text("output[1].call_id")}}","output":"rain"}]}""");
        await TurnAsync(third, $$"""{{tools}},"input":"Q4"}""");

        AssertPrefixes(4);
    }

    [Theory]
    [InlineData("vllm")]
    [InlineData("deepseek")]
    public async Task ReasoningWithinAToolLoop_BeginsWithTheTurnBefore(string profile)
    {
        await StartOwnAsync(("Gateway:Upstreams:main:Profile", profile));
        Upstream.Enqueue(
            new ChatAnswer { Reasoning = "One", ToolCalls = [new ChatToolCall("call_a", "get_weather", "{}")] },
            new ChatAnswer { Reasoning = "Two", ToolCalls = [new ChatToolCall("call_b", "get_weather", "{}")] });
        var tools = $$"""
            "tools":[{{Weather}}]
            """;
        var first = await TurnAsync(null, $$"""{{tools}},"input":"Q1"}""");
        var second = await TurnAsync(first, $$"""{{tools}},"input":[{"type":"function_call_output","call_id":"{{first.Text("output[1].call_id")}}","output":"rain"}]}""");
        await TurnAsync(second, $$"""{{tools}},"input":[{"type":"function_call_output","call_id":"{{second.Text("output[1].call_id")}}","output":"sun"}]}""");

        AssertPrefixes(3);
    }

    [Fact]
    public async Task ImagesAndFiles_BeginsWithTheTurnBefore()
    {
        await StartOwnAsync();
        const string image = """{"type":"input_image","image_url":"data:image\/png;base64,iVBORw0KGgo=","detail":"high"}""";
        const string file = """{"type":"input_file","filename":"a.txt","file_data":"data:text/plain;base64,SGkgIngi"}""";
        Upstream.Enqueue(ChatAnswer.Say("A1"), ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", "{}")), ChatAnswer.Say("A3"));
        var first = await TurnAsync(null, $$"""
            "input":[{"role":"user","content":[{"type":"input_text","text":"What?"},{{image}},{{file}}]}],"tools":[{{Weather}}]}
            """);
        var second = await TurnAsync(first, $$"""
            "input":[{"role":"user","content":[{"type":"input_image","image_url":"https://images.example/a.png?x=1&y=2"}]}],"tools":[{{Weather}}]}
            """);
        var third = await TurnAsync(second, $$"""
            "input":[{"type":"function_call_output","call_id":"{{second.Text("output[0].call_id")}}","output":[{"type":"input_text","text":"rain"},{{image}}]}],"tools":[{{Weather}}]}
            """);
        await TurnAsync(third, $$"""
            "input":"Q4","tools":[{{Weather}}]}
            """);

        AssertPrefixes(4);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task CallsOfTheClient_BeginsWithTheTurnBefore(bool streamed)
    {
        await StartOwnAsync();
        var tools = $$"""
            "stream":{{(streamed ? "true" : "false")}},"tools":[{{Weather}},{{Patch}}]
            """;
        Upstream.Enqueue(
            ChatAnswer.Call(new ChatToolCall("functions.get_weather:0", "get_weather", """{ "city" : "Oslo\u00e9" }"""), new ChatToolCall("", "patch", """{"input":"*** Begin \"x\"\n"}""")) with { Text = "Let me see." },
            ChatAnswer.Call(new ChatToolCall("functions.get_weather:0", "get_weather", "not json")),
            ChatAnswer.Say("Done."));
        var first = await TurnAsync(null, $$"""{{tools}},"input":"Q1"}""");
        var second = await TurnAsync(first, $$"""
            {{tools}},"input":[{"type":"custom_tool_call_output","call_id":"{{first.Text("output[2].call_id")}}","output":"ok"},
             {"type":"function_call_output","call_id":"{{first.Text("output[1].call_id")}}","output":"{\"t\":1.50}"}]}
            """);
        var third = await TurnAsync(second, $$"""{{tools}},"input":[{"type":"function_call_output","call_id":"{{second.Text("output[0].call_id")}}","output":""}]}""");
        await TurnAsync(third, $$"""{{tools}},"input":"Q4"}""");

        AssertPrefixes(4);
    }

    [Fact]
    public async Task CallsOfTheGateway_BeginsWithTheTurnBefore()
    {
        await StartOwnAsync();
        var tools = $$"""
            "tools":[{{Weather}},{{Mcp()}},{{Mcp("two")}}]
            """;
        Upstream.Enqueue(
            Calls(("srv__echo", Echo("é 👋")), ("two__add", """{"a":1,"b":2.50}""")) with { Text = "First." },
            Calls(("srv__failing", "{}")),
            ChatAnswer.Say("A1"),
            Calls(("two__echo", Echo("x")), ("get_weather", "{}")),
            Calls(("srv__echo", Echo("y"))),
            ChatAnswer.Say("A3"));
        var first = await TurnAsync(null, $$"""{{tools}},"input":"Q1"}""");
        var second = await TurnAsync(first, $$"""{{tools}},"input":"Q2"}""");
        var third = await TurnAsync(second, $$"""
            {{tools}},"input":[{"type":"function_call_output","call_id":"{{second.Each("output").Single(item => item.Text("type") == "function_call").Text("call_id")}}","output":"rain"}]}
            """);
        await TurnAsync(third, $$"""{{tools}},"input":"Q4"}""");

        AssertPrefixes(7);
    }

    [Fact]
    public async Task Conversation_BeginsWithTheTurnBefore()
    {
        await StartOwnAsync();
        var tools = $$"""
            "tools":[{{Weather}},{{Mcp()}}]
            """;
        Upstream.Enqueue(
            Calls(("srv__echo", Echo("a"))),
            ChatAnswer.Call(new ChatToolCall("call_b", "get_weather", "{}")),
            ChatAnswer.Say("A2"),
            new ChatAnswer { Reasoning = "Hm", Text = "A3" });
        var conversation = (await PostAsync("""{"items":[{"role":"user","content":"Before"},{"role":"assistant","content":"Yes"}]}""", path: "/v1/conversations")).AssertOk().Text("id");
        var named = $$"""
            "conversation":"{{conversation}}",{{tools}}
            """;
        var first = await TurnAsync(null, $$"""{{named}},"input":"Q1"}""");
        await TurnAsync(null, $$"""{{named}},"input":[{"type":"function_call_output","call_id":"{{first.Each("output").Last().Text("call_id")}}","output":"rain"}]}""");
        await TurnAsync(null, $$"""{{named}},"input":[{"role":"user","content":"Q3"}]}""");
        await TurnAsync(null, $$"""{{named}},"input":"Q4"}""");

        AssertPrefixes(5);
    }

    [Fact]
    public async Task Background_BeginsWithTheTurnBefore()
    {
        await StartOwnAsync();
        var tools = $$"""
            "tools":[{{Mcp()}}]
            """;
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))), ChatAnswer.Say("A1"));
        var queued = await QueueAsync($$"""{ {{tools}},"input":"Q1"}""");
        var first = await PollAsync(queued.Text("id")!, "completed");

        await TurnAsync(first, $$"""{{tools}},"input":"Q2"}""");

        AssertPrefixes(3);
    }

    /// <summary>Starts a gateway, or on a shared store two of them.</summary>
    private async Task StartOwnAsync(params (string Key, string Value)[] settings)
    {
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo, TestMcpTools.Add, TestMcpTools.Failing);
        await UseOwnUpstreamAsync();
        var options = GatewayFixture.OptionsFor(Upstream, [("Gateway:Tools:AllowedHosts:0", "127.0.0.1"), .. settings]) with
        {
            Redis = OnRedis ? Own(await TestRedis.StartAsync()).ConnectionString : null,
        };
        _replicas.Add(await UseGatewayAsync(options));
        if (OnRedis)
        {
            _replicas.Add(await UseGatewayAsync(options));
        }
    }

    /// <summary>Makes turns of one chain, each by another replica than the one before.</summary>
    private async Task TurnsAsync(params string[] requests)
    {
        JsonElement? last = null;
        foreach (var request in requests)
        {
            last = await TurnAsync(last, request);
        }
    }

    /// <param name="parent">What the turn follows; null when it begins a chain, or is in a conversation.</param>
    /// <param name="request">The request without the brace at its beginning, its model and its parent.</param>
    private async Task<JsonElement> TurnAsync(JsonElement? parent, string request)
    {
        var gateway = _replicas[_turns++ % _replicas.Count];
        var follows = parent is { } response ? $"\"previous_response_id\":\"{response.Text("id")}\"," : "";
        using var content = new StringContent(WithModel($"{{{follows}{request}"), Encoding.UTF8, "application/json");
        using var reply = await gateway.Client.PostAsync(new Uri("/v1/responses", UriKind.Relative), content, Cancellation);
        var body = await reply.Content.ReadAsStringAsync(Cancellation);
        Assert.True(reply.IsSuccessStatusCode, body);
        return reply.Content.Headers.ContentType?.MediaType == "text/event-stream" ? ResponseStream.Parse(body).Final : JsonElement.Parse(body);
    }

    /// <summary>There were so many requests, each of which begins with the one before.</summary>
    private void AssertPrefixes(int count)
    {
        Assert.Equal(count, Upstream.Calls.Count);
        for (var i = 1; i < count; i++)
        {
            var (before, after) = (Raw(i - 1, "messages"), Raw(i, "messages"));
            Assert.StartsWith(before[..^1] + ",", after, StringComparison.Ordinal);
            Assert.Equal(Raw(i - 1, "tools"), Raw(i, "tools"));
        }
    }

    /// <summary>A member of a request as it stands on the wire.</summary>
    private string Raw(int call, string member)
    {
        var request = JsonElement.Parse(Upstream.Calls[call].RawBody.Span);
        return request.TryGetProperty(member, out var value) ? value.GetRawText() : "";
    }
}
