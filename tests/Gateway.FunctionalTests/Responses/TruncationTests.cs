using System.Globalization;
using System.Text.Json.Nodes;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Responses;

/// <summary>
/// <c>truncation</c> against a server with a window of 1,000 tokens, which counts one token for each word of the messages: however long the chain,
/// what is too much is given up at once.
/// </summary>
public sealed class TruncationTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const int Window = 1000;

    [Theory]
    [InlineData("This model's maximum context length is {1} tokens. However, your messages resulted in {0} tokens.")]
    [InlineData("This model's maximum context length is {1} tokens. However, you requested {2} tokens ({0} in the messages, 0 in the completion).")]
    [InlineData("This model's maximum context length is {1} tokens. However, your request has {0} input tokens. Please reduce the length of the input messages.")]
    [InlineData("You passed {0} input tokens and requested 0 output tokens. However, the model's context length is only {1} tokens, resulting in a maximum input length of {1} tokens.")]
    [InlineData("The decoder prompt (length {0}) is longer than the maximum model length of {1}. Make sure that `max_model_len` is no smaller than the number of text tokens.")]
    [InlineData("The input ({0} tokens) is longer than the model's context length ({1} tokens).")]
    [InlineData("Input length ({0}) exceeds model's maximum context length ({1}).")]
    [InlineData("request ({0} tokens) exceeds the available context size ({1} tokens), try increasing it")]
    [InlineData("Input validation error: `inputs` tokens + `max_new_tokens` must be <= {1}. Given: {0} `inputs` tokens and 0 `max_new_tokens`")]
    [InlineData("prompt is too long: {0} tokens > {1} maximum")]
    public async Task NumbersOfTheError_TakeOneRetry(string message)
    {
        Upstream.Default = Counting(words => ChatScript.Of(400, Error(string.Format(CultureInfo.InvariantCulture, message, words, Window, words))));

        await CreateAsync($$"""{"instructions":"Be kind.","truncation":"auto","input":[{{Turns(200)}},{"role":"user","content":"Last"}]}""");

        AssertOneRetry();
    }

    [Fact]
    public async Task MembersOfTheError_TakeOneRetry()
    {
        Upstream.Default = Counting(words => ChatScript.Of(
            400, $$$"""{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":{{{words}}},"n_ctx":{{{Window}}}}}"""));

        await CreateAsync($$"""{"instructions":"Be kind.","truncation":"auto","input":[{{Turns(200)}},{"role":"user","content":"Last"}]}""");

        AssertOneRetry();
    }

    [Fact]
    public async Task ErrorInsideAStream_TakesOneRetry()
    {
        Upstream.Default = Counting(words => new ChatStream().Data(Error($"The input ({words} tokens) is longer than the model's context length ({Window} tokens).")).Done().ToScript());

        await StreamAsync($$"""{"instructions":"Be kind.","truncation":"auto","input":[{{Turns(200)}},{"role":"user","content":"Last"}]}""");

        AssertOneRetry();
    }

    [Fact]
    public async Task Chain_IsCutAtItsBeginning()
    {
        await UseOwnGatewayAsync();
        Upstream.Default = Counting(words => ChatScript.Of(400, Error($"prompt is too long: {words} tokens > {Window} maximum")));
        var last = await CreateAsync($$"""{"input":[{{Turns(90)}},{"role":"user","content":"Q"}]}""");
        Assert.Single(Upstream.Calls);

        last = await CreateAsync($$"""{"truncation":"auto","previous_response_id":"{{last.Text("id")}}","input":[{{Turns(50, "own")}},{"role":"user","content":"Last"}]}""");

        Assert.Equal(3, Upstream.Calls.Count);
        Assert.Equal(50, Contents(Upstream.LastCall).Count(text => text.StartsWith("own", StringComparison.Ordinal)));
        Assert.Equal("auto", last.Text("truncation"));

        // What was given up for one call is still of the chain.
        Upstream.Default = ScriptedUpstream.Greeting;
        await CreateAsync($$"""{"previous_response_id":"{{last.Text("id")}}","input":"More"}""");
        Assert.StartsWith("turn0 ", Contents(Upstream.LastCall)[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Calls_GoWithTheirOutputs()
    {
        Upstream.Default = request => Misbehaviours.Named("43 RejectsUnansweredCall").CreateReaction()(request) is { Status: 400 } refused
            ? refused
            : Counting(words => ChatScript.Of(400, Error($"prompt is too long: {words} tokens > {Window} maximum")))(request);
        var calls = string.Join(',', Enumerable.Range(0, 100).Select(i =>
            $$"""{"type":"function_call","call_id":"call_{{i}}","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"call_{{i}}","output":"{{Words("out", 20)}}"}"""));

        await CreateAsync($$"""{"truncation":"auto","input":[{"role":"user","content":"Go"},{{calls}},{"role":"user","content":"Last"}]}""");

        Assert.Equal(2, Upstream.Calls.Count);
        Assert.InRange(WordsOf(Upstream.LastCall.Body), Window / 2, Window);
    }

    [Fact]
    public async Task OutputLimit_KeepsItsRoom()
    {
        Upstream.Default = Counting(words => ChatScript.Of(400, Error($"prompt is too long: {words} tokens > {Window} maximum")));

        await CreateAsync($$"""{"truncation":"auto","max_output_tokens":200,"input":[{{Turns(200)}},{"role":"user","content":"Last"}]}""");
        await CreateAsync($$"""{"truncation":"auto","max_output_tokens":5000,"input":[{{Turns(200)}},{"role":"user","content":"Last"}]}""");

        Assert.Equal(4, Upstream.Calls.Count);
        foreach (var call in (RecordedCall[])[Upstream.Calls[1], Upstream.Calls[3]])
        {
            var limit = call.Body["max_tokens"]!.GetValue<int>();
            Assert.True(limit >= 200 && WordsOf(call.Body) + limit <= Window, $"{limit} output tokens do not fit beside {WordsOf(call.Body)}.");
        }
    }

    [Fact]
    public async Task Tokenizer_MeasuresTheCut_WhereTheErrorHasNoNumbers()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", "vllm"));
        Upstream.Default = Counting(_ => ChatScript.Of(400, Error("This model's maximum context length is exceeded.")));
        Upstream.Root = call => ChatScript.Of(200, $$"""{"count":{{WordsOf(call.Body)}},"max_model_len":{{Window}}}""");

        // The old turns have few words of many letters, so that bytes mislead.
        var old = string.Join(',', Enumerable.Range(0, 300).Select(i => $$"""{"role":"user","content":"{{new string('x', 100)}} {{i}}"}"""));
        await CreateAsync($$"""{"truncation":"auto","input":[{{old}},{{Turns(150)}},{"role":"user","content":"Last"}]}""");

        Assert.Equal(2, Upstream.Calls.Count);
        var room = Window - (Window / 8) - (Window / 32);
        Assert.InRange(WordsOf(Upstream.LastCall.Body), room - (Window / 16), room);
        Assert.InRange(Upstream.RootCalls.Count, 1, 8);
    }

    [Fact]
    public async Task Tokenizer_ThatIsThere_ButErrorNamesTheWindowOnly()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", "vllm"));
        Upstream.Default = Counting(_ => ChatScript.Of(400, Error(
            $"This model's maximum context length is {Window} tokens. However, you requested 1 output tokens and your prompt contains at least {Window} input tokens, for a total of at least {Window + 1} tokens.")));
        Upstream.Root = call => ChatScript.Of(200, $$"""{"count":{{WordsOf(call.Body)}}}""");

        await CreateAsync($$"""{"instructions":"Be kind.","truncation":"auto","input":[{{Turns(200)}},{"role":"user","content":"Last"}]}""");

        AssertOneRetry();
    }

    [Fact]
    public async Task WindowOfTheProfile_IsUsedWhereNothingElseTells()
    {
        // Ten letters and a blank are about three tokens by their bytes; to this server they are one.
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:ProfileOptions:context_window", "3000"));
        Upstream.Default = Counting(_ => ChatScript.Of(400, Error("too many tokens")));

        await CreateAsync($$"""{"truncation":"auto","input":[{{Turns(200)}},{"role":"user","content":"Last"}]}""");

        Assert.Equal(2, Upstream.Calls.Count);
    }

    [Fact]
    public async Task Disabled_NothingIsGivenUp()
    {
        Upstream.Default = Counting(words => ChatScript.Of(400, Error($"prompt is too long: {words} tokens > {Window} maximum")));

        (await PostAsync(WithModel($$"""{"input":[{{Turns(200)}},{"role":"user","content":"Last"}]}"""))).AssertError(400, "context_length_exceeded", "input");

        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task NothingLeftToGiveUp_IsTheError()
    {
        Upstream.Default = Counting(words => ChatScript.Of(400, Error($"prompt is too long: {words} tokens > {Window} maximum")));

        (await PostAsync(WithModel($$"""{"truncation":"auto","input":"{{Words("w", 2000)}}"}"""))).AssertError(400, "context_length_exceeded", "input");
        (await PostAsync(WithModel($$"""{"truncation":"auto","input":[{"role":"user","content":"Old"},{"role":"user","content":"{{Words("w", 2000)}}"}]}""")))
            .AssertError(400, "context_length_exceeded", "input");

        Assert.Equal(3, Upstream.Calls.Count);
    }

    [Fact]
    public async Task ServerThatCutsSilently_IsNotSentTooMuch()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", "ollama"), ("Gateway:Upstreams:main:ProfileOptions:context_window", "1000"));

        (await PostAsync(WithModel($$"""{"input":[{{Turns(200)}},{"role":"user","content":"Last"}]}"""))).AssertError(400, "context_length_exceeded", "input");
        Assert.Empty(Upstream.Calls);

        await CreateAsync("""{"input":"Hi"}""");
        await CreateAsync($$"""{"truncation":"auto","instructions":"Be kind.","input":[{{Turns(200)}},{"role":"user","content":"Last"}]}""");

        Assert.Equal(2, Upstream.Calls.Count);
        Assert.Equal(("Be kind.", "Last"), (Contents(Upstream.LastCall)[0], Contents(Upstream.LastCall)[^1]));
        Assert.InRange(Upstream.LastCall.Body["messages"]!.ToJsonString().Length, 2500, 4000);
    }

    [Fact]
    public async Task ServerThatCutsSilently_WithoutAKnownWindow_IsSentEverything()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Profile", "ollama"));

        await CreateAsync($$"""{"input":[{{Turns(200)}},{"role":"user","content":"Last"}]}""");

        Assert.Equal(201, Upstream.LastCall.Messages.Count);
    }

    /// <summary>One retry, which gave up no more than it had to, and only at the beginning.</summary>
    private void AssertOneRetry()
    {
        Assert.Equal(2, Upstream.Calls.Count);
        var sent = Contents(Upstream.LastCall);
        Assert.Equal("Be kind.", sent[0]);
        Assert.Equal(Contents(Upstream.Calls[0])[^(sent.Count - 1)..], sent[1..]);
        var room = Window - (Window / 8) - (Window / 32);
        Assert.InRange(WordsOf(Upstream.LastCall.Body), room - (Window / 16), room);
    }

    /// <summary>A server that answers what fits, and refuses what does not.</summary>
    private static ChatReaction Counting(Func<int, ChatScript> refuse) => request =>
        WordsOf(request) is var words && words > Window ? refuse(words) : ChatAnswer.Say("Fits").For(request);

    private static string Error(string message) => new JsonObject { ["error"] = new JsonObject { ["message"] = message, ["type"] = "BadRequestError", ["code"] = 400 } }.ToJsonString();

    /// <summary>Messages of ten words each.</summary>
    private static string Turns(int count, string name = "turn") => string.Join(',', Enumerable.Range(0, count).Select(i =>
        $$"""{"role":"{{(i % 2 == 0 ? "user" : "assistant")}}","content":"{{name}}{{i}} {{Words("wordofmine", 9)}}"}"""));

    private static string Words(string word, int count) => string.Join(' ', Enumerable.Repeat(word, count));

    private static int WordsOf(JsonObject request) =>
        request["messages"]!.AsArray().Sum(message => ((string?)message!["content"])?.Split(' ').Length ?? 0);

    private static List<string> Contents(RecordedCall call) => [.. call.Messages.Select(message => (string)message!["content"]!)];
}
