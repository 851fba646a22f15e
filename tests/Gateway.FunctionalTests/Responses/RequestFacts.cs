using System.Text.Json.Nodes;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Responses;

/// <summary>Facts 1 to 20 of the contract's checklist: what requests are taken and how others are refused.</summary>
public sealed class RequestFacts(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}""";

    [Fact]
    public async Task Fact1_StringInput_EqualsAOneElementMessageArray()
    {
        await CreateAsync("""{"input":"Hi there"}""");
        await CreateAsync("""{"input":[{"type":"message","role":"user","content":"Hi there"}]}""");
        await CreateAsync("""{"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi there"}]}]}""");

        var bodies = Upstream.Calls.Select(call => call.Body.ToJsonString()).ToArray();
        Assert.Equal(3, bodies.Length);
        Assert.Single(bodies.Distinct());
        Assert.Equal("""[{"role":"user","content":"Hi there"}]""", Upstream.LastCall.Messages.ToJsonString());
    }

    [Fact]
    public async Task Fact2_ItemWithoutTypeButWithRole_IsAMessage()
    {
        await CreateAsync("""{"input":[{"role":"user","content":"One"},{"role":"assistant","content":"Two"},{"role":"user","content":"Three"}]}""");

        Assert.Equal(["user", "assistant", "user"], Upstream.LastCall.Roles);
    }

    [Fact]
    public async Task Fact3_UnknownItemType_IsInvalidValueWithIndex()
    {
        var reply = await PostAsync(WithModel("""{"input":[{"role":"user","content":"Hi"},{"type":"telepathy","thought":"x"}]}"""));

        reply.AssertError(400, "invalid_value", "input[1].type");
    }

    [Fact]
    public async Task Fact4_UnknownTopLevelField_IsIgnored()
    {
        var response = await CreateAsync("""{"input":"Hi","client_metadata":{"a":1},"frobnicate":[1,2]}""");

        Assert.Equal("completed", response.Text("status"));
        Assert.False(Upstream.LastCall.Body.ContainsKey("frobnicate"));
    }

    [Fact]
    public async Task Fact4_UnknownTopLevelField_IsRefusedByAStrictPolicy()
    {
        await UseOwnGatewayAsync(("Gateway:Policy:StrictParameters", "true"));

        (await PostAsync(WithModel("""{"input":"Hi","frobnicate":[1,2]}"""))).AssertError(400, "unknown_parameter", "frobnicate");
        await CreateAsync("""{"input":"Hi","client_metadata":{"a":1}}""");
    }

    [Fact]
    public async Task Fact5_ModelMissing_IsMissingRequiredParameter() =>
        (await PostAsync("""{"input":"Hi"}""")).AssertError(400, "missing_required_parameter", "model");

    [Fact]
    public async Task Fact6_UnknownModel_IsModelNotFound()
    {
        var reply = await PostAsync("""{"model":"no-such-model","input":"Hi"}""");

        reply.AssertError(400, "model_not_found", "model");
        Assert.Equal("The requested model 'no-such-model' does not exist.", reply.Json.Text("error.message"));
        Assert.Empty(Upstream.Calls);
    }

    [Theory]
    [InlineData("temperature", "2.1", "decimal_above_max_value")]
    [InlineData("temperature", "-1", "decimal_below_min_value")]
    [InlineData("top_p", "-0.1", "decimal_below_min_value")]
    [InlineData("top_p", "1.5", "decimal_above_max_value")]
    [InlineData("presence_penalty", "3", "decimal_above_max_value")]
    [InlineData("frequency_penalty", "-3", "decimal_below_min_value")]
    [InlineData("top_logprobs", "21", "integer_above_max_value")]
    [InlineData("top_logprobs", "-1", "integer_below_min_value")]
    [InlineData("max_output_tokens", "15", "integer_below_min_value")]
    [InlineData("max_tool_calls", "0", "integer_below_min_value")]
    [InlineData("temperature", "\"hot\"", "invalid_type")]
    [InlineData("stream", "\"yes\"", "invalid_type")]
    [InlineData("truncation", "\"sometimes\"", "invalid_value")]
    [InlineData("service_tier", "\"cheap\"", "invalid_value")]
    [InlineData("include", "[\"everything\"]", "invalid_value")]
    public async Task Fact7_ValueOutOfRange_NamesCodeAndParam(string field, string value, string code)
    {
        var reply = await PostAsync(WithModel($$"""{"input":"Hi","{{field}}":{{value}}}"""));

        reply.AssertError(400, code, field == "include" ? reply.Json.Text("error.param") : field);
        Assert.StartsWith(field, reply.Json.Text("error.param"), StringComparison.Ordinal);
        Assert.Empty(Upstream.Calls);
    }

    [Fact]
    public async Task Fact8_MetadataOverItsLimits_IsRefused()
    {
        var seventeen = new JsonObject(Enumerable.Range(0, 17).Select(i => KeyValuePair.Create<string, JsonNode?>($"k{i}", "v")));
        (await PostAsync(WithModel($$"""{"input":"Hi","metadata":{{seventeen.ToJsonString()}}}"""))).AssertError(400, "object_above_max_properties", "metadata");

        var longKey = await PostAsync(WithModel($$$"""{"input":"Hi","metadata":{"{{{new string('k', 65)}}}":"v"}}"""));
        longKey.AssertError(400, "string_above_max_length", longKey.Json.Text("error.param"));

        var longValue = await PostAsync(WithModel($$$"""{"input":"Hi","metadata":{"k":"{{{new string('v', 513)}}}"}}"""));
        longValue.AssertError(400, "string_above_max_length", longValue.Json.Text("error.param"));
        Assert.StartsWith("metadata", longValue.Json.Text("error.param"), StringComparison.Ordinal);
        await CreateAsync($$$$"""{"input":"Hi","metadata":{"{{{{new string('k', 64)}}}}":"{{{{new string('v', 512)}}}}"}}""");
    }

    [Fact]
    public async Task Fact9_PreviousResponseAndConversation_AreExclusive() =>
        (await PostAsync(WithModel("""{"input":"Hi","previous_response_id":"resp_x","conversation":"conv_x"}""")))
            .AssertError(400, "mutually_exclusive_parameters", "previous_response_id");

    [Fact]
    public async Task Fact10_BackgroundWithoutStore_IsRefused()
    {
        var reply = await PostAsync(WithModel("""{"input":"Hi","background":true,"store":false}"""));

        reply.AssertError(400, "unsupported_value", "store");
    }

    [Theory]
    [InlineData("""{"type":"python"}""")]
    [InlineData("""{"type":"teleport"}""")]
    public async Task Fact11_UnsupportedToolType_NamesTheTool(string tool) =>
        (await PostAsync(WithModel($$"""{"input":"Hi","tools":[{{Weather}},{{tool}}]}"""))).AssertError(400, "invalid_value", "tools[1].type");

    [Theory]
    [InlineData("""{"type":"mcp","server_url":"http://127.0.0.1/mcp"}""", "missing_required_parameter", "tools[1].server_label")]
    [InlineData("""{"type":"sse","server_label":"a"}""", "missing_required_parameter", "tools[1].server_url")]
    [InlineData("""{"type":"mcp","server_label":"a b","server_url":"http://127.0.0.1/mcp"}""", "invalid_value", "tools[1].server_label")]
    [InlineData("""{"type":"mcp","server_label":"a","server_url":"ftp://127.0.0.1/mcp"}""", "invalid_value", "tools[1].server_url")]
    [InlineData("""{"type":"mcp","server_label":"a","server_url":5}""", "invalid_type", "tools[1].server_url")]
    [InlineData("""{"type":"mcp","server_label":"a","connector_id":"connector_x"}""", "unsupported_parameter", "tools[1].connector_id")]
    [InlineData("""{"type":"mcp","server_label":"a","server_url":"http://127.0.0.1/mcp","require_approval":"sometimes"}""", "invalid_value", "tools[1].require_approval")]
    [InlineData("""{"type":"mcp","server_label":"a","server_url":"http://127.0.0.1/mcp","allowed_tools":[1]}""", "invalid_type", "tools[1].allowed_tools[0]")]
    [InlineData("""{"type":"mcp","server_label":"a","server_url":"http://127.0.0.1/mcp","headers":{"Host":"x"}}""", "invalid_value", "tools[1].headers")]
    [InlineData("""{"type":"mcp","server_label":"a","server_url":"http://127.0.0.1/mcp","authorization":"a\nb"}""", "invalid_value", "tools[1].authorization")]
    public async Task McpTool_IllFormed_NamesTheField(string tool, string code, string param) =>
        (await PostAsync(WithModel($$"""{"input":"Hi","tools":[{{Weather}},{{tool}}]}"""))).AssertError(400, code, param);

    [Fact]
    public async Task HostedTool_NotForced_IsDroppedAndEchoed()
    {
        var response = await CreateAsync("""{"input":"Hi","tools":[{"type":"web_search"}]}""");

        Assert.Equal("web_search", response.Text("tools[0].type"));
        Assert.False(Upstream.LastCall.Body.ContainsKey("tools"));
        Assert.False(Upstream.LastCall.Body.ContainsKey("tool_choice"));
    }

    [Fact]
    public async Task HostedTool_Forced_IsRefused() =>
        (await PostAsync(WithModel("""{"input":"Hi","tools":[{"type":"web_search_preview"}],"tool_choice":{"type":"web_search_preview"}}""")))
            .AssertError(400, "invalid_value", "tools[0].type");

    [Theory]
    [InlineData("""{"type":"function","name":"absent"}""")]
    [InlineData("""{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"absent"}]}""")]
    public async Task Fact12_ToolChoiceNamingAnAbsentTool_IsRefused(string choice)
    {
        var reply = await PostAsync(WithModel($$"""{"input":"Hi","tools":[{{Weather}}],"tool_choice":{{choice}}}"""));

        reply.AssertError(400, "invalid_value", reply.Json.Text("error.param"));
        Assert.StartsWith("tool_choice", reply.Json.Text("error.param"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fact13_DuplicateToolNames_AreRefused()
    {
        var reply = await PostAsync(WithModel($$"""{"input":"Hi","tools":[{{Weather}},{{Weather}}]}"""));

        reply.AssertError(400, "invalid_value", reply.Json.Text("error.param"));
        Assert.StartsWith("tools", reply.Json.Text("error.param"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fact14_UnmatchedFunctionCallOutput_IsRefused()
    {
        var reply = await PostAsync(WithModel("""{"input":[{"type":"function_call_output","call_id":"call_x","output":"1"}]}"""));

        reply.AssertError(400, null, "input");
        Assert.Equal("No tool call found for function call output with call_id call_x.", reply.Json.Text("error.message"));
    }

    [Theory]
    [InlineData("null")]
    [InlineData("\"\"")]
    public async Task Fact14_FunctionCallOutputWithoutCallId_IsRefusedInWords(string callId)
    {
        var reply = await PostAsync(WithModel($$"""{"input":[{"type":"function_call_output","call_id":{{callId}},"output":"1"}]}"""));

        reply.AssertError(400, null, "input");
        Assert.Equal("No tool call found for function call output without a call_id.", reply.Json.Text("error.message"));
    }

    [Fact]
    public async Task Fact15_UnansweredCallInTheChain_IsRefused()
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", "{}")));
        var first = await CreateAsync($$"""{"input":"Weather?","tools":[{{Weather}}]}""");
        var callId = first.Text("output[0].call_id");

        var reply = await PostAsync(WithModel($$"""{"input":"And now?","previous_response_id":"{{first.Text("id")}}"}"""));

        reply.AssertError(400, null, "input");
        Assert.Equal($"No tool output found for function call {callId}.", reply.Json.Text("error.message"));
    }

    [Fact]
    public async Task Fact16_ArrayValuedOutput_IsAccepted()
    {
        await CreateAsync("""
            {"input":[{"role":"user","content":"Weather?"},{"type":"function_call","call_id":"call_a","name":"get_weather","arguments":"{}"},
            {"type":"function_call_output","call_id":"call_a","output":[{"type":"input_text","text":"sunny"},{"type":"input_text","text":"warm"}]}]}
            """);

        Assert.Equal(["user", "assistant", "tool"], Upstream.LastCall.Roles);
        Assert.Equal("sunny\nwarm", Upstream.LastCall.Messages[2]!["content"]!.GetValue<string>());
    }

    [Fact]
    public async Task Fact17_DeveloperRole_IsAcceptedEverywhere()
    {
        await CreateAsync("""
            {"instructions":"Be kind.","input":[{"role":"developer","content":"Be brief."},{"role":"user","content":"Hi"},
            {"role":"developer","content":[{"type":"input_text","text":"Be calm."}]},{"role":"user","content":"Go on"}]}
            """);

        Assert.Equal(["system", "user", "user"], Upstream.LastCall.Roles);
        Assert.Equal("Be kind.\n\nBe brief.\n\nBe calm.", Upstream.LastCall.Messages[0]!["content"]!.GetValue<string>());
    }

    [Fact]
    public async Task Fact18_ReplayedItems_AreAccepted()
    {
        await CreateAsync("""
            {"input":[{"role":"user","content":"Hi"},
            {"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
            {"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello","annotations":[],"logprobs":[]}]},
            {"type":"function_call","id":"fc_1","call_id":"call_a","name":"get_weather","arguments":"{}","status":"completed"},
            {"type":"function_call_output","id":"fco_1","call_id":"call_a","output":"sunny","status":"completed"},
            {"role":"user","content":"Thanks"}]}
            """);

        Assert.Equal(["user", "assistant", "tool", "user"], Upstream.LastCall.Roles);
        Assert.Equal("Hello", Upstream.LastCall.Messages[1]!["content"]!.GetValue<string>());
        Assert.Equal("call_a", Upstream.LastCall.Messages[1]!["tool_calls"]![0]!["id"]!.GetValue<string>());
    }

    [Fact]
    public async Task Fact19_Phase_IsAcceptedAndReturned()
    {
        var response = await CreateAsync("""
            {"input":[{"role":"assistant","phase":"commentary","content":"Looking."},{"role":"assistant","phase":"final_answer","content":"Found."},{"role":"user","content":"Thanks"}]}
            """);

        var items = (await GetAsync($"/v1/responses/{response.Text("id")}/input_items?order=asc")).AssertOk();
        Assert.Equal(["commentary", "final_answer", null], items.Each("data").Select(item => item.Find("phase")?.GetString()));
    }

    [Fact]
    public async Task Fact20_InputItemsWithoutIds_GetIds()
    {
        var response = await CreateAsync("""{"input":[{"role":"user","content":"One"},{"role":"user","content":"Two"}]}""");

        var items = (await GetAsync($"/v1/responses/{response.Text("id")}/input_items?order=asc")).AssertOk();
        var ids = items.Each("data").Select(item => item.Text("id")!).ToArray();
        Assert.Equal(2, ids.Distinct().Count());
        Assert.All(ids, id => Assert.StartsWith("msg_", id, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Fact20_InputItemsWithOneIdForAll_AreListedEachOnce()
    {
        // An agents SDK gives all items this id when it replays another API's answers.
        var items = string.Join(',', Enumerable.Range(0, 5).Select(i => $$"""{"id":"__fake_id__","role":"user","content":"{{i}}"}"""));
        var response = await CreateAsync($$"""{"input":[{{items}}]}""");

        var texts = new List<string?>();
        var ids = new HashSet<string?>();
        var after = "";
        for (var page = 0; page < 3; page++)
        {
            var list = (await GetAsync($"/v1/responses/{response.Text("id")}/input_items?order=asc&limit=2{after}")).AssertOk();
            texts.AddRange(list.Each("data").Select(item => item.Text("content[0].text")));
            ids.UnionWith(list.Each("data").Select(item => item.Text("id")));
            after = $"&after={list.Text("last_id")}";
        }

        Assert.Equal(["0", "1", "2", "3", "4"], texts);
        Assert.Equal(5, ids.Count);
        Assert.Contains("__fake_id__", ids);
    }

    [Theory]
    [InlineData("message", 129, 'a')]
    [InlineData("message", 3, '/')]
    [InlineData("item_reference", 129, 'a')]
    [InlineData("item_reference", 3, ' ')]
    public async Task ItemId_IllFormed_IsRefused(string type, int length, char c)
    {
        var reply = await PostAsync(WithModel($$"""{"input":[{"type":"{{type}}","id":"{{new string(c, length)}}","role":"user","content":"Hi"}]}"""));

        reply.AssertError(400, "invalid_value", "input[0].id");
    }

    [Fact]
    public async Task ItemId_OfTheGreatestLength_IsKept()
    {
        var id = new string('-', 128);

        var response = await CreateAsync($$"""{"input":[{"id":"{{id}}","role":"user","content":"Hi"}]}""");

        Assert.Equal(id, (await GetAsync($"/v1/responses/{response.Text("id")}/input_items")).AssertOk().Text("first_id"));
    }
}
