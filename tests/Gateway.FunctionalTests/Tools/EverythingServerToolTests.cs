using System.Text.Json;
using Gateway.FunctionalTests.Tools.Mcp;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Tools;

/// <summary>The tools of an MCP server that is not of the SDK's making (npm's <c>server-everything</c>), listed and run by the gateway.</summary>
public sealed class EverythingServerToolTests(GatewayFixture fixture, EverythingServerFixture everything)
    : McpTest(fixture), IClassFixture<GatewayFixture>, IClassFixture<EverythingServerFixture>
{
    [Theory]
    [InlineData("mcp", false, true)]
    [InlineData("mcp", true, true)]
    [InlineData("sse", true, false)]
    [InlineData("sse", false, false)]
    public async Task Tools_OfEitherTransportAndType_AreListedAndRun(string type, bool legacySse, bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(
            Calls(
                ("all__echo", """{"message":"hello"}"""), ("all__get-sum", """{"a":2,"b":3}"""), ("all__get-structured-content", """{"location":"Chicago"}"""),
                ("all__get-tiny-image", "{}"), ("all__get-resource-links", """{"count":2}""")),
            ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Everything(type, legacySse)}}]}""", streamed);

        Assert.Superset(
            new HashSet<string?> { "echo", "get-sum", "get-structured-content", "get-tiny-image", "get-resource-links", "trigger-long-running-operation" },
            response.Each("output[0].tools").Select(tool => tool.Text("name")).ToHashSet());
        var calls = response.Each("output").Where(item => item.Text("type") == "mcp_call").ToArray();
        Assert.All(calls, call => Assert.Equal("completed", call.Text("status")));
        var outputs = calls.Select(call => call.Text("output")!).ToArray();
        Assert.Equal(["Echo: hello", "The sum of 2 and 3 is 5."], outputs[..2]);
        Assert.Equal(36, JsonElement.Parse(outputs[2]).Number("temperature"));
        Assert.Matches(@"^[^\n]+\n\[image image/png, [0-9,]+ bytes\]\n[^\n]+$", outputs[3]);
        Assert.Equal(2, outputs[4].Split('\n').Count(line => line.StartsWith("[resource link demo://resource/dynamic/", StringComparison.Ordinal)));
        Assert.Equal(outputs, Upstream.LastCall.Messages.Where(message => (string?)message!["role"] == "tool").Select(message => (string)message!["content"]!));
        Assert.Equal("Done.", response.OutputText());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OtherContent_IsReadableForTheModel(bool legacySse)
    {
        await StartAsync();
        Upstream.Enqueue(
            Calls(
                ("all__get-annotated-message", """{"messageType":"error","includeImage":true}"""),
                ("all__get-resource-reference", """{"resourceType":"Text","resourceId":1}"""),
                ("all__get-resource-reference", """{"resourceType":"Blob","resourceId":2}""")),
            ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Everything("mcp", legacySse)}}]}""");

        var outputs = response.Each("output").Where(item => item.Text("type") == "mcp_call").Select(call => call.Text("output")!).ToArray();
        Assert.Matches(@"^Error: Operation failed\n\[image image/png, [0-9,]+ bytes\]$", outputs[0]);
        Assert.Matches(@"\n\[resource demo://resource/dynamic/text/1\]\nResource 1: This is a plaintext resource", outputs[1]);
        Assert.Matches(@"\n\[resource demo://resource/dynamic/blob/2, text/plain, [0-9]+ bytes\]\n", outputs[2]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ToolThatTheProtocolRunsInAnotherWay_FailsAndTheModelGoesOn(bool legacySse)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("all__simulate-research-query", """{"topic":"x"}"""))).Enqueue(ChatAnswer.Say("I can not."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Everything("mcp", legacySse)}}]}""");

        Assert.Equal("failed", response.Text("output[1].status"));
        Assert.Contains("requires task augmentation", response.Text("output[1].error"), StringComparison.Ordinal);
        Assert.Equal("I can not.", response.OutputText());
    }

    [Theory]
    [InlineData("mcp", false)]
    [InlineData("sse", true)]
    public async Task Tools_InFireworksDialect_AreRunAndTheirOutputsAreItems(string type, bool legacySse)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("all__echo", """{"message":"hello"}"""), ("all__get-sum", """{"a":"two"}"""))).Enqueue(ChatAnswer.Say("Done."));

        var response = (await PostAsync(
            WithModel($$"""{"input":"Go","tools":[{{Everything(type, legacySse)}}]}"""), path: "/inference/v1/responses")).AssertOk();

        Assert.Equal(["message", "mcp_call", "tool_output", "mcp_call", "tool_output", "message"], response.Types("output"));
        Assert.Equal(("completed", "Echo: hello"), (response.Text("output[1].status"), response.Text("output[2].output")));
        Assert.Equal("failed", response.Text("output[3].status"));
        Assert.Contains("get-sum", response.Text("output[4].output"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LongOperation_IsWaitedFor(bool legacySse)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("all__trigger-long-running-operation", """{"duration":0.2,"steps":4}"""))).Enqueue(ChatAnswer.Say("Done."));

        var response = (await StreamAsync($$"""{"input":"Go","tools":[{{Everything("mcp", legacySse)}}]}""")).Final;

        Assert.Equal("Long running operation completed. Duration: 0.2 seconds, Steps: 4.", response.Text("output[1].output"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LongOperation_BeyondTheTimeOfACall_FailsAndTheModelGoesOn(bool legacySse)
    {
        await StartAsync(("Gateway:Tools:Mcp:CallTimeout", "00:00:00.5"));
        Upstream.Enqueue(Calls(("all__trigger-long-running-operation", """{"duration":600,"steps":600}"""))).Enqueue(ChatAnswer.Say("It took too long."));

        var response = (await StreamAsync($$"""{"input":"Go","tools":[{{Everything("mcp", legacySse)}}]}""")).Final;

        Assert.Equal("failed", response.Text("output[1].status"));
        Assert.Equal("It took too long.", response.OutputText());
    }

    [Theory]
    [InlineData("mcp", false)]
    [InlineData("mcp", true)]
    [InlineData("sse", true)]
    public async Task Approval_GoesRound(string type, bool legacySse)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("all__get-sum", """{"a":2,"b":3}"""))).Enqueue(ChatAnswer.Say("Five."));
        var tools = $"[{Everything(type, legacySse, approval: "always")}]";
        var asked = await CreateAsync($$"""{"input":"Go","tools":{{tools}}}""");

        var answered = await CreateAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":{{tools}},
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Text("output[1].id")}}","approve":true}]}
            """);

        Assert.Equal("The sum of 2 and 3 is 5.", answered.Text("output[0].output"));
        Assert.Equal("Five.", answered.OutputText());
    }

    private string Everything(string type, bool legacySse, string approval = "never")
    {
        var url = (legacySse ? everything.LegacySse : everything.StreamableHttp).Endpoint;
        return $$"""{"type":"{{type}}","server_label":"all","server_url":"{{url}}","require_approval":"{{approval}}"}""";
    }
}
