using Gateway.Testing.Scripting;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Responses;

/// <summary><c>POST /v1/responses/input_tokens</c>: the prompt is the one that a response would begin with, and who counts it.</summary>
public sealed class InputTokensTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Path = "/v1/responses/input_tokens";
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";
    private const string Image = """{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}""";

    [Theory]
    [InlineData("/v1/responses/input_tokens")]
    [InlineData("/inference/v1/responses/input_tokens")]
    public async Task WithoutATokenizer_ACallWithOneOutputTokenCounts(string path)
    {
        var reply = await PostAsync(WithModel("""{"input":"Hi"}"""), path: path);

        Assert.Equal("""{"object":"response.input_tokens","input_tokens":11}""", reply.AssertOk().GetRawText());
        Assert.Equal((1, false), (Upstream.LastCall.Body["max_tokens"]!.GetValue<int>(), Upstream.LastCall.Stream));
        Assert.False(reply.Headers.Contains("x-input-tokens-estimated"));
    }

    [Fact]
    public async Task Prompt_IsTheOneOfTheResponse()
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", "{}")));
        var first = await CreateAsync($$"""{"input":"Weather?","tools":[{{Weather}}]}""");
        var next = $$"""
            {"previous_response_id":"{{first.Text("id")}}","instructions":"Be kind.","tools":[{{Weather}}],"max_output_tokens":500,"stream":true,
             "text":{"format":{"type":"json_schema","name":"s","schema":{"type":"object"} } },
             "input":[{"type":"function_call_output","call_id":"{{first.Text("output[0].call_id")}}","output":"rain"},{{Image}}]}
            """;

        (await PostAsync(WithModel(next), path: Path)).AssertOk();
        var counted = Upstream.LastCall.Body;
        (await PostAsync(WithModel(next.Replace("\"stream\":true", "\"stream\":false", StringComparison.Ordinal)))).AssertOk();
        var made = Upstream.LastCall.Body;

        Assert.Equal((1, 500), (counted["max_tokens"]!.GetValue<int>(), made["max_tokens"]!.GetValue<int>()));
        counted["max_tokens"] = 500;
        Assert.Equal(made.ToJsonString(), counted.ToJsonString());
    }

    [Fact]
    public async Task Count_IsNotStored_AndDoesNotHoldTheConversation()
    {
        await UseOwnGatewayAsync();
        var conversation = (await PostAsync("{}", path: "/v1/conversations")).AssertOk().Text("id");
        var hold = new ChatStream().Role().Text("Hel").Hold().Text("lo").End();
        Upstream.Enqueue(hold);
        var making = StreamAsync($$"""{"input":"Q1","conversation":"{{conversation}}"}""");
        await Upstream.NextCallAsync(Cancellation);

        (await PostAsync(WithModel($$"""{"input":"Q2","conversation":"{{conversation}}"}"""), path: Path)).AssertOk();
        hold.Hold.Release();
        await making;
        (await PostAsync($$"""{"input":"Q2","conversation":"{{conversation}}"}""", path: Path)).AssertOk();

        Assert.Equal(["Q1", "Hello", "Q2"], Upstream.LastCall.Messages.Select(message => (string?)message!["content"]));
        Assert.Single((await GetAsync("/v1/responses")).AssertOk().Each("data"));
        Assert.Equal(2, (await GetAsync($"/v1/conversations/{conversation}/items")).AssertOk().Each("data").Count());
    }

    [Fact]
    public async Task Model_NotGiven_IsTheParentsOrTheOnlyOne()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Models:1", "other"));
        var first = await CreateAsync("""{"input":"Hi"}""");

        (await PostAsync("""{"input":"Hi"}""", path: Path)).AssertError(400, "missing_required_parameter", "model");
        (await PostAsync($$"""{"input":"Hi","previous_response_id":"{{first.Text("id")}}"}""", path: Path)).AssertOk();
        Assert.Equal(GatewayFixture.Model, (string?)Upstream.LastCall.Body["model"]);

        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream, ("Gateway:Upstreams:main:Models:1", "other"), ("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:one:Policy:Models:0", "oth*")));
        (await PostAsync("""{"input":"Hi"}""", "key-one", Path)).AssertOk();
        Assert.Equal("other", (string?)Upstream.LastCall.Body["model"]);
    }

    [Theory]
    [InlineData("""{"model":"nobody","input":"Hi"}""", "model_not_found", "model")]
    [InlineData("""{"model":"scripted"}""", "missing_required_parameter", "input")]
    [InlineData("""{"model":"scripted","tools":[]}""", "missing_required_parameter", "input")]
    [InlineData("""{"model":"scripted","input":"Hi","previous_response_id":"resp_unknown"}""", "previous_response_not_found", "previous_response_id")]
    [InlineData("""{"model":"scripted","input":"Hi","temperature":3}""", "decimal_above_max_value", "temperature")]
    [InlineData("""{"model":"scripted","input":[{"type":"function_call_output","call_id":"call_x","output":""}]}""", null, "input")]
    [InlineData("""{"model":"scripted","input":"Hi","tool_choice":"required"}""", "invalid_value", "tool_choice")]
    public async Task Request_ThatNoResponseCouldBeMadeOf_IsRefusedAlike(string json, string? code, string param)
    {
        (await PostAsync(json, path: Path)).AssertError(400, code, param);

        Assert.Empty(Upstream.Calls);
    }

    [Fact]
    public async Task ForeignParentAndForbiddenModel_AreRefusedAlike()
    {
        await UseOwnGatewayAsync(
            ("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:two:Keys:0", "key-two"), ("Gateway:Tenants:two:Policy:Models:0", "other"));
        var first = await CreateAsync("""{"input":"Hi"}""", "key-one");

        (await PostAsync($$"""{"model":"other","input":"Hi","previous_response_id":"{{first.Text("id")}}"}""", "key-two", Path))
            .AssertError(400, "previous_response_not_found", "previous_response_id");
        (await PostAsync(WithModel("""{"input":"Hi"}"""), "key-two", Path)).AssertError(400, "model_not_found", "model");
        (await PostAsync(WithModel("""{"input":"Hi"}"""), path: Path)).AssertError(401, "invalid_api_key", null);
    }

    [Fact]
    public async Task Instructions_Alone_AreAPrompt() =>
        (await PostAsync(WithModel("""{"instructions":"Be kind."}"""), path: Path)).AssertOk();

    [Theory]
    [InlineData("vllm", """{"count":42,"max_model_len":4096,"tokens":[1,2,3]}""", "/tokenize", "model messages tools add_generation_prompt")]
    [InlineData("sglang", """{"tokens":[1,2,3],"count":42,"max_model_len":4096}""", "/tokenize", "model messages tools tool_choice")]
    [InlineData("tgi", """{"tokenize_response":[{"id":1,"text":"a","start":0,"stop":1},{"id":2,"text":"b","start":1,"stop":2}],"templated_text":"ab"}""", "/chat_tokenize", "model messages tools tool_choice")]
    public async Task Tokenizer_OfTheServer_Counts(string profile, string answer, string path, string members)
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", profile));
        Upstream.Root = _ => ChatScript.Of(200, answer);

        var counted = (await PostAsync(WithModel($$"""{"input":"Hi","temperature":1,"tools":[{{Weather}}],"tool_choice":"required"}"""), path: Path)).AssertOk();

        Assert.Equal($$"""{"object":"response.input_tokens","input_tokens":{{(profile == "tgi" ? 2 : 42)}}}""", counted.GetRawText());
        var call = Assert.Single(Upstream.RootCalls);
        Assert.Equal((path, members), (call.Path, string.Join(' ', call.Body.Select(member => member.Key))));
        Assert.Empty(Upstream.Calls);
    }

    [Fact]
    public async Task LiteLlm_CountsMessages_AndIsNotAskedForTools()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", "litellm"));
        Upstream.Root = _ => ChatScript.Of(200, """{"total_tokens":42,"request_model":"scripted","model_used":"scripted","tokenizer_type":"openai_tokenizer"}""");

        Assert.Equal(42, (await PostAsync(WithModel("""{"input":"Hi"}"""), path: Path)).AssertOk().Number("input_tokens"));
        Assert.Equal(11, (await PostAsync(WithModel($$"""{"input":"Hi","tools":[{{Weather}}]}"""), path: Path)).AssertOk().Number("input_tokens"));

        Assert.Equal(["/utils/token_counter"], Upstream.RootCalls.Select(call => call.Path));
    }

    [Fact]
    public async Task LlamaCpp_TemplatesAndThenCounts()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", "llamacpp"), ("Gateway:Upstreams:main:ApiKey", "key-upstream"));
        Upstream.Root = call => ChatScript.Of(200, call.Path == "/apply-template" ? """{"prompt":"<|user|>Hi \"you\"\n"}""" : """{"tokens":[1,2,3,4]}""");

        var counted = (await PostAsync(WithModel("""{"input":"Hi","reasoning":{"effort":"low"}}"""), path: Path)).AssertOk();

        Assert.Equal(4, counted.Number("input_tokens"));
        Assert.Equal(["/apply-template", "/tokenize"], Upstream.RootCalls.Select(call => call.Path));
        Assert.Equal("model messages reasoning_effort", string.Join(' ', Upstream.RootCalls[0].Body.Select(member => member.Key)));
        Assert.Equal("""{"content":"<|user|>Hi \"you\"\n","add_special":true,"parse_special":true}""", System.Text.Encoding.UTF8.GetString(Upstream.RootCalls[1].RawBody.Span));
        Assert.All(Upstream.RootCalls, call => Assert.Equal("Bearer key-upstream", call.Headers["Authorization"]));
    }

    [Theory]
    [InlineData(400, """{"error":"no template"}""")]
    [InlineData(500, "oops")]
    [InlineData(200, "oops")]
    [InlineData(200, "[]")]
    [InlineData(200, """{"tokens":null,"count":"many"}""")]
    public async Task Tokenizer_ThatCanNot_LeavesItToACall(int status, string answer)
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", "vllm"));
        Upstream.Root = _ => ChatScript.Of(status, answer);

        Assert.Equal(11, (await PostAsync(WithModel("""{"input":"Hi"}"""), path: Path)).AssertOk().Number("input_tokens"));
        Assert.Equal(11, (await PostAsync(WithModel("""{"input":"Hi"}"""), path: Path)).AssertOk().Number("input_tokens"));

        Assert.Equal((2, 2), (Upstream.RootCalls.Count, Upstream.Calls.Count));
    }

    [Fact]
    public async Task Images_AreLeftToACall()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", "vllm"));

        Assert.Equal(11, (await PostAsync(WithModel($$"""{"input":[{{Image}}]}"""), path: Path)).AssertOk().Number("input_tokens"));

        Assert.Empty(Upstream.RootCalls);
    }

    [Theory]
    [InlineData(404)]
    [InlineData(501)]
    public async Task AbsentTokenizer_IsAskedAgainAfterSomeMinutes(int status)
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Upstreams:main:Profile", "vllm")) with { Time = time });
        Upstream.Root = _ => ChatScript.Of(status, "");

        for (var i = 0; i < 3; i++)
        {
            (await PostAsync(WithModel("""{"input":"Hi"}"""), path: Path)).AssertOk();
        }

        Assert.Single(Upstream.RootCalls);
        time.Advance(TimeSpan.FromMinutes(5));
        Upstream.Root = _ => ChatScript.Of(200, """{"count":42}""");
        Assert.Equal(42, (await PostAsync(WithModel("""{"input":"Hi"}"""), path: Path)).AssertOk().Number("input_tokens"));
    }

    [Fact]
    public async Task WithoutUsage_TheCountIsAnEstimateAndSaysSo()
    {
        Upstream.Default = (ChatAnswer.Say("x") with { Usage = null }).For;

        var reply = await PostAsync(WithModel($$"""{"input":"{{new string('x', 4000)}}"}"""), path: Path);

        Assert.True(reply.AssertOk().At("estimated").GetBoolean());
        Assert.InRange(reply.Json.Number("input_tokens"), 1000, 1020);
        Assert.Equal(["true"], reply.Headers.GetValues("x-input-tokens-estimated"));
    }

    [Fact]
    public async Task Estimate_OfAnImage_DoesNotGrowWithItsBytes()
    {
        Upstream.Default = (ChatAnswer.Say("x") with { Usage = null }).For;

        var reply = await PostAsync(WithModel($$"""{"input":[{{Image.Replace("AAAA", new string('A', 400_000), StringComparison.Ordinal)}}]}"""), path: Path);

        Assert.InRange(reply.AssertOk().Number("input_tokens"), 1024, 1050);
    }

    [Theory]
    [InlineData("\"required\"", "generic")]
    [InlineData("""{"type":"function","name":"get_weather"}""", "generic")]
    [InlineData("""{"type":"function","name":"get_weather"}""", "ollama")]
    public async Task ForcedChoice_IsNotForcedButSendsTheSameTools(string choice, string profile)
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", profile));
        var request = WithModel($$"""{"input":"Hi","tools":[{{Weather}},{{Weather.Replace("get", "set", StringComparison.Ordinal)}}],"tool_choice":{{choice}}}""");
        Upstream.Default = body => ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", "{}")).For(body);

        (await PostAsync(request)).AssertOk();
        (await PostAsync(request, path: Path)).AssertOk();

        Assert.Equal(Upstream.Calls[0].Body["tools"]!.ToJsonString(), Upstream.LastCall.Body["tools"]!.ToJsonString());
        Assert.Contains((string?)Upstream.LastCall.Body["tool_choice"], (string?[])["auto", null]);
    }

    [Theory]
    [InlineData(503, 503, "upstream_unavailable")]
    [InlineData(500, 502, "upstream_error")]
    public async Task FailureOfTheUpstream_IsToldAsOfAResponse(int status, int told, string code)
    {
        Upstream.Default = _ => ChatScript.Of(status, """{"error":{"message":"no"}}""");

        (await PostAsync(WithModel("""{"input":"Hi"}"""), path: Path)).AssertError(told, code, null, "server_error");
    }

    [Fact]
    public async Task PromptThatIsTooLong_HasTheLengthThatTheErrorTells()
    {
        Upstream.Default = Misbehaviours.Named("29 ContextError (vllm)").CreateReaction();
        Assert.Equal(5000, (await PostAsync(WithModel("""{"input":"Hi","truncation":"auto"}"""), path: Path)).AssertOk().Number("input_tokens"));

        Upstream.Default = Misbehaviours.Named("29 ContextError (litellm)").CreateReaction();
        (await PostAsync(WithModel("""{"input":"Hi","truncation":"auto"}"""), path: Path)).AssertError(400, "context_length_exceeded", "input");
    }

    [Fact]
    public async Task ServerThatCutsSilently_IsNotBelieved()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", "ollama"));

        var reply = await PostAsync(WithModel($$"""{"input":"{{new string('x', 4000)}}"}"""), path: Path);

        Assert.True(reply.AssertOk().At("estimated").GetBoolean());
        Assert.InRange(reply.Json.Number("input_tokens"), 1000, 1020);
    }

    [Fact]
    public async Task OpenStreams_LimitCountsToo()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:OpenStreams", "1"));
        var hold = new ChatStream().Role().Text("Hel").Hold().Text("lo").End();
        Upstream.Enqueue(hold);
        var making = StreamAsync("""{"input":"Hi"}""");
        await Upstream.NextCallAsync(Cancellation);

        (await PostAsync(WithModel("""{"input":"Hi"}"""), path: Path)).AssertError(429, "rate_limit_exceeded", null, "rate_limit_error");

        hold.Hold.Release();
        await making;
    }
}
