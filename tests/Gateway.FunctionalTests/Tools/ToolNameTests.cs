using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Tools of several servers under names that Chat Completions servers take, and back.</summary>
public sealed class ToolNameTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task SeveralServers_EachGetItsOwnCalls(bool streamed)
    {
        await StartAsync();
        var other = Own(await TestMcpServer.StartAsync());
        other.Add(TestMcpTools.Saying("echo", "from the other"));
        Upstream.Enqueue(Calls(("other__echo", "{}"), ("srv__echo", Echo("hi"))), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}},{{Mcp("other", server: other)}}]}""", streamed);

        Assert.Equal(["srv__echo", "srv__add", "srv__failing", "other__echo"], OfferedNames());
        Assert.Equal(["srv", "other"], response.Each("output").Take(2).Select(list => list.Text("server_label")));
        Assert.Equal(
            [("other", "echo", "from the other"), ("srv", "echo", "Echo: hi")],
            response.Each("output").Where(item => item.Text("type") == "mcp_call").Select(call => (call.Text("server_label"), call.Text("name"), call.Text("output"))));
        Assert.Equal((1, 1), (Server.Calls.Count, other.Calls.Count));
    }

    [Fact]
    public async Task OddNames_AreOfferedAsLegalOnesAndCalledAsTheyAre()
    {
        await StartAsync();
        string[] names = [.. TestMcpTools.OddNames, new string('n', 99) + "m"];
        Server.RemoveTools().Add(names.Select(name => TestMcpTools.Saying(name, $"I am {name}")));
        await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");
        var offered = OfferedNames().ToArray();
        Assert.Equal(names.Length, offered.Distinct().Count());
        Assert.All(offered, name => Assert.Matches("^[A-Za-z0-9_-]{1,64}$", name));
        Upstream.Enqueue(Calls(offered.Select(name => (name!, "{}"))), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        var calls = response.Each("output").Where(item => item.Text("type") == "mcp_call").ToArray();
        Assert.Equal(names, calls.Select(call => call.Text("name")));
        Assert.Equal(names.Select(name => $"I am {name}"), calls.Select(call => call.Text("output")));
        Assert.Equal(names.Order(StringComparer.Ordinal), Server.Calls.Select(call => call.Name!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task FunctionOfTheClientsWithTheSameName_KeepsItsNameAndTheServersToolGetsAnother()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))));

        var response = await CreateAsync($$$"""{"input":"Go","tools":[{"type":"function","name":"srv__echo","parameters":{"type":"object"}},{{{Mcp()}}}]}""");

        Assert.Equal(4, OfferedNames().Distinct().Count());
        Assert.Equal(["mcp_list_tools", "function_call"], response.Types("output"));
        Assert.Empty(Server.Calls);

        var other = OfferedNames().Single(name => name is not ("srv__echo" or "srv__add" or "srv__failing"))!;
        Assert.Matches("^srv__echo_[0-9a-f]{8}$", other);
        Upstream.Enqueue(Calls((other, Echo("ho"))), ChatAnswer.Say("Done."));
        var next = await CreateAsync($$$"""
            {"previous_response_id":"{{{response.Text("id")}}}","input":[{"type":"function_call_output","call_id":"{{{response.Text("output[1].call_id")}}}","output":"mine"}],
             "tools":[{"type":"function","name":"srv__echo","parameters":{"type":"object"}},{{{Mcp()}}}]}
            """);
        Assert.Equal(("mcp_call", "echo", "Echo: ho"), (next.Text("output[0].type"), next.Text("output[0].name"), next.Text("output[0].output")));
    }

    [Fact]
    public async Task LabelsThatAreTheSame_Are400()
    {
        await StartAsync();

        var reply = await PostAsync(WithModel($$"""{"input":"Go","tools":[{{Mcp()}},{{Mcp()}}]}"""));

        reply.AssertError(400, "invalid_value", "tools[1].server_label");
    }

    [Fact]
    public async Task LabelsThatFlattenToTheSameName_OfferBothTools()
    {
        await StartAsync();
        var other = Own(await TestMcpServer.StartAsync());
        other.Add(TestMcpTools.Saying("b__c", "other"));
        Server.RemoveTools().Add(TestMcpTools.Saying("c", "first"));
        var tools = $"[{Mcp("a__b")},{Mcp("a", server: other)}]";
        var listed = await CreateAsync($$"""{"input":"One","tools":{{tools}}}""");
        var names = OfferedNames().ToArray();
        Assert.Equal(("a__b__c", 2), (names[0], names.Length));
        Assert.Matches("^a__b__c_[0-9a-f]{8}$", names[1]);
        Upstream.Enqueue(Calls((names[1]!, "{}"), (names[0]!, "{}")), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Two","previous_response_id":"{{listed.Text("id")}}","tools":{{tools}}}""");

        Assert.Equal(names, OfferedNames());
        Assert.Equal([("a", "b__c", "other"), ("a__b", "c", "first")], response.Each("output").Take(2).Select(call => (call.Text("server_label"), call.Text("name"), call.Text("output"))));

        // The model sees each call under the name that it gave, in this response and in the next one.
        string[] calls = [$"assistant: {names[1]}({{}}) {names[0]}({{}})", "tool: other", "tool: first"];
        Assert.Equal(calls, Prompt.TakeLast(3));
        await CreateAsync($$"""{"input":"Three","previous_response_id":"{{response.Text("id")}}","tools":{{tools}}}""");
        Assert.Equal([.. calls, "assistant: Done.", "user: Three"], Prompt.TakeLast(5));
    }

    [Theory]
    [InlineData("true", "tool: other")]
    [InlineData("false", "tool: The user declined this tool call.")]
    public async Task ToolsWithOneName_AreChosenAndApprovedEachForItself(string approve, string outcome)
    {
        await StartAsync();
        var other = Own(await TestMcpServer.StartAsync());
        other.Add(TestMcpTools.Saying("b__c", "other"));
        Server.RemoveTools().Add(TestMcpTools.Saying("c", "first"));
        var tools = $"[{Mcp("a__b")},{Mcp("a", "always", server: other)}]";
        Upstream.Enqueue(request => Calls(((string)request["tools"]![0]!["function"]!["name"]!, "{}")).For(request));

        var asked = await CreateAsync($$$"""
            {"input":"Go","tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"a","name":"b__c"}]},"tools":{{{tools}}}}
            """);

        var name = Assert.Single(OfferedNames());
        Assert.Equal(("mcp_approval_request", "a", "b__c"), (asked.Text("output[2].type"), asked.Text("output[2].server_label"), asked.Text("output[2].name")));
        var response = await CreateAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":{{tools}},
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Text("output[2].id")}}","approve":{{approve}}}]}
            """);
        Assert.Equal(approve == "true" ? 1 : 0, other.Calls.Count);
        Assert.Equal(["user: Go", $"assistant: {name}({{}})", outcome], Prompt);
        await CreateAsync($$"""{"previous_response_id":"{{response.Text("id")}}","input":"More","tools":{{tools}}}""");
        Assert.Equal(["user: Go", $"assistant: {name}({{}})", outcome], Prompt.Take(3));
    }

    [Theory]
    [InlineData("""["add"]""", true, """["add","echo"]""", true, """["echo"]""", false)]
    [InlineData("""["add"]""", true, "", true, """["failing"]""", false)]
    [InlineData("", true, """["add"]""", false, "", false)]
    [InlineData("""["add","echo"]""", true, """["echo"]""", false, """["echo","add"]""", false)]
    [InlineData("""["add","nothing"]""", true, """["add","nothing"]""", false, """["nothing"]""", false)]
    [InlineData("""["add"]""", true, """["echo"]""", true, """["add"]""", false)]
    [InlineData("""{"read_only":true}""", true, """{"read_only":true,"tool_names":["add"]}""", false, """["add"]""", true)]
    [InlineData("""{"read_only":true}""", true, """{"read_only":false}""", true, """{"tool_names":["echo"],"read_only":true}""", false)]
    public async Task AllowedToolsOfALaterRequest_ListAgainOnlyWhenTheyAllowMore(string first, bool lists1, string second, bool lists2, string third, bool lists3)
    {
        await StartAsync();
        string? previous = null;
        foreach (var (filter, lists) in ((string, bool)[])[(first, lists1), (second, lists2), (third, lists3)])
        {
            var more = filter.Length == 0 ? "" : $",\"allowed_tools\":{filter}";
            var chained = previous is null ? "" : $"\"previous_response_id\":\"{previous}\",";

            var response = await CreateAsync($$"""{{{chained}}"input":"Go","tools":[{{Mcp(more: more)}}]}""");

            Assert.Equal((filter, lists), (filter, response.Types("output").Contains("mcp_list_tools")));
            Assert.Equal(OfferedBy(filter).Order(), (Upstream.LastCall.Body["tools"]?.AsArray().Select(tool => (string?)tool!["function"]!["name"]) ?? []).Order());
            previous = response.Text("id");
        }
    }

    [Theory]
    [InlineData("""["add"]""", false)]
    [InlineData("""["add","echo"]""", true)]
    [InlineData("", false)]
    public async Task ListThatTheClientBrings_StandsUnlessAToolThatIsNamedIsMissing(string filter, bool lists)
    {
        await StartAsync();
        var first = await CreateAsync($$"""{"input":"One","store":false,"tools":[{{Mcp(more: ",\"allowed_tools\":[\"add\"]")}}]}""");
        var more = filter.Length == 0 ? "" : $",\"allowed_tools\":{filter}";

        var second = await CreateAsync($$"""
            {"store":false,"tools":[{{Mcp(more: more)}}],"input":[{{first.At("output[0]").GetRawText()}},{"role":"user","content":"Two"}]}
            """);

        Assert.Equal(lists, second.Types("output").Contains("mcp_list_tools"));
    }

    private static IEnumerable<string> OfferedBy(string filter) => ((string[])["add", "echo", "failing"])
        .Where(name => !filter.Contains('[') || filter.Contains($"\"{name}\"", StringComparison.Ordinal))
        .Where(name => !filter.Contains("read_only", StringComparison.Ordinal) || filter.Contains("true", StringComparison.Ordinal) == (name != "failing"))
        .Select(name => $"srv__{name}");

    [Theory]
    [InlineData("functions.srv__echo")]
    [InlineData("SRV__Echo")]
    public async Task NameThatTheModelAlters_IsUnderstood(string name)
    {
        await StartAsync();
        Upstream.Enqueue(Calls((name, Echo("hi"))), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal(("echo", "Echo: hi"), (response.Text("output[1].name"), response.Text("output[1].output")));
    }

    [Theory]
    [InlineData("""{"type":"mcp","server_label":"srv","name":"add"}""", "srv__add", true)]
    [InlineData("""{"type":"mcp","server_label":"srv"}""", "srv__echo,srv__add,srv__failing", false)]
    [InlineData("""{"type":"allowed_tools","mode":"required","tools":[{"type":"mcp","server_label":"srv","name":"add"},{"type":"function","name":"f"}]}""", "srv__add,f", false)]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"srv"}]}""", "srv__echo,srv__add,srv__failing", null)]
    public async Task Choice_HoldsInTheFirstRoundAndIsRelaxedAfterIt(string choice, string allowed, bool? isNamed)
    {
        await StartAsync();
        var other = Own(await TestMcpServer.StartAsync());
        other.Add(TestMcpTools.Echo);
        Upstream.Enqueue(Calls(("srv__add", """{"a":1,"b":2}""")), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$$"""
            {"input":"Go","tool_choice":{{{choice}}},"tools":[{{{Mcp()}}},{{{Mcp("other", server: other)}}},{"type":"function","name":"f","parameters":{"type":"object"}}]}
            """);

        Assert.Equal("3", response.Text("output[2].output"));
        var first = Upstream.Calls[0].Body["tool_choice"];
        if (isNamed == true)
        {
            Assert.Equal("srv__add", (string?)first!["function"]!["name"]);
        }
        else
        {
            Assert.Equal(allowed.Split(',').Order(), Upstream.Calls[0].Body["tools"]!.AsArray().Select(tool => (string?)tool!["function"]!["name"]).Order());
            Assert.Equal(isNamed is null ? "auto" : "required", (string?)first ?? "auto");
        }

        Assert.Equal("auto", (string?)Upstream.Calls[1].Body["tool_choice"] ?? "auto");
    }

    [Theory]
    [InlineData("""{"type":"mcp","server_label":"srv","name":"nothing"}""")]
    [InlineData("""{"type":"mcp","server_label":"nobody"}""")]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"nobody"}]}""")]
    public async Task ChoiceOfNoTool_Is400(string choice)
    {
        await StartAsync();

        var reply = await PostAsync(WithModel($$"""{"input":"Go","tool_choice":{{choice}},"tools":[{{Mcp()}}]}"""));

        reply.AssertError(400, "invalid_value", "tool_choice");
    }

    [Fact]
    public async Task ToolOutsideTheChoice_DoesNotRun()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))), ChatAnswer.Say("Then not."));

        var response = await CreateAsync($$$"""
            {"input":"Go","tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"srv","name":"add"}]},"tools":[{{{Mcp()}}}]}
            """);

        Assert.Empty(Server.Calls);
        Assert.Equal("Then not.", response.OutputText());
    }

    private IEnumerable<string?> OfferedNames() => Upstream.LastCall.Body["tools"]!.AsArray().Select(tool => (string?)tool!["function"]!["name"]);
}
