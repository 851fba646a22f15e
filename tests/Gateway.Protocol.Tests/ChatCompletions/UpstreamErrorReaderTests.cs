using System.Text;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.ChatCompletions;

public sealed class UpstreamErrorReaderTests
{
    [Theory]
    [InlineData("""{"error":{"message":"bad thing","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}""")]
    [InlineData("""{"error":{"message":"bad thing","type":"BadRequestError","param":null,"code":400}}""")]
    [InlineData("""{"error":{"message":"bad thing","type":null,"param":null,"code":"400"}}""")]
    [InlineData("""{"object":"error","message":"bad thing","type":"BadRequestError","code":400}""")]
    [InlineData("""{"detail":"bad thing"}""")]
    [InlineData("""{"detail":{"message":"bad thing"}}""")]
    [InlineData("""{"message":"bad thing"}""")]
    [InlineData("""{"error":"bad thing"}""")]
    [InlineData("""{"error":"bad thing","error_type":"validation"}""")]
    [InlineData("""[{"error":{"code":400,"message":"bad thing","status":"INVALID_ARGUMENT"}}]""")]
    [InlineData("\uFEFF data: {\"error\":{\"message\":\"bad thing\"}}\n\n")]
    [InlineData("event: error\ndata: {\"error\":{\"message\":\"bad thing\"}}\n\n")]
    [InlineData("bad thing")]
    public void FromBody_EveryShape_GivesTheMessage(string body)
    {
        var error = Read(400, body);

        Assert.Equal((400, "invalid_request_error", "bad thing"), (error.Status, error.Type, error.Message));
        Assert.Equal("bad thing", UpstreamErrorReader.ReadMessage(Encoding.UTF8.GetBytes(body)));
    }

    [Fact]
    public void FromBody_FastApiList_SaysWhatIsWrongWhere()
    {
        var error = Read(422, """{"detail":[{"loc":["body","messages",0,"role"],"msg":"Field required","type":"missing"},{"loc":["body"],"msg":"two"}]}""");

        Assert.Equal((400, "body.messages.0.role: Field required; body: two"), (error.Status, error.Message));
    }

    [Theory]
    [InlineData("")]
    [InlineData("<html><body><h1>502 Bad Gateway</h1><hr>nginx at 10.0.0.1</body></html>")]
    [InlineData("""{"error":{"message":"<!DOCTYPE html><html>secret page"}}""")]
    [InlineData("{\"error\":{\"message\":\"cut of")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{\"error\":{\"message\":\"half a pair \\ud800\"}}")]
    [InlineData("{\"error\":null,\"message\":7}")]
    public void FromBody_NothingToRelay_SaysSomethingOfItsOwn(string body)
    {
        Assert.Equal("The model server refused the request.", Read(400, body).Message);
        Assert.Equal("The model server failed.", Read(500, body).Message);
        Assert.Null(UpstreamErrorReader.ReadMessage(Encoding.UTF8.GetBytes(body)));
    }

    [Theory]
    [InlineData(400, 400, null)]
    [InlineData(401, 502, "upstream_auth")]
    [InlineData(402, 502, "upstream_error")]
    [InlineData(403, 502, "upstream_auth")]
    [InlineData(405, 502, "upstream_error")]
    [InlineData(408, 504, "upstream_timeout")]
    [InlineData(409, 400, null)]
    [InlineData(413, 413, "request_too_large")]
    [InlineData(422, 400, null)]
    [InlineData(429, 429, "rate_limit_exceeded")]
    [InlineData(500, 502, "upstream_error")]
    [InlineData(502, 502, "upstream_error")]
    [InlineData(503, 503, "upstream_unavailable")]
    [InlineData(504, 504, "upstream_timeout")]
    [InlineData(529, 502, "upstream_error")]
    public void FromBody_Status_IsMapped(int upstream, int status, string? code)
    {
        var error = Read(upstream, """{"error":{"message":"something"}}""");

        Assert.Equal((status, code), (error.Status, error.Code));
    }

    [Theory]
    [InlineData("""{"error":{"message":"The model `x` does not exist.","code":"model_not_found"}}""", 502)]
    [InlineData("""{"error":{"message":"model \"x\" not found, try pulling it first"}}""", 502)]
    [InlineData("""{"detail":"Not Found"}""", 502)]
    [InlineData("", 502)]
    [InlineData("""{"error":{"message":"Image could not be found at the given place"}}""", 400)]
    public void FromBody_404_IsTheOperatorsUnlessItIsAboutTheRequest(string body, int status)
    {
        Assert.Equal(status, Read(404, body).Status);
    }

    [Fact]
    public void FromBody_429_KeepsTheWait()
    {
        var error = UpstreamErrorReader.FromBody(429, "{}"u8, [], TimeSpan.FromSeconds(1.5));

        Assert.Equal(TimeSpan.FromSeconds(1.5), error.RetryAfter);
        Assert.EndsWith("Please try again in 1.5s.", error.Message, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromSeconds(3), UpstreamErrorReader.FromBody(503, "{}"u8, [], TimeSpan.FromSeconds(3)).RetryAfter);
    }

    [Theory]
    [InlineData(400, """{"error":{"message":"This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.","code":"context_length_exceeded"}}""")]
    [InlineData(400, """{"error":{"message":"Your input is large.","code":"context_length_exceeded"}}""")]
    [InlineData(400, """{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4500 in the messages, 500 in the completion).","code":400}""")]
    [InlineData(400, """{"error":{"message":"You passed 4500 input tokens and requested 500 output tokens. However, the model's context length is only 4096 tokens, resulting in a maximum input length of 3596 tokens.","type":"BadRequestError","param":"input_tokens","code":400}}""")]
    [InlineData(400, """{"object":"error","message":"The input (5000 tokens) is longer than the model's context length (4096 tokens).","code":400}""")]
    [InlineData(400, """{"error":{"message":"Input length (5000 tokens) exceeds the maximum allowed length (4096 tokens)"}}""")]
    [InlineData(400, """{"error":{"code":400,"message":"request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":4096}}""")]
    [InlineData(500, """{"error":{"code":500,"message":"the request exceeds the available context size","type":"server_error"}}""")]
    [InlineData(422, """{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens","error_type":"validation"}""")]
    [InlineData(400, """{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: too long","type":null,"param":null,"code":"400"}}""")]
    [InlineData(400, """{"error":{"message":"prompt is too long: 5000 tokens > 4096 maximum"}}""")]
    [InlineData(413, """{"error":{"message":"too many tokens in the prompt"}}""")]
    public void FromBody_ContextTooLong_IsRecognised(int status, string body)
    {
        Assert.Equal(ApiError.ContextLengthExceeded(), Read(status, body));
        Assert.Equal(ApiError.ContextLengthExceeded(), UpstreamErrorReader.FromStreamError(Encoding.UTF8.GetBytes(body), []));
    }

    [Theory]
    [InlineData("This model's maximum context length is 4096 tokens. However, you requested 100 output tokens and your prompt contains at least 3997 input tokens, for a total of at least 4097 tokens.", 4096)]
    [InlineData("The prompt is longer than the maximum model length of 4096.", 4096)]
    [InlineData("the request exceeds the available context size", null)]
    public void TryReadContextNumbers_WhereTheInputIsNotNamed_OnlyTheLengthIsKnown(string message, int? length)
    {
        Assert.False(UpstreamErrorReader.TryReadContextNumbers(message, out _, out _));
        Assert.Equal(length is not null, UpstreamErrorReader.TryReadContextLength(message, out var read));
        Assert.Equal(length ?? 0, read);
        Assert.Equal(ApiError.ContextLengthExceeded(), Read(400, new System.Text.Json.Nodes.JsonObject { ["message"] = message }.ToJsonString()));
    }

    [Fact]
    public void ReadMessage_MembersOfLlamaCpp_AreReadWithTheMessage()
    {
        var message = UpstreamErrorReader.ReadMessage("""{"error":{"message":"the request exceeds the available context size","n_prompt_tokens":5000,"n_ctx":4096}}"""u8);

        Assert.True(UpstreamErrorReader.TryReadContextNumbers(message!, out var length, out var input));
        Assert.Equal((4096, 5000), (length, input));
    }

    [Fact]
    public void FromBody_ContextPatternOfTheProfile_IsRecognised()
    {
        var body = """{"error":{"message":"Prompt of 9000 pieces is over the top"}}"""u8;

        Assert.Equal("context_length_exceeded", UpstreamErrorReader.FromBody(400, body, [@"prompt of \d+ pieces"]).Code);
        Assert.Null(UpstreamErrorReader.FromBody(400, body, ["something else", "(a+)+$"]).Code);
    }

    [Fact]
    public void FromBody_TokensPerMinute_IsNoContextError()
    {
        Assert.Equal(429, Read(429, """{"error":{"message":"Too many tokens per minute"}}""").Status);
    }

    [Theory]
    [InlineData("raise_exception: roles must alternate")]
    [InlineData("Unsupported param: tool_choice")]
    [InlineData("Failed to apply chat template")]
    public void FromBody_TemplateErrorAs500_IsTheClients(string message)
    {
        var error = Read(500, $$$"""{"error":{"code":500,"message":"{{{message}}}","type":"server_error"}}""");

        Assert.Equal((400, message), (error.Status, error.Message));
    }

    [Theory]
    [InlineData("max_tokens", "max_output_tokens")]
    [InlineData("max_completion_tokens", "max_output_tokens")]
    [InlineData("messages[3].content", "input")]
    [InlineData("response_format", "text.format")]
    [InlineData("reasoning_effort", "reasoning.effort")]
    [InlineData("temperature", "temperature")]
    [InlineData("odd param!", null)]
    public void FromBody_Param_IsNamedAsTheClientKnowsIt(string upstream, string? param)
    {
        var error = Read(400, $$$"""{"error":{"message":"no","param":"{{{upstream}}}","code":"unsupported_value"}}""");

        Assert.Equal((param, "unsupported_value"), (error.Param, error.Code));
    }

    [Theory]
    [InlineData("see http://gpu-7.internal:8000/v1?key=abc for it", "see [url] for it")]
    [InlineData("connect to 10.1.2.3:8000 failed", "connect to [host] failed")]
    [InlineData("connect to [fd00::1]:8000 failed", "connect to [host] failed")]
    [InlineData("no route to localhost:8000 today", "no route to [host] today")]
    [InlineData("host gpu-7.prod.internal is down", "host [host] is down")]
    [InlineData("HTTPConnectionPool(host='gpu-7', port=80): refused", "HTTPConnectionPool(host='[host]', port=80): refused")]
    [InlineData("Incorrect key sk-proj-abcdef123456", "Incorrect key [key]")]
    [InlineData("got Bearer abc.def", "got [key]")]
    [InlineData("the model Qwen3-Coder-480B-A35B-Instruct-FP8 took 4096 tokens at 12:30", "the model Qwen3-Coder-480B-A35B-Instruct-FP8 took 4096 tokens at 12:30")]
    [InlineData("emoji \ud83d\ude00 stay, \u0007bells do not", "emoji \ud83d\ude00 stay,  bells do not")]
    public void FromBody_HostsUrlsAndKeys_AreHidden(string message, string shown)
    {
        var body = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new { error = new { message } });

        Assert.Equal(shown, UpstreamErrorReader.FromBody(400, body, []).Message);
    }

    [Fact]
    public void FromBody_LongMessage_IsCutAt2KBBetweenCharacters()
    {
        var message = Read(400, $$$"""{"error":{"message":"{{{string.Concat(Enumerable.Repeat("\u4e2d ", 5000))}}}"}}""").Message;

        Assert.InRange(Encoding.UTF8.GetByteCount(message), 2040, 2048);
        Assert.DoesNotContain('\uFFFD', message);
    }

    [Theory]
    [InlineData("""{"error":{"message":"CUDA out of memory","type":"InternalServerError","code":500}}""", 502, "upstream_error")]
    [InlineData("""{"error":{"message":"slow down","type":"rate_limit_error"}}""", 429, "rate_limit_exceeded")]
    [InlineData("""{"object":"error","message":"bad","type":"BadRequestError","code":400}""", 400, null)]
    [InlineData("""{"error":"boom"}""", 502, "upstream_error")]
    [InlineData("""{"code":503,"message":"busy"}""", 503, "upstream_unavailable")]
    [InlineData("""{"error":{"message":"timed out","type":"timeout"}}""", 504, "upstream_timeout")]
    [InlineData("nonsense", 502, "upstream_error")]
    public void FromStreamError_EveryShape_IsMapped(string json, int status, string? code)
    {
        var error = UpstreamErrorReader.FromStreamError(Encoding.UTF8.GetBytes(json), []);

        Assert.Equal((status, code), (error.Status, error.Code));
    }

    [Theory]
    [InlineData("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4500 in the messages, 500 in the completion).", 4096, 4500)]
    [InlineData("This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.", 4096, 5000)]
    [InlineData("You passed 3000 input tokens and requested 2000 output tokens. However, the model's context length is only 4096 tokens, resulting in", 4096, 3000)]
    [InlineData("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 4096, 5000)]
    [InlineData("Input length (5000 tokens) exceeds the maximum allowed length (4096 tokens)", 4096, 5000)]
    [InlineData("request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it", 4096, 5000)]
    [InlineData("prompt is too long: 5000 tokens > 4096 maximum", 4096, 5000)]
    public void TryReadContextNumbers_KnownTexts_GiveBothNumbers(string message, int limit, int input)
    {
        Assert.True(UpstreamErrorReader.TryReadContextNumbers(message, out var contextLength, out var inputTokens));
        Assert.Equal((limit, input), (contextLength, inputTokens));
    }

    [Theory]
    [InlineData("the request exceeds the available context size")]
    [InlineData("The input (99999999999 tokens) is longer than the model's context length (4096 tokens).")]
    public void TryReadContextNumbers_NoUsableNumbers_IsFalse(string message)
    {
        Assert.False(UpstreamErrorReader.TryReadContextNumbers(message, out _, out _));
    }

    [Fact]
    public void FromBody_CutAnywhere_NeverThrows()
    {
        var body = Encoding.UTF8.GetBytes("""{"error":{"message":"caf\u00e9 \ud83d\ude00 €","type":"x","param":["a"],"code":{}},"detail":[{"loc":[1,{}],"msg":2}]}""");

        for (var length = 0; length <= body.Length; length++)
        {
            Assert.Equal(400, UpstreamErrorReader.FromBody(400, body.AsSpan(0, length), []).Status);
        }
    }

    private static ApiError Read(int status, string body) => UpstreamErrorReader.FromBody(status, Encoding.UTF8.GetBytes(body), []);
}
