namespace Gateway.Testing.Scripting;

/// <summary>Errors: inside a 200, as a status, and the texts by which servers say that a context is too long.</summary>
public static partial class Misbehaviours
{
    /// <summary>A host and key as a careless server puts them into an error; they must not reach a client.</summary>
    public const string Secret = "sk-live-1234567890abcdef";

    private static readonly (string Variant, string Event)[] ErrorChunks =
    [
        ("error object", "data: {\"error\":{\"message\":\"the model crashed\",\"type\":\"server_error\",\"code\":500}}\n\n"),
        ("object error", "data: {\"object\":\"error\",\"message\":\"the model crashed\",\"type\":\"InternalServerError\",\"code\":500}\n\n"),
        ("event error", "event: error\ndata: {\"message\":\"the model crashed\"}\n\n"),
        ("code and message", "data: {\"code\":500,\"message\":\"the model crashed\"}\n\n"),
        ("error text", "data: {\"error\":\"the model crashed\"}\n\n"),
    ];

    private static readonly (string Variant, int Status, string ContentType, string Body)[] BadRequests =
    [
        ("openai", 400, ChatScript.Json, """{"error":{"message":"temperature is too hot","type":"invalid_request_error","param":"temperature","code":"invalid_value"}}"""),
        ("llamacpp", 400, ChatScript.Json, """{"error":{"code":400,"message":"temperature is too hot","type":"invalid_request_error"}}"""),
        ("litellm", 400, ChatScript.Json, """{"error":{"message":"litellm.BadRequestError: temperature is too hot","type":"None","param":"None","code":"400"}}"""),
        ("flat", 400, ChatScript.Json, """{"object":"error","message":"temperature is too hot","type":"BadRequestError","param":null,"code":400}"""),
        ("vllm", 400, ChatScript.Json, """{"error":{"message":"temperature is too hot","type":"BadRequestError","param":null,"code":400}}"""),
        ("detail text", 400, ChatScript.Json, """{"detail":"temperature is too hot"}"""),
        ("detail list", 422, ChatScript.Json, """{"detail":[{"loc":["body","temperature"],"msg":"temperature is too hot","type":"value_error"}]}"""),
        ("message", 400, ChatScript.Json, """{"message":"temperature is too hot"}"""),
        ("error text", 400, ChatScript.Json, """{"error":"temperature is too hot"}"""),
        ("tgi", 422, ChatScript.Json, """{"error":"temperature is too hot","error_type":"validation"}"""),
        ("html", 400, "text/html", "<html><body><h1>400 Bad Request</h1><hr>nginx</body></html>"),
        ("empty", 400, "", ""),
    ];

    private static readonly (string Variant, int Status, string Body)[] ContextErrors =
    [
        ("openai", 400, """{"error":{"message":"This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens. Please reduce the length of the messages.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"""),
        ("vllm old", 400, """{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 6000 tokens (5000 in the messages, 1000 in the completion).","type":"BadRequestError","param":null,"code":400}"""),
        ("vllm", 400, """{"error":{"message":"You passed 5000 input tokens and requested 100 output tokens. However, the model's context length is only 4096 tokens, resulting in a maximum input length of 3996 tokens.","type":"BadRequestError","param":"input_tokens","code":400}}"""),
        ("sglang", 400, """{"object":"error","message":"The input (5000 tokens) is longer than the model's context length (4096 tokens).","type":"BadRequestError","param":null,"code":400}"""),
        ("sglang input length", 400, """{"object":"error","message":"Input length (5000 tokens) exceeds the maximum allowed length (4096 tokens). Use a shorter input.","type":"BadRequestError","param":null,"code":400}"""),
        ("llamacpp", 400, """{"error":{"code":400,"message":"request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":4096}}"""),
        ("llamacpp old", 500, """{"error":{"code":500,"message":"the request exceeds the available context size. try increasing the context size or enable context shift","type":"server_error"}}"""),
        ("tgi", 422, """{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 100 `max_new_tokens`","error_type":"validation"}"""),
        ("litellm", 400, """{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: prompt is too long","type":"None","param":"None","code":"400"}}"""),
        ("other", 400, """{"error":{"message":"prompt is too long: 5000 tokens > 4096 maximum","type":"invalid_request_error"}}"""),
    ];

    private static IEnumerable<MisbehaviourCase> ErrorCases()
    {
        foreach (var (variant, text) in ErrorChunks)
        {
            yield return Case(Misbehaviour.ErrorChunkFirst, variant, () => Start().Raw(text).Done().ToScript());
            yield return Case(Misbehaviour.ErrorChunkMidway, variant, () => Start().Text(Pieces[..2]).Raw(text).Done().ToScript());
        }

        foreach (var (variant, status, contentType, body) in BadRequests)
        {
            yield return Case(Misbehaviour.BadRequestBody, variant, () => ChatScript.Of(status, body, contentType));
        }

        yield return Case(Misbehaviour.BadRequestBody, "secrets", () => ChatScript.Of(
            400, $$$"""{"error":{"message":"bad request to http://gpu-7.internal:8000/v1 with key {{{Secret}}}"}}"""));
        foreach (var (variant, status, body) in ContextErrors)
        {
            yield return Case(Misbehaviour.ContextError, variant, () => ChatScript.Of(status, body));
        }

        yield return Case(Misbehaviour.ContextError, "sglang in a 200", () => new ChatStream()
            .Data("""{"error":{"object":"error","message":"The input (5000 tokens) is longer than the model's context length (4096 tokens).","type":"BadRequestError","param":null,"code":400}}""").Done().ToScript());
        yield return Case(Misbehaviour.RateLimited, () =>
            ChatScript.Of(429, """{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}""").WithHeader("Retry-After", "7"));
        yield return new MisbehaviourCase(Misbehaviour.ServerErrorThenSuccess, "", () =>
        {
            var calls = 0;
            return request => Interlocked.Increment(ref calls) == 1
                ? ChatScript.Of(500, """{"error":{"message":"out of memory","type":"server_error","code":500}}""")
                : ChatAnswer.Say(Text).For(request);
        });
    }
}
