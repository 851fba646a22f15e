using System.Text.Json;
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
    [InlineData("""{"type":"mcp","server_label":"a","server_url":"https://example.com/mcp"}""")]
    [InlineData("""{"type":"sse","server_url":"https://example.com/sse"}""")]
    [InlineData("""{"type":"python"}""")]
    [InlineData("""{"type":"teleport"}""")]
    public async Task Fact11_UnsupportedToolType_NamesTheTool(string tool) =>
        (await PostAsync(WithModel($$"""{"input":"Hi","tools":[{{Weather}},{{tool}}]}"""))).AssertError(400, "invalid_value", "tools[1].type");

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

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("{\"model\":")]
    [InlineData("{\"model\":\"scripted\",\"input\":\"Hi\"} trailing")]
    public async Task Body_ThatIsNotJson_IsA400WithoutCode(string body) => (await PostAsync(body)).AssertError(400, null, null);

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("7")]
    [InlineData("{\"model\":7,\"input\":\"Hi\"}")]
    [InlineData("{\"model\":\"scripted\",\"input\":{}}")]
    [InlineData("{\"model\":\"scripted\",\"input\":[7]}")]
    [InlineData("{\"model\":\"scripted\",\"input\":\"Hi\",\"tools\":{}}")]
    [InlineData("{\"model\":\"scripted\",\"input\":\"Hi\",\"input\":\"Ho\"}")]
    [InlineData("{\"model\":\"scripted\"}")]
    public async Task Body_OfTheWrongShape_IsA400(string body) => Assert.Equal(400, (int)(await PostAsync(body)).Status);

    [Fact]
    public async Task Body_DeeplyNested_IsA400()
    {
        var nested = new string('[', 100_000) + new string(']', 100_000);

        Assert.Equal(400, (int)(await PostAsync($$"""{"model":"scripted","input":"Hi","metadata":{{nested}}}""")).Status);
    }

    [Fact]
    public async Task Body_InvalidUtf8_IsA400()
    {
        using var content = new ByteArrayContent([.. "{\"model\":\"scripted\",\"input\":\""u8, 0xFF, 0xC0, .. "\"}"u8]);
        content.Headers.ContentType = new("application/json");

        using var response = await Gateway.Client.PostAsync("/v1/responses", content, Cancellation);

        (await Reply.ReadAsync(response)).AssertError(400, null, null);
    }

    [Fact]
    public async Task Body_OverTheLimit_IsA413()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:RequestBodyBytes", "100000"));

        var reply = await PostAsync(WithModel($$"""{"input":"{{new string('x', 200_000)}}"}"""));

        reply.AssertError(413, "request_too_large", null);
    }

    [Fact]
    public async Task Body_Of20Megabytes_IsAnsweredWithinItsLimits()
    {
        var reply = await PostAsync(WithModel($$"""{"input":"{{new string('x', 20_000_000)}}"}"""));

        reply.AssertError(400, "string_above_max_length", "input");
    }

    [Theory]
    [InlineData("PUT", "/v1/responses", 405)]
    [InlineData("PATCH", "/v1/responses/resp_x", 405)]
    [InlineData("GET", "/v1/responses/resp_x/unknown", 404)]
    [InlineData("POST", "/v1/responses/resp_x/unknown", 404)]
    public async Task Route_ThatDoesNotExist_IsATypedError(string method, string path, int status)
    {
        var reply = await SendAsync(new HttpMethod(method), path, method == "GET" ? null : "{}");

        Assert.Equal(status, (int)reply.Status);
        Assert.Equal("invalid_request_error", reply.Json.Text("error.type"));
    }

    [Theory]
    [InlineData("compact")]
    [InlineData("input_tokens")]
    public async Task Route_OfALaterFeature_IsATypedError(string segment)
    {
        var reply = await PostAsync(WithModel("""{"input":"Hi"}"""), path: "/v1/responses/" + segment);

        Assert.InRange((int)reply.Status, 400, 499);
        Assert.NotNull(reply.Json.Text("error.type"));
    }

    [Fact]
    public async Task WebSocketUpgrade_Answers426()
    {
        var reply = await SendAsync(HttpMethod.Get, "/v1/responses", headers:
            [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]);

        Assert.Equal(426, (int)reply.Status);
        Assert.NotNull(reply.Json.Text("error.type"));
    }

    [Fact]
    public async Task EveryAnswer_HasARequestId()
    {
        var good = await PostAsync(WithModel("""{"input":"Hi"}"""));
        var bad = await PostAsync("{}");

        Assert.NotEqual(good.Headers.GetValues("x-request-id").Single(), bad.Headers.GetValues("x-request-id").Single());
    }

    [Fact]
    public async Task Scalars_AreForwardedAndEchoed()
    {
        var response = await CreateAsync("""
            {"input":"Hi","temperature":0.5,"top_p":0.9,"presence_penalty":0.1,"frequency_penalty":0.2,"max_output_tokens":100,"user":"u1",
            "safety_identifier":"s1","prompt_cache_key":"p1","reasoning":{"effort":"low","summary":"auto"},"text":{"verbosity":"low"},"truncation":"auto",
            "metadata":{"a":"b"},"instructions":"Be brief.","parallel_tool_calls":false,"service_tier":"auto"}
            """);

        var body = Upstream.LastCall.Body;
        Assert.Equal((0.5, 0.9, 0.1, 0.2), (body["temperature"]!.GetValue<double>(), body["top_p"]!.GetValue<double>(), body["presence_penalty"]!.GetValue<double>(), body["frequency_penalty"]!.GetValue<double>()));
        Assert.Equal(100, body["max_tokens"]!.GetValue<int>());
        Assert.DoesNotContain(body, member => member.Key is "user" or "store" or "metadata" or "service_tier" or "parallel_tool_calls" or "tools" or "tool_choice");
        Assert.Equal(("u1", "s1", "p1", "auto", "low", "Be brief."), (
            response.Text("user"), response.Text("safety_identifier"), response.Text("prompt_cache_key"), response.Text("truncation"), response.Text("reasoning.effort"), response.Text("instructions")));
        Assert.Equal(0.5, response.At("temperature").GetDouble());
        Assert.False(response.At("parallel_tool_calls").GetBoolean());
    }

    [Fact]
    public async Task SamplingFields_NotSent_AreNotForwarded()
    {
        await CreateAsync("""{"input":"Hi"}""");

        Assert.Equal(["messages", "model"], Upstream.LastCall.Body.Select(member => member.Key).Where(key => key is not "stream").Order());
    }

    [Fact]
    public async Task JsonSchema_IsNestedUpstreamAndEchoed()
    {
        Upstream.Enqueue(ChatAnswer.Say("""{"n":1}"""));

        var response = await CreateAsync("""
            {"input":"Hi","text":{"format":{"type":"json_schema","name":"answer","schema":{"type":"object","properties":{"n":{"type":"integer"}}},"strict":true}}}
            """);

        var format = Upstream.LastCall.Body["response_format"]!;
        Assert.Equal(("json_schema", "answer", true), (format["type"]!.GetValue<string>(), format["json_schema"]!["name"]!.GetValue<string>(), format["json_schema"]!["strict"]!.GetValue<bool>()));
        Assert.Equal(("json_schema", "answer"), (response.Text("text.format.type"), response.Text("text.format.name")));
    }

    [Fact]
    public async Task Image_IsPassedOn()
    {
        await CreateAsync("""
            {"input":[{"role":"user","content":[{"type":"input_text","text":"What is this?"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]}]}
            """);

        var content = Upstream.LastCall.Messages[0]!["content"]!.AsArray();
        Assert.Equal(["text", "image_url"], content.Select(part => part!["type"]!.GetValue<string>()));
        Assert.Equal("data:image/png;base64,iVBORw0KGgo=", content[1]!["image_url"]!["url"]!.GetValue<string>());
    }

    [Fact]
    public async Task Logprobs_Included_AreOnPartsAndDeltas()
    {
        Upstream.Enqueue(new ChatStream().Role()
            .Delta("""{"content":"Hi"}""", choiceMore: """,\"logprobs\":{\"content\":[{\"token\":\"Hi\",\"logprob\":-0.1,\"bytes\":null,\"top_logprobs\":[{\"token\":\"Hi\",\"logprob\":-0.1,\"bytes\":[72,105]}]}]}""".Replace("\\\"", "\"", StringComparison.Ordinal))
            .End());

        var stream = await StreamAsync("""{"input":"Hi","top_logprobs":1,"include":["message.output_text.logprobs"]}""");

        Assert.True(Upstream.LastCall.Body["logprobs"]!.GetValue<bool>());
        Assert.Equal(1, Upstream.LastCall.Body["top_logprobs"]!.GetValue<int>());
        Assert.Equal("Hi", stream.Of("response.output_text.delta").Single().Text("logprobs[0].token"));
        Assert.Equal(JsonValueKind.Array, stream.Final.At("output[0].content[0].logprobs[0].bytes").ValueKind);
    }

    [Fact]
    public async Task TruncationAuto_DropsTheOldestItemsAndTriesAgain()
    {
        Upstream.Default = request => request["messages"]!.AsArray().Count > 4
            ? Misbehaviours.Named("29 ContextError (vllm)").CreateReaction()(request)
            : ChatAnswer.Say("Fits").For(request);
        var input = string.Join(',', Enumerable.Range(1, 4).Select(i => $$"""{"role":"user","content":"Q{{i}}"},{"role":"assistant","content":"A{{i}}"}"""));

        var response = await CreateAsync($$"""{"instructions":"Be kind.","truncation":"auto","input":[{{input}},{"role":"user","content":"Last"}]}""");

        Assert.Equal("Fits", response.OutputText());
        Assert.Equal(("system", "Last"), (Upstream.LastCall.Roles.First(), Upstream.LastCall.Messages[^1]!["content"]!.GetValue<string>()));
    }

    [Fact]
    public async Task MaxOutputTokensThatOverflow_AreLoweredOnce()
    {
        Upstream.Enqueue(ChatScript.Of(400, """
            {"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5100 tokens (1100 in the messages, 4000 in the completion).","code":400}
            """));

        await CreateAsync("""{"input":"Hi","max_output_tokens":4000}""");

        Assert.Equal([4000, 2996], Upstream.Calls.Select(call => call.Body["max_tokens"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Obfuscation_Asked_IsOnEveryDelta()
    {
        var padded = await StreamAsync("""{"input":"Hi","stream_options":{"include_obfuscation":true}}""");
        var plain = await StreamAsync("""{"input":"Hi"}""");

        Assert.All(padded.Of("response.output_text.delta"), delta => Assert.NotEmpty(delta.Text("obfuscation")!));
        Assert.All(plain.Of("response.output_text.delta"), delta => Assert.Null(delta.Find("obfuscation")));
    }

    [Fact]
    public async Task Get_StreamOfAForegroundResponse_IsRefused()
    {
        var created = await CreateAsync("""{"input":"Hi"}""");

        (await GetAsync($"/v1/responses/{created.Text("id")}?stream=true")).AssertError(400, "unsupported_value", "stream");
    }

    [Theory]
    [InlineData("\"background\":true", "background")]
    [InlineData("\"conversation\":\"conv_x\"", "conversation")]
    [InlineData("\"prompt\":{\"id\":\"p\"}", "prompt")]
    [InlineData("\"moderation\":{\"model\":\"m\"}", "moderation")]
    public async Task Feature_OfALaterIssue_IsAnUnsupportedParameter(string member, string param) =>
        (await PostAsync(WithModel($$"""{"input":"Hi",{{member}}}"""))).AssertError(400, "unsupported_parameter", param);
}
