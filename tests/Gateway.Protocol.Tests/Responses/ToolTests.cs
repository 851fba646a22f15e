using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

public sealed class ToolTests
{
    private const string Two = "\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"custom\",\"name\":\"c\"},{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":\"function\",\"name\":\"g\"}]},{\"type\":\"web_search\"}]";

    [Fact]
    public void Parse_Tools_AreReadFlattenedAndEchoed()
    {
        var request = Requests.Parse(Requests.With(
            """
            "tools":[{"type":"function","name":"f"},
            {"type":"function","name":"full","description":"d","parameters":{"type":"object"},"strict":null,"defer_loading":true},
            {"type":"custom","name":"c","description":"cd","format":{"type":"grammar","syntax":"lark","definition":"start: A"}},
            {"type":"namespace","name":"ns","description":"x","tools":[{"type":"function","name":"f","strict":false},{"type":"custom","name":"c"}]},
            {"type":"web_search","filters":null}]
            """.ReplaceLineEndings("")));

        Assert.Equal(["f", "full", "c", "ns__f", "ns__c"], request.Tools.Select(t => t.UpstreamName));
        Assert.Equal([null, null, null, "ns", "ns"], request.Tools.Select(t => t.Namespace));
        Assert.Equal(("f", false), (request.Tools[3].Name, request.Tools[3].Strict));
        Assert.Null(request.Tools[1].Strict);
        Assert.Equal(ToolKind.Custom, request.Tools[2].Kind);
        Assert.Equal(
            """[{"type":"function","name":"f","description":null,"parameters":null,"strict":true},{"type":"function","name":"full","description":"d","parameters":{"type":"object"},"strict":null,"defer_loading":true},{"type":"custom","name":"c","description":"cd","format":{"type":"grammar","syntax":"lark","definition":"start: A"}},{"type":"namespace","name":"ns","description":"x","tools":[{"type":"function","name":"f","strict":false},{"type":"custom","name":"c"}]},{"type":"web_search","filters":null}]""",
            Requests.Text(request.ToolsJson));
    }

    [Theory]
    [InlineData("https://mcp.example.com/mcp", "https://mcp.example.com/mcp")]
    [InlineData("https://MCP.example.com", "https://MCP.example.com")]
    [InlineData("https://mcp.example.com/mcp?key=secret", "https://mcp.example.com/mcp")]
    [InlineData("https://mcp.example.com?key=secret", "https://mcp.example.com/")]
    [InlineData("https://mcp.example.com:8443/a%20b?", "https://mcp.example.com:8443/a%20b")]
    [InlineData("https://mcp.example.com/mcp#secret", "https://mcp.example.com/mcp")]
    [InlineData("https://mcp.example.com/mcp#se?cret", "https://mcp.example.com/mcp")]
    [InlineData("https://mcp.example.com/mcp\\u003fkey=secret", "https://mcp.example.com/mcp")]
    [InlineData("https:\\/\\/user:secret@mcp.example.com\\/mcp?key=secret", "https://mcp.example.com/mcp")]
    [InlineData("https://secret@mcp.example.com/mcp", "https://mcp.example.com/mcp")]
    [InlineData("https://user:secret@mcp.example.com/a@b?key=secret", "https://mcp.example.com/a@b")]
    [InlineData(" https://user:secret@mcp.example.com/mcp ", "https://mcp.example.com/mcp")]
    public void Parse_ServerUrl_IsUsedAsItIsAndEchoedWithoutWhatMayBeSecret(string url, string echoed)
    {
        var request = Requests.Parse(
            Requests.With($$"""
                "tools":[{"type":"mcp","server_label":"l","server_url":"{{url}}","headers":{"x":"secret"},"allowed_tools":["a"]}]
                """.Trim()),
            RequestRules.Default with { ServerTools = new ServerToolRules() });

        Assert.Equal($$"""[{"type":"mcp","server_label":"l","server_url":"{{echoed}}","allowed_tools":["a"]}]""", Requests.Text(request.ToolsJson));
        var whole = new Uri(System.Text.Json.JsonSerializer.Deserialize<string>($"\"{url}\"")!);
        Assert.Equal((whole, whole.Query), (request.Servers.Single().Url, request.Servers.Single().Url!.Query));
    }

    [Theory]
    [InlineData("1", "invalid_type", "tools[0]")]
    [InlineData("{}", "missing_required_parameter", "tools[0].type")]
    [InlineData("""{"type":1}""", "invalid_type", "tools[0].type")]
    [InlineData("""{"type":"mcp","server_label":"l"}""", "invalid_value", "tools[0].type")] // fact 11
    [InlineData("""{"type":"sse","server_url":"u"}""", "invalid_value", "tools[0].type")]
    [InlineData("""{"type":"python"}""", "invalid_value", "tools[0].type")]
    [InlineData("""{"type":"magic"}""", "invalid_value", "tools[0].type")]
    [InlineData("""{"type":"function"}""", "missing_required_parameter", "tools[0].name")]
    [InlineData("""{"type":"function","name":""}""", "invalid_value", "tools[0].name")]
    [InlineData("""{"type":"function","name":"a b"}""", "invalid_value", "tools[0].name")]
    [InlineData("""{"type":"function","name":"a\n"}""", "invalid_value", "tools[0].name")]
    [InlineData("""{"type":"function","name":7}""", "invalid_type", "tools[0].name")]
    [InlineData("""{"type":"function","name":"f","name":"g"}""", "invalid_value", "tools[0].name")]
    [InlineData("""{"type":"function","name":"f","parameters":[]}""", "invalid_type", "tools[0].parameters")]
    [InlineData("""{"type":"function","name":"f","strict":"yes"}""", "invalid_type", "tools[0].strict")]
    [InlineData("""{"type":"function","name":"f","description":1}""", "invalid_type", "tools[0].description")]
    [InlineData("""{"type":"function","function":{"name":"f"}}""", "missing_required_parameter", "tools[0].name")]
    [InlineData("""{"type":"function","name":"f"},{"type":"custom","name":"f"}""", "invalid_value", "tools[1].name")] // fact 13
    [InlineData("""{"type":"function","name":"n__g"},{"type":"namespace","name":"n","tools":[{"type":"function","name":"g"}]}""", "invalid_value", "tools[1].tools[0].name")]
    [InlineData("""{"type":"namespace","name":"n"}""", "missing_required_parameter", "tools[0].tools")]
    [InlineData("""{"type":"namespace","tools":[]}""", "missing_required_parameter", "tools[0].name")]
    [InlineData("""{"type":"namespace","name":"n","tools":[{"type":"web_search"}]}""", "invalid_value", "tools[0].tools[0].type")]
    [InlineData("""{"type":"custom","name":"c","format":{}}""", "missing_required_parameter", "tools[0].format.type")]
    [InlineData("""{"type":"custom","name":"c","format":{"type":"grammar","syntax":"bnf","definition":""}}""", "invalid_value", "tools[0].format.syntax")]
    [InlineData("""{"type":"custom","name":"c","format":{"type":"grammar","syntax":"lark"}}""", "missing_required_parameter", "tools[0].format.definition")]
    public void Parse_BadTool_GivesTheCataloguesError(string tools, string code, string param)
    {
        var error = Requests.Reject(Requests.With($"\"tools\":[{tools}]"));

        Assert.Equal((400, code, param), (error.Status, error.Code, error.Param));
    }

    [Fact]
    public void Parse_LongToolName_IsRefused()
    {
        Requests.Parse(Requests.With($$"""
            "tools":[{"type":"function","name":"{{new string('x', 64)}}"}]
            """));

        Assert.Equal("string_above_max_length", Requests.Reject(Requests.With($$"""
            "tools":[{"type":"function","name":"{{new string('x', 65)}}"}]
            """)).Code);
    }

    [Theory]
    [InlineData("\"auto\"", ToolChoiceMode.Auto, false, null)]
    [InlineData("\"none\"", ToolChoiceMode.None, false, null)]
    [InlineData("\"required\"", ToolChoiceMode.Required, false, null)]
    [InlineData("""{"type":"function","name":"f"}""", ToolChoiceMode.Required, true, "f")]
    [InlineData("""{"type":"function","name":"g"}""", ToolChoiceMode.Required, true, "n__g")]
    [InlineData("""{"type":"function","name":"g","namespace":"n"}""", ToolChoiceMode.Required, true, "n__g")]
    [InlineData("""{"type":"custom","name":"c"}""", ToolChoiceMode.Required, true, "c")]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"},{"type":"function","name":"f"}]}""", ToolChoiceMode.Auto, false, "f,c")]
    [InlineData("""{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"g"},{"type":"web_search"}]}""", ToolChoiceMode.Required, false, "n__g")]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[]}""", ToolChoiceMode.Auto, false, "")]
    public void Parse_ToolChoice_IsRead(string json, ToolChoiceMode mode, bool named, string? only)
    {
        var request = Requests.Parse(Requests.With($"{Two},\"tool_choice\":{json}"));

        Assert.Equal(mode, request.ToolChoice.Mode);
        Assert.Equal(named, request.ToolChoice.IsNamed);
        Assert.Equal(only, request.ToolChoice.Only is { } tools ? string.Join(',', tools.Select(t => t.UpstreamName)) : null);
        Assert.Equal(json, Requests.Text(request.ToolChoiceJson));
    }

    [Theory]
    [InlineData("\"maybe\"", "invalid_value", "tool_choice")]
    [InlineData("5", "invalid_type", "tool_choice")]
    [InlineData("{}", "missing_required_parameter", "tool_choice.type")]
    [InlineData("""{"type":"function"}""", "missing_required_parameter", "tool_choice.name")]
    [InlineData("""{"type":"function","name":"absent"}""", "invalid_value", "tool_choice")] // fact 12
    [InlineData("""{"type":"function","name":"c"}""", "invalid_value", "tool_choice")]
    [InlineData("""{"type":"function","name":"f","namespace":"n"}""", "invalid_value", "tool_choice")]
    [InlineData("""{"type":"mcp","server_label":"l"}""", "invalid_value", "tool_choice")]
    [InlineData("""{"type":"web_search"}""", "invalid_value", "tools[3].type")]
    [InlineData("""{"type":"file_search"}""", "invalid_value", "tool_choice")]
    [InlineData("""{"type":"telepathy"}""", "invalid_value", "tool_choice.type")]
    [InlineData("""{"type":"allowed_tools","tools":[]}""", "missing_required_parameter", "tool_choice.mode")]
    [InlineData("""{"type":"allowed_tools","mode":"auto"}""", "missing_required_parameter", "tool_choice.tools")]
    [InlineData("""{"type":"allowed_tools","mode":"none","tools":[]}""", "invalid_value", "tool_choice.mode")]
    [InlineData("""{"type":"allowed_tools","mode":"required","tools":[]}""", "invalid_value", "tool_choice")]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[1]}""", "invalid_type", "tool_choice.tools[0]")]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"absent"}]}""", "invalid_value", "tool_choice")]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[{"type":"telepathy"}]}""", "invalid_value", "tool_choice.tools[0].type")]
    public void Parse_BadToolChoice_GivesTheCataloguesError(string json, string code, string param)
    {
        var error = Requests.Reject(Requests.With($"{Two},\"tool_choice\":{json}"));

        Assert.Equal((400, code, param), (error.Status, error.Code, error.Param));
    }

    [Fact]
    public void Parse_RequiredWithoutTools_IsRefused()
    {
        Assert.Equal("tool_choice", Requests.Reject(Requests.With("\"tool_choice\":\"required\"")).Param);
        Assert.Equal("tool_choice", Requests.Reject(Requests.With("\"tools\":[{\"type\":\"shell\"}],\"tool_choice\":\"required\"")).Param);
    }

    [Fact]
    public void Parse_AdditionalToolsItem_CanBeChosen()
    {
        var request = Requests.Parse(
            """
            {"model":"m","input":[{"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"late"}]},{"role":"user","content":"x"}],
             "tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"function","name":"late"}}
            """);

        Assert.Equal(["f", "late"], request.Tools.Select(t => t.UpstreamName));
        Assert.Equal("late", Assert.Single(request.ToolChoice.Only ?? []).Name);
        Assert.Same(request.Tools, ToolNames.WithItems(request.Tools, []));
        Assert.Equal(2, ToolNames.WithItems(request.Tools, request.Input).Count);
    }

    [Theory]
    [InlineData("get_weather", "get_weather")]
    [InlineData("functions.get_weather", "get_weather")]
    [InlineData("GET_weather", "get_weather")]
    [InlineData("functions.Get_Weather", "get_weather")]
    [InlineData("twice", "twice")]
    [InlineData("TWICE", null)]
    [InlineData("ns__Inner", "ns__inner")]
    [InlineData("weather", null)]
    [InlineData("", null)]
    public void Find_NameByTheModel_IsResolved(string name, string? found)
    {
        Tool[] tools =
        [
            new() { Kind = ToolKind.Function, Name = "get_weather", UpstreamName = "get_weather" },
            new() { Kind = ToolKind.Function, Name = "twice", UpstreamName = "twice" },
            new() { Kind = ToolKind.Function, Name = "Twice", UpstreamName = "Twice" },
            new() { Kind = ToolKind.Function, Name = "inner", Namespace = "ns", UpstreamName = "ns__inner" },
        ];

        Assert.Equal(found, ToolNames.Find(tools, name)?.UpstreamName);
    }

    [Fact]
    public void Flatten_LongOrOddNames_GiveLegalDistinctNames()
    {
        Assert.Equal("ns__tool", ToolNames.Flatten("ns", "tool"));
        var a = ToolNames.Flatten(new string('n', 40), new string('t', 40) + "a");
        var b = ToolNames.Flatten(new string('n', 40), new string('t', 40) + "b");
        var odd = ToolNames.Flatten("my.server/x", "tool");

        Assert.Equal(64, a.Length);
        Assert.NotEqual(a, b);
        Assert.Equal(a, ToolNames.Flatten(new string('n', 40), new string('t', 40) + "a"));
        Assert.Matches("^my_server_x__tool_[0-9a-f]{8}$", odd);
    }
}
