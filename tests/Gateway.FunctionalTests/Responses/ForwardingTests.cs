using System.Text.Json;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Responses;

/// <summary>What of a request's fields reaches the upstream, and what is echoed.</summary>
public sealed class ForwardingTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
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
}
