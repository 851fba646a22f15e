using System.Globalization;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Tools;

/// <summary>How far a response may go with server-run tools, counted where it matters: at the tool server and at the upstream.</summary>
public sealed class LimitTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private int _calls;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Rounds_AreLimited_AndTheModelAnswersAllTheSame(int limit)
    {
        await StartAsync(("Gateway:Tools:MaxRounds", $"{limit}"));
        Upstream.Default = request => request["tools"] is null ? ChatAnswer.Say("Enough.").For(request) : CallNext(2).For(request);

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal((limit * 2, limit + 1), (Server.Calls.Count, Upstream.Calls.Count));
        Assert.Equal(("completed", "Enough."), (response.Text("status"), response.OutputText()));
        Assert.Equal(["rounds"], Gateway.Metrics.Of("gateway.tool.limits").Select(m => (string?)m.Tags["limit"]));
    }

    [Fact]
    public async Task Rounds_BehindTheLastCallThatIsLeft_AreLimitedInFireworksDialectToo()
    {
        await StartAsync(("Gateway:Tools:MaxRounds", "3"));
        Upstream.Default = request =>
            request["tools"] is null || Upstream.Calls.Count > 10 ? ChatAnswer.Say("Enough.").For(request)
            : _calls == 0 ? CallNext(1).For(request)
            : Calls(("srv__no_such_tool", "{}")).For(request);

        var reply = await PostAsync(WithModel($$"""{"input":"Go","max_tool_calls":1,"tools":[{{Mcp()}}]}"""), path: "/inference/v1/responses");

        Assert.Equal("completed", reply.AssertOk().Text("status"));
        Assert.Equal((1, 4), (Server.Calls.Count, Upstream.Calls.Count));
        Assert.Equal(["rounds"], Gateway.Metrics.Of("gateway.tool.limits").Select(m => (string?)m.Tags["limit"]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task TheSameCall_IsMadeSoOften_AndThenFails(int limit)
    {
        await StartAsync(("Gateway:Tools:RepeatedCalls", $"{limit}"));
        Upstream.Default = request => request["tools"] is null ? ChatAnswer.Say("Enough.").For(request) : Calls(("srv__echo", Echo("again"))).For(request);

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal((limit, limit + 2), (Server.Calls.Count, Upstream.Calls.Count));
        Assert.Equal(
            [.. Enumerable.Repeat("completed", limit), "failed"],
            response.Each("output").Where(item => item.Text("type") == "mcp_call").Select(item => item.Text("status")));
        Assert.Equal(["repeated_calls"], Gateway.Metrics.Of("gateway.tool.limits").Select(m => (string?)m.Tags["limit"]));
    }

    [Fact]
    public async Task RepeatedCallAmongOthers_FailsAlone()
    {
        await StartAsync(("Gateway:Tools:RepeatedCalls", "1"));
        Upstream.Enqueue(
            Calls(("srv__echo", Echo("a"))), Calls(("srv__echo", Echo("a")), ("srv__echo", Echo("b"))), Calls(("srv__echo", Echo("c"))), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal(["a", "b", "c"], Server.Calls.Select(call => (string?)call.Arguments!["message"]));
        Assert.Equal("Done.", response.OutputText());
    }

    [Fact]
    public async Task Output_IsCutWithANoteToTheModel()
    {
        await StartAsync(("Gateway:Tools:OutputBytes", "1024"));
        Server.Add(TestMcpTools.Saying("long", new string('x', 1023) + "é and more"));
        Upstream.Enqueue(Calls(("srv__long", "{}")), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        var expected = new string('x', 1023) + "\n[The output is cut here: 1,023 of 1,034 bytes are shown.]";
        Assert.Equal(("completed", expected), (response.Text("output[1].status"), response.Text("output[1].output")));
        Assert.Equal($"tool: {expected}", Prompt.Last());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task MaxOutputTokens_AreOneBudgetForAllRounds(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(CallNext(1) with { Usage = new ChatUsage(10, 7) }, CallNext(1) with { Usage = new ChatUsage(10, 20) }, ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","max_output_tokens":50,"tools":[{{Mcp()}}]}""", streamed);

        Assert.Equal([50, 43, 23], Upstream.Calls.Select(call => (int)call.Body["max_tokens"]!));
        Assert.Equal(("completed", 34, 31), (response.Text("status"), response.Number("usage.output_tokens"), response.Number("usage.input_tokens")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task MaxOutputTokens_SpentByCalls_EndTheResponseIncomplete(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(CallNext(1) with { Usage = new ChatUsage(10, 50) });

        var response = await CreateAsync($$"""{"input":"Go","max_output_tokens":50,"tools":[{{Mcp()}}]}""", streamed);

        Assert.Single(Upstream.Calls);
        Assert.Equal(("incomplete", "max_output_tokens"), (response.Text("status"), response.Text("incomplete_details.reason")));
        Assert.Equal(["mcp_list_tools", "mcp_call"], response.Types("output"));
    }

    [Fact]
    public async Task MaxOutputTokens_WithoutUsageOfTheServer_AreEstimated()
    {
        await StartAsync();
        Upstream.Enqueue(CallNext(1) with { Usage = null }, ChatAnswer.Say("Done.") with { Usage = null });

        await CreateAsync($$"""{"input":"Go","max_output_tokens":500,"tools":[{{Mcp()}}]}""");

        Assert.InRange((int)Upstream.Calls[1].Body["max_tokens"]!, 480, 499);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task CallTimeout_FailsTheCallAndTheLoopGoesOn(bool streamed)
    {
        await StartAsync(("Gateway:Tools:Mcp:CallTimeout", "00:00:00.200"));
        using var held = new HeldMcpTool();
        Server.Add(held.Tool);
        Upstream.Enqueue(Calls(("srv__held", "{}")), ChatAnswer.Say("Too slow."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);

        await held.CancelledAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(
            ("failed", "The server did not answer within 0.2 seconds."), (response.Text("output[1].status"), response.Text("output[1].error")));
        Assert.Equal("Too slow.", response.OutputText());
        Assert.Equal("tool: The server did not answer within 0.2 seconds.", Prompt.Last());
        Assert.Equal(
            [("mcp", "timeout")], Gateway.Metrics.Of("gateway.tool.call.duration").Select(m => ((string?)m.Tags["tool"], (string?)m.Tags["outcome"])));
    }

    [Theory]
    [InlineData("", 2, 2)]
    [InlineData("", 5, 3)]
    [InlineData("""
        "max_tool_calls":1,
        """, 5, 1)]
    [InlineData("""
        "max_tool_calls":5,
        """, 5, 4)]
    public async Task Policy_SetsACeilingAndADefault(string asked, int wanted, int made)
    {
        await StartAsync(("Gateway:Policy:MaxToolCalls", "4"), ("Gateway:Policy:DefaultMaxToolCalls", "3"));
        Upstream.Default = request => request["tools"] is null || _calls >= wanted ? ChatAnswer.Say("Enough.").For(request) : CallNext(1).For(request);

        var response = await CreateAsync($$"""{{{asked}} "input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal((made, "Enough."), (Server.Calls.Count, response.OutputText()));
    }

    [Fact]
    public async Task Policy_IsTheTenantsOwn()
    {
        await StartAsync(
            ("Gateway:Policy:DefaultMaxToolCalls", "2"), ("Gateway:Tenants:few:Keys:0", "key-few"), ("Gateway:Tenants:few:Policy:MaxToolCalls", "1"),
            ("Gateway:Tenants:usual:Keys:0", "key-usual"));
        Upstream.Default = request => request["tools"] is null ? ChatAnswer.Say("Enough.").For(request) : CallNext(1).For(request);

        await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", "key-few");
        Assert.Single(Server.Calls);

        await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", "key-usual");
        Assert.Equal(3, Server.Calls.Count);
    }

    [Fact]
    public async Task FunctionCalls_DoNotCount()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("get_weather", "{}"), ("srv__echo", Echo("a")), ("get_weather", "{}")));

        var response = await CreateAsync(
            $$$"""{"input":"Go","max_tool_calls":1,"tools":[{{{Mcp()}}},{"type":"function","name":"get_weather","parameters":{"type":"object"}}]}""");

        Assert.Equal(["mcp_list_tools", "function_call", "mcp_call", "function_call"], response.Types("output"));
        Assert.Single(Server.Calls);
    }

    [Fact]
    public async Task LimitReached_LeavesTheClientsTools()
    {
        await StartAsync();
        Upstream.Enqueue(CallNext(1), Calls(("get_weather", "{}")));

        var response = await CreateAsync(
            $$$"""{"input":"Go","max_tool_calls":1,"tools":[{{{Mcp()}}},{"type":"function","name":"get_weather","parameters":{"type":"object"}}]}""");

        Assert.Equal(["get_weather"], Upstream.LastCall.Body["tools"]!.AsArray().Select(tool => (string?)tool!["function"]!["name"]));
        Assert.Equal(("completed", "function_call"), (response.Text("status"), response.Types("output").Last()));
        Assert.Equal(["tool_calls"], Gateway.Metrics.Of("gateway.tool.limits").Select(m => (string?)m.Tags["limit"]));
    }

    [Theory]
    [InlineData("\"auto\"", "f")]
    [InlineData("\"required\"", "f")]
    [InlineData("""{"type":"mcp","server_label":"srv","name":"echo"}""", "f")]
    [InlineData("""{"type":"mcp","server_label":"srv"}""", "")]
    [InlineData("""{"type":"web_search"}""", "f")]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"srv"}]}""", "")]
    [InlineData("""{"type":"allowed_tools","mode":"required","tools":[{"type":"mcp","server_label":"srv"}]}""", "")]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"srv","name":"echo"},{"type":"function","name":"f"}]}""", "f")]
    [InlineData("""{"type":"allowed_tools","mode":"required","tools":[{"type":"mcp","server_label":"srv","name":"echo"},{"type":"function","name":"f"}]}""", "f")]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[{"type":"web_search"},{"type":"function","name":"f"}]}""", "f")]
    [InlineData("""{"type":"allowed_tools","mode":"required","tools":[{"type":"web_search"}]}""", "")]
    public async Task LimitReached_LeavesNoServerTool_WhateverTheChoiceWas(string choice, string left)
    {
        foreach (var named in (string[])["object", "filter"])
        {
            await StartAsync(server => [
                ("Gateway:Tools:Servers:own:Url", server.Endpoint.AbsoluteUri), ("Gateway:Tools:Bindings:web_search:Server", "own"),
                ("Gateway:Tools:Bindings:web_search:Tool", "echo"), ("Gateway:Upstreams:main:ProfileOptions:named_tool_choice", named),
            ]);
            Upstream.Enqueue(
                Calls(choice.Contains("web_search", StringComparison.Ordinal) ? ("web_search", """{"query":"cats"}""") : ("srv__echo", Echo("a"))),
                ChatAnswer.Say("Enough."));

            var response = await CreateAsync($$$"""
                {"input":"Go","max_tool_calls":1,"tool_choice":{{{choice}}},
                 "tools":[{{{Mcp()}}},{"type":"web_search"},{"type":"function","name":"f","parameters":{"type":"object"}}]}
                """);

            Assert.Equal(("Enough.", 1, 2), (response.OutputText(), Server.Calls.Count, Upstream.Calls.Count));
            var last = Upstream.LastCall.Body;
            Assert.Equal((named, left), (named, string.Join(',', last["tools"]?.AsArray().Select(tool => (string?)tool!["function"]!["name"]) ?? [])));
            Assert.Equal("auto", (string?)last["tool_choice"] ?? "auto");
        }
    }

    [Fact]
    public async Task LimitReached_ServerThatWantsToolsWithCalls_GetsThemAndNoCallIsAllowed()
    {
        await StartAsync(("Gateway:Upstreams:main:ProfileOptions:tools_with_history", "true"));
        Upstream.Enqueue(CallNext(1), ChatAnswer.Say("Enough."));

        await CreateAsync($$$"""
            {"input":"Go","max_tool_calls":1,"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"srv"}]},
             "tools":[{{{Mcp()}}},{"type":"function","name":"f","parameters":{"type":"object"}}]}
            """);

        Assert.Equal("none", (string?)Upstream.LastCall.Body["tool_choice"]);
        Assert.Contains("srv__echo", Upstream.LastCall.Body["tools"]!.AsArray().Select(tool => (string?)tool!["function"]!["name"]));
    }

    [Fact]
    public async Task ModelThatCallsWithoutTools_EndsTheResponse()
    {
        await StartAsync();
        Upstream.Default = request => CallNext(1).For(request);

        var response = await CreateAsync($$"""{"input":"Go","max_tool_calls":1,"tools":[{{Mcp()}}]}""");

        Assert.Equal((1, 2), (Server.Calls.Count, Upstream.Calls.Count));
        Assert.Equal("completed", response.Text("status"));
        Assert.Equal(["mcp_list_tools", "mcp_call", "message"], response.Types("output"));
    }

    /// <summary>An answer with so many calls, none made before.</summary>
    private ChatAnswer CallNext(int count) =>
        Calls(Enumerable.Range(0, count).Select(_ => ("srv__echo", Echo((_calls++).ToString(CultureInfo.InvariantCulture)))));
}
