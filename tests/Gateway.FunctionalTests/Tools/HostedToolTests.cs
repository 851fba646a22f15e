using System.Text.Json.Nodes;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;
using ModelContextProtocol.Protocol;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Hosted tools that the operator has bound to a server of its own: the API's own items and events over calls of that server.</summary>
public sealed class HostedToolTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private static readonly TestMcpTool Files = new("find", (_, _, _) => Task.FromResult(TestMcpTools.Text(
        "A passage", new JsonObject { ["results"] = new JsonArray(new JsonObject { ["file_id"] = "file_1", ["filename"] = "a.txt", ["score"] = 0.5, ["text"] = "A passage" }) })));

    private static readonly TestMcpTool Painter = new("paint", (_, _, _) => Task.FromResult(new CallToolResult { Content = [ImageContentBlock.FromBytes(TestMcpTools.Png, "image/png")] }));

    [Theory]
    [InlineData("web_search")]
    [InlineData("web_search_2025_08_26")]
    [InlineData("web_search_preview")]
    [InlineData("web_search_preview_2025_03_11")]
    public async Task WebSearch_UnderEachOfItsNames_HasItsItemsAndEvents(string type)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("web_search", """{"query":"cats"}""")), ChatAnswer.Say("Done."));

        var stream = await StreamAsync($$$"""{"input":"Go","tools":[{"type":"{{{type}}}","filters":{"allowed_domains":["a.example"]}}]}""");

        Assert.Equal(
            ["output_item.added", "web_search_call.in_progress", "web_search_call.searching", "web_search_call.completed", "output_item.done"], ItemEvents(stream.Types));
        var item = stream.Final.At("output[0]");
        Assert.Equal(("web_search_call", "completed", "search", "cats"), (item.Text("type"), item.Text("status"), item.Text("action.type"), item.Text("action.query")));
        Assert.Equal("""{"domains":["a.example"],"lang":"en","message":"cats"}""", Server.Calls[0].Arguments!.ToJsonString());
        Assert.Equal("tool: Echo: cats", Prompt.Last());
        Assert.Equal(type, stream.Final.Text("tools[0].type"));
        Assert.Equal(["web_search"], Gateway.Metrics.Of("gateway.tool.call.duration").Select(m => (string?)m.Tags["tool"]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task FileSearch_ShowsItsResultsOnlyWhenAsked(bool included)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("file_search", """{"query":"cats"}""")), ChatAnswer.Say("Done."));
        var include = included ? "\"include\":[\"file_search_call.results\"]," : "";

        var stream = await StreamAsync($$$"""{{{{include}}}"input":"Go","tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}""");

        Assert.Equal(
            ["output_item.added", "file_search_call.in_progress", "file_search_call.searching", "file_search_call.completed", "output_item.done"], ItemEvents(stream.Types));
        var item = stream.Final.At("output[0]");
        Assert.Equal(("file_search_call", "completed", "cats"), (item.Text("type"), item.Text("status"), item.Text("queries[0]")));
        Assert.Equal(included ? "a.txt" : null, item.Find("results[0].filename")?.GetString());
        Assert.Equal("tool: A passage", Prompt.Last());
        Assert.Equal("""{"q":"cats","stores":["vs_1"]}""", Server.Calls[0].Arguments!.ToJsonString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task CodeInterpreter_ShowsItsCodeAndItsOutputsOnlyWhenAsked(bool included)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("code_interpreter", """{"code":"1 + 1"}""")), ChatAnswer.Say("Done."));
        var include = included ? "\"include\":[\"code_interpreter_call.outputs\"]," : "";

        var stream = await StreamAsync($$$$"""{{{{{include}}}}"input":"Go","tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}""");

        Assert.Equal(
            [
                "output_item.added", "code_interpreter_call.in_progress", "code_interpreter_call_code.delta", "code_interpreter_call_code.done",
                "code_interpreter_call.interpreting", "code_interpreter_call.completed", "output_item.done",
            ],
            ItemEvents(stream.Types));
        var item = stream.Final.At("output[0]");
        Assert.Equal(("code_interpreter_call", "completed", "1 + 1"), (item.Text("type"), item.Text("status"), item.Text("code")));
        Assert.StartsWith("cntr_", item.Text("container_id"), StringComparison.Ordinal);
        Assert.Equal(included ? "Echo: 1 + 1" : null, item.Find("outputs[0].logs")?.GetString());
        Assert.Equal("tool: Echo: 1 + 1", Prompt.Last());

        // The next turn of the chain has the same container, and the model sees the output that the client did not.
        Upstream.Enqueue(Calls(("code_interpreter", """{"code":"2"}""")), ChatAnswer.Say("Done."));
        var next = await CreateAsync(
            $$$"""{"input":"More","previous_response_id":"{{{stream.Id}}}","tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}""");
        Assert.Equal(item.Text("container_id"), next.Text("output[0].container_id"));
        Assert.Equal(
            ["user: Go", """assistant: code_interpreter({"code":"1 + 1"})""", "tool: Echo: 1 + 1", "assistant: Done.", "user: More", """assistant: code_interpreter({"code":"2"})""", "tool: Echo: 2"],
            Prompt);
    }

    [Fact]
    public async Task CallThatCanNotBeMade_FailsInItsOwnForm()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("web_search", "[1]"), ("file_search", "[1]")), ChatAnswer.Say("Done."));

        var response = await CreateAsync("""{"input":"Go","tools":[{"type":"web_search"},{"type":"file_search","vector_store_ids":["vs_1"]}]}""");

        Assert.Equal(["action", "id", "status", "type"], response.At("output[0]").EnumerateObject().Select(member => member.Name).Order());
        Assert.Equal(["id", "queries", "results", "status", "type"], response.At("output[1]").EnumerateObject().Select(member => member.Name).Order());
        Assert.Equal(("failed", "failed"), (response.Text("output[0].status"), response.Text("output[1].status")));
        Assert.Equal("tool: The arguments are not a JSON object.", Prompt.Last());
        Assert.Empty(Server.Calls);
    }

    [Fact]
    public async Task Python_IsAnMcpCall()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("python", """{"code":"1 + 1"}""")), ChatAnswer.Say("Done."));

        var response = await CreateAsync("""{"input":"Go","tools":[{"type":"python"}]}""");

        Assert.Equal(["mcp_call", "message"], response.Types("output"));
        var call = response.At("output[0]");
        Assert.Equal(
            ("python", "python", """{"code":"1 + 1"}""", "Echo: 1 + 1"), (call.Text("server_label"), call.Text("name"), call.Text("arguments"), call.Text("output")));

        await CreateAsync($$$"""{"input":"More","previous_response_id":"{{{response.Text("id")}}}","tools":[{"type":"python"}]}""");
        Assert.Equal(["user: Go", """assistant: python({"code":"1 + 1"})""", "tool: Echo: 1 + 1", "assistant: Done.", "user: More"], Prompt);
    }

    [Fact]
    public async Task ImageGeneration_ShowsTheImageToTheUserAndNotToTheModel()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("image_generation", """{"prompt":"a cat"}""")), ChatAnswer.Say("Done."));

        var stream = await StreamAsync("""{"input":"Go","tools":[{"type":"image_generation"}]}""");

        Assert.Equal(
            ["output_item.added", "image_generation_call.in_progress", "image_generation_call.generating", "image_generation_call.completed", "output_item.done"],
            ItemEvents(stream.Types));
        Assert.Equal(Convert.ToBase64String(TestMcpTools.Png.Span), stream.Final.Text("output[0].result"));
        Assert.Equal("tool: The image was made and is shown to the user.", Prompt.Last());
    }

    [Theory]
    [InlineData("web_search", "web_search", "query")]
    [InlineData("file_search", "file_search", "query")]
    [InlineData("code_interpreter", "code_interpreter", "code")]
    [InlineData("image_generation", "image_generation", "prompt")]
    [InlineData("python", "python", "code")]
    public async Task HostedCallThatFails_IsToldAndTheLoopGoesOn(string type, string name, string argument)
    {
        await StartAsync();
        Server.RemoveTools().Add(
            new TestMcpTool("echo", (_, _, _) => Task.FromResult(TestMcpTools.Error("No."))), new TestMcpTool("find", (_, _, _) => Task.FromResult(TestMcpTools.Error("No."))),
            new TestMcpTool("paint", (_, _, _) => Task.FromResult(TestMcpTools.Error("No."))));
        Upstream.Enqueue(Calls((name, $$"""{"{{argument}}":"x"}""")), ChatAnswer.Say("Then not."));

        var stream = await StreamAsync($$"""{"input":"Go","tools":[{{Declare(type)}}]}""");

        Assert.Equal(("failed", "tool: No.", "Then not."), (stream.Final.Text("output[0].status"), Prompt.Last(), stream.Text));
    }

    [Theory]
    [InlineData("""{"query":"cats","more":DEEP}""", "cats")]
    [InlineData("""{"query":DEEP}""", "")]
    [InlineData("""{"query":"cats \ud83d"}""", "cats \ufffd")]
    [InlineData("""{"\ud83d":1,"query":"cats"}""", "cats")]
    [InlineData("""{"query":"dogs","query":"cats"}""", "cats")]
    [InlineData("""{"query":7}""", "")]
    public async Task OddArguments_AreReadAsFarAsTheyGo(string arguments, string query)
    {
        await StartAsync();
        arguments = arguments.Replace("DEEP", Deep(200), StringComparison.Ordinal);
        foreach (var (type, shown) in (Dictionary<string, string>)new() { ["web_search"] = "action.query", ["file_search"] = "queries[0]", ["code_interpreter"] = "code", ["image_generation"] = "type" })
        {
            var own = type switch { "code_interpreter" => "code", "image_generation" => "prompt", _ => "query" };
            Upstream.Enqueue(Calls((type, arguments.Replace("query", own, StringComparison.Ordinal))), ChatAnswer.Say("Done."));

            var stream = await StreamAsync($$"""{"input":"Go","tools":[{{Declare(type)}}]}""");

            Assert.Equal((type, "completed", "Done."), (type, stream.Final.Text("output[0].status"), stream.Text));
            Assert.Equal(shown == "type" ? "image_generation_call" : query, stream.Final.Text($"output[0].{shown}"));
        }

        Assert.Equal([query, query, query], Server.Calls.SelectMany(call => call.Arguments!).Where(argument => argument.Key is "message" or "q").Select(argument => (string?)argument.Value));
    }

    [Theory]
    [InlineData("file_search", "results", "not JSON")]
    [InlineData("code_interpreter", "outputs", "[1]")]
    [InlineData("image_generation", "result", "7")]
    public async Task CallThatIsNotMade_HasTheFormOfItsType(string type, string member, string arguments)
    {
        await StartAsync();
        Upstream.Enqueue(Calls((type, arguments)), ChatAnswer.Say("Then not."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Declare(type)}}]}""");

        Assert.Equal(("failed", System.Text.Json.JsonValueKind.Null), (response.Text("output[0].status"), response.At($"output[0].{member}").ValueKind));
        Assert.Null(response.Find("output[0].error"));
        Assert.Equal("tool: The arguments are not a JSON object.", Prompt.Last());
    }

    [Fact]
    public async Task DeclarationThatNestsDeeply_ReachesTheServer()
    {
        await StartAsync(("Gateway:Limits:JsonDepth", "512"));
        Upstream.Enqueue(Calls(("web_search", """{"query":"cats"}""")), ChatAnswer.Say("Done."));

        var response = await CreateRawAsync($$$"""{"input":"Go","tools":[{"type":"web_search","filters":{"note":{{{Deep(300)}}},"allowed_domains":["a.example"]}}]}""");

        Assert.Contains("Done.", response, StringComparison.Ordinal);
        Assert.Equal("""["a.example"]""", Server.Calls[0].Arguments!["domains"]!.ToJsonString());
    }

    [Fact]
    public async Task DeclaredArgumentThatNoServerTakes_FailsTheCall()
    {
        await StartAsync(("Gateway:Limits:JsonDepth", "512"));
        Upstream.Enqueue(Calls(("web_search", """{"query":"cats"}""")), ChatAnswer.Say("Then not."));

        var response = await CreateRawAsync($$$"""{"input":"Go","tools":[{"type":"web_search","filters":{"allowed_domains":{{{Deep(300)}}}}}]}""");

        Assert.Contains("Then not.", response, StringComparison.Ordinal);
        Assert.Equal("tool: The arguments of the call are not a JSON object, or nest too deeply.", Prompt.Last());
        Assert.Empty(Server.Calls);
    }

    [Theory]
    [InlineData("""{"content":[]}""", "The tool made no image.")]
    [InlineData("""{"content":[{"type":"text","text":"Cats are not allowed."}]}""", "The tool made no image. It says: Cats are not allowed.")]
    [InlineData("""{"content":[{"type":"image","data":"*no base64*","mimeType":"image/png"}]}""", "The tool's image can not be read.")]
    [InlineData("""{"content":[{"type":"image","data":"","mimeType":"image/png"}]}""", "The tool's image can not be read.")]
    public async Task ImageToolWithoutAnImage_FailsAndTheModelIsToldSo(string result, string told)
    {
        await StartAsync();
        Server.RemoveTools().Add(TestMcpTools.Raw("paint", result));
        Upstream.Enqueue(Calls(("image_generation", """{"prompt":"a cat"}""")), ChatAnswer.Say("Sorry."));

        var stream = await StreamAsync("""{"input":"Go","tools":[{"type":"image_generation"}]}""");

        Assert.Equal(("failed", System.Text.Json.JsonValueKind.Null), (stream.Final.Text("output[0].status"), stream.Final.At("output[0].result").ValueKind));
        Assert.Equal($"tool: {told}", Prompt.Last());
        Assert.Equal("Sorry.", stream.Text);
    }

    [Theory]
    [InlineData(1024, "completed", "The image was made and is shown to the user.")]
    [InlineData(1025, "failed", "The tool's image has more than 1,024 bytes.")]
    public async Task Image_IsBounded(int bytes, string status, string told)
    {
        await StartAsync(("Gateway:Tools:Images:ImageBytes", "1024"));
        Server.RemoveTools().Add(new TestMcpTool("paint", (_, _, _) => Task.FromResult(new CallToolResult { Content = [ImageContentBlock.FromBytes(new byte[bytes], "image/png")] })));
        Upstream.Enqueue(Calls(("image_generation", """{"prompt":"a cat"}""")), ChatAnswer.Say("Done."));

        var response = await CreateAsync("""{"input":"Go","tools":[{"type":"image_generation"}]}""");

        Assert.Equal((status, status == "completed"), (response.Text("output[0].status"), response.Text("output[0].result") == Convert.ToBase64String(new byte[bytes])));
        Assert.Equal($"tool: {told}", Prompt.Last());
    }

    [Theory]
    [InlineData(2, 2, "")]
    [InlineData(5, 2, "[The results are cut here: 2 of 5 are shown.]")]
    public async Task FileResults_AreBoundedByWholeResults(int results, int shown, string note)
    {
        await StartAsync(("Gateway:Tools:OutputBytes", "1024"));
        var list = Enumerable.Range(0, results).Select(i => (JsonNode)new JsonObject { ["file_id"] = $"file_{i}", ["text"] = new string('x', 450) });
        var structured = new JsonObject { ["results"] = new JsonArray([.. list]) };
        Server.RemoveTools().Add(new TestMcpTool("find", (_, _, _) => Task.FromResult(TestMcpTools.Text("Passages", structured))));
        Upstream.Enqueue(Calls(("file_search", """{"query":"cats"}""")), ChatAnswer.Say("Done."));

        var response = await CreateAsync("""{"include":["file_search_call.results"],"input":"Go","tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}""");

        var items = response.Each("output[0].results").ToArray();
        Assert.Equal(Enumerable.Range(0, shown).Select(i => $"file_{i}"), items.Take(shown).Select(item => item.Text("file_id")));
        Assert.Equal(note.Length == 0 ? [] : [note], items.Skip(shown).Select(item => item.Text("text")));
        Assert.Equal("completed", response.Text("output[0].status"));
    }

    [Theory]
    [InlineData("web_search", """{"type":"web_search"}""")]
    [InlineData("web_search_preview", """{"type":"web_search_preview"}""")]
    [InlineData("code_interpreter", """{"type":"code_interpreter"}""")]
    [InlineData("web_search", """{"type":"allowed_tools","mode":"required","tools":[{"type":"web_search"}]}""")]
    public async Task Choice_CanForceABoundTool(string type, string choice)
    {
        await StartAsync();
        var name = type.StartsWith("web_search", StringComparison.Ordinal) ? "web_search" : type;
        Upstream.Enqueue(Calls((name, """{"query":"cats","code":"1"}""")), ChatAnswer.Say("Done."));

        await CreateAsync($$$"""{"input":"Go","tool_choice":{{{choice}}},"tools":[{{{Declare(type)}}},{"type":"function","name":"f","parameters":{"type":"object"}}]}""");

        var sent = Upstream.Calls[0].Body["tool_choice"]!;
        if (sent is JsonObject)
        {
            Assert.Equal(name, (string?)sent["function"]!["name"]);
        }
        else
        {
            Assert.Equal("required", (string?)sent);
            Assert.Equal([name], Upstream.Calls[0].Body["tools"]!.AsArray().Select(tool => (string?)tool!["function"]!["name"]));
        }

        Assert.Single(Server.Calls);
        Assert.Equal("auto", (string?)Upstream.Calls[1].Body["tool_choice"] ?? "auto");
    }

    [Fact]
    public async Task FunctionOfTheClientsWithTheSameName_Is400()
    {
        await StartAsync();

        var reply = await PostAsync(WithModel("""{"input":"Go","tools":[{"type":"web_search"},{"type":"function","name":"web_search","parameters":{"type":"object"}}]}"""));

        reply.AssertError(400, "invalid_value", "tools[1].name");
    }

    [Fact]
    public async Task CallsOfBoundTools_Count()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("web_search", """{"query":"a"}"""), ("web_search", """{"query":"b"}""")), ChatAnswer.Say("Enough."));

        var response = await CreateAsync("""{"input":"Go","max_tool_calls":1,"tools":[{"type":"web_search"}]}""");

        Assert.Single(Server.Calls);
        Assert.Equal(["web_search_call", "message"], response.Types("output"));
    }

    [Fact]
    public async Task TypeThatIsNotBound_IsDroppedAndCanNotBeForced()
    {
        await StartAsync(_ => []);

        await CreateAsync("""{"input":"Go","tools":[{"type":"web_search"}]}""");
        Assert.Null(Upstream.LastCall.Body["tools"]);

        (await PostAsync(WithModel("""{"input":"Go","tool_choice":{"type":"web_search"},"tools":[{"type":"web_search"}]}"""))).AssertError(400, "invalid_value", "tools[0].type");
        (await PostAsync(WithModel("""{"input":"Go","tools":[{"type":"python"}]}"""))).AssertError(400, "invalid_value", "tools[0].type");
    }

    /// <summary>The response as text: its tools nest deeper than the tests' own reader goes.</summary>
    private async Task<string> CreateRawAsync(string json)
    {
        using var content = new StringContent(WithModel(json), System.Text.Encoding.UTF8, "application/json");
        using var response = await Gateway.Client.PostAsync("/v1/responses", content, Cancellation);
        return await response.Content.ReadAsStringAsync(Cancellation);
    }

    private static string Deep(int levels) => new string('[', levels) + new string(']', levels);

    private Task StartAsync() => StartAsync([]);

    private new async Task StartAsync(params (string Key, string Value)[] settings)
    {
        await StartAsync(server => [
            .. settings,
            ("Gateway:Tools:Servers:own:Url", server.Endpoint.AbsoluteUri),
            .. Bind("web_search", "echo", ("message", "query"), ("domains", "tool.filters.allowed_domains"), ("lang", "=en")),
            .. Bind("file_search", "find", ("q", "query"), ("stores", "tool.vector_store_ids")),
            .. Bind("code_interpreter", "echo", ("message", "code")),
            .. Bind("python", "echo", ("message", "code")),
            .. Bind("image_generation", "paint"),
        ]);
        Server.Add(Files, Painter);
    }

    private static IEnumerable<(string, string)> Bind(string type, string tool, params IEnumerable<(string Name, string Source)> arguments) =>
    [
        ($"Gateway:Tools:Bindings:{type}:Server", "own"),
        ($"Gateway:Tools:Bindings:{type}:Tool", tool),
        .. arguments.Select(argument => ($"Gateway:Tools:Bindings:{type}:Arguments:{argument.Name}", argument.Source)),
    ];

    private static string Declare(string type) => type switch
    {
        "file_search" => """{"type":"file_search","vector_store_ids":["vs_1"]}""",
        "code_interpreter" => """{"type":"code_interpreter","container":{"type":"auto"}}""",
        _ => $$"""{"type":"{{type}}"}""",
    };

    /// <summary>The events of the first item.</summary>
    private static IEnumerable<string> ItemEvents(IEnumerable<string?> types)
    {
        var of = types.Skip(2).Select(type => type!["response.".Length..]).ToList();
        return of.Take(of.IndexOf("output_item.done") + 1);
    }
}
