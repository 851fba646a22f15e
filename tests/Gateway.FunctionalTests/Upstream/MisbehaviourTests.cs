using System.Text;
using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>Every misbehaviour of an upstream that concerns what it answers, through the whole gateway, streamed and not.</summary>
public sealed class MisbehaviourTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";
    private const string Request = $$"""{"input":"Weather?","tools":[{{Weather}}]}""";

    private static readonly Misbehaviour[] PlainText =
    [
        Misbehaviour.SplitEveryByte, Misbehaviour.CarriageReturns, Misbehaviour.CommentsAndEmptyData, Misbehaviour.NoDone, Misbehaviour.UsageTwice,
        Misbehaviour.UsageOnEveryChunk, Misbehaviour.NoUsage, Misbehaviour.JsonForStream, Misbehaviour.EmojiAcrossChunks, Misbehaviour.FinishToolCallsWithoutCalls,
    ];

    private static readonly Misbehaviour[] OneCall =
    [
        Misbehaviour.EmptyNameAndIdRepeats, Misbehaviour.NewIdPerChunk, Misbehaviour.WholeArgumentsInOneChunk, Misbehaviour.ObjectArguments,
        Misbehaviour.ArgumentsRepeatedAtEnd, Misbehaviour.FinishStopWithCalls,
    ];

    private static readonly Misbehaviour[] TwoCalls = [Misbehaviour.ParallelCallsByIndex, Misbehaviour.SameIndexDifferentIds, Misbehaviour.NoIndex];

    public static TheoryData<string, bool> PlainTextCases => Cases(PlainText.SelectMany(Misbehaviours.Of));

    public static TheoryData<string, bool> ReasoningCases => Cases(
        Misbehaviours.Of(Misbehaviour.ReasoningField).Concat(Misbehaviours.Of(Misbehaviour.NullNoise)).Concat(Misbehaviours.Of(Misbehaviour.ContentAsArray))
            .Concat(Misbehaviours.Of(Misbehaviour.ThinkTags).Where(c => c.Variant == "split")));

    public static TheoryData<string, bool> OneCallCases => Cases(
        OneCall.SelectMany(Misbehaviours.Of).Concat(Misbehaviours.Of(Misbehaviour.NameAfterArguments).Where(c => c.Variant == "name later")));

    public static TheoryData<string, bool> TwoCallsCases => Cases(TwoCalls.SelectMany(Misbehaviours.Of));

    public static TheoryData<string> ErrorFirstCases => [.. Misbehaviours.Of(Misbehaviour.ErrorChunkFirst).Select(c => c.ToString())];

    public static TheoryData<string> ErrorMidwayCases => [.. Misbehaviours.Of(Misbehaviour.ErrorChunkMidway).Select(c => c.ToString())];

    public static TheoryData<string, bool> BadRequestCases => Cases(Misbehaviours.Of(Misbehaviour.BadRequestBody));

    public static TheoryData<string, bool> ContextErrorCases => Cases(Misbehaviours.Of(Misbehaviour.ContextError));

    [Theory]
    [MemberData(nameof(PlainTextCases))]
    public async Task Text_InAnyShape_IsTheSameAnswer(string name, bool streamed)
    {
        var response = await AnswerAsync(name, streamed);

        Assert.Equal("completed", response.Text("status"));
        Assert.Equal(["message"], response.Types("output"));
        Assert.Equal(Misbehaviours.Text, response.OutputText());
    }

    [Fact]
    public async Task UsageTwice_KeepsTheFullerOne()
    {
        var usage = (await AnswerAsync(Misbehaviours.Of(Misbehaviour.UsageTwice).Single().ToString(), true)).At("usage");

        Assert.Equal((11, 7, 5, 3), (usage.Number("input_tokens"), usage.Number("output_tokens"), usage.Number("input_tokens_details.cached_tokens"), usage.Number("output_tokens_details.reasoning_tokens")));
    }

    [Fact]
    public async Task UsageOnEveryChunk_KeepsTheLast()
    {
        var usage = (await AnswerAsync(Misbehaviours.Of(Misbehaviour.UsageOnEveryChunk).Single().ToString(), true)).At("usage");

        Assert.Equal((11, 7, 18), (usage.Number("input_tokens"), usage.Number("output_tokens"), usage.Number("total_tokens")));
    }

    [Theory]
    [MemberData(nameof(ReasoningCases))]
    public async Task Reasoning_InAnyShape_IsAReasoningItem(string name, bool streamed)
    {
        var response = await AnswerAsync(name, streamed);

        Assert.Equal(["reasoning", "message"], response.Types("output"));
        Assert.Equal(Misbehaviours.Reasoning, response.Text("output[0].content[0].text"));
        Assert.Equal(Misbehaviours.Text, response.OutputText());
    }

    [Fact]
    public async Task ThinkTags_WithoutOpenTag_AreReasoningWhenTheProfileSaysSo()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:ProfileOptions:reasoning_implicit_open", "true"));

        var response = await AnswerAsync("11 ThinkTags (no open tag)", true);

        Assert.Equal(Misbehaviours.Reasoning, response.Text("output[0].content[0].text"));
        Assert.Equal(Misbehaviours.Text, response.OutputText());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ThinkTags_WithoutCloseTag_LoseNothing(bool streamed)
    {
        var response = await AnswerAsync("11 ThinkTags (no close tag)", streamed);

        Assert.Equal(("incomplete", "max_output_tokens"), (response.Text("status"), response.Text("incomplete_details.reason")));
        Assert.EndsWith("First I think.", response.Text("output[0].content[0].text"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ReasoningAfterText_OpensItemsInTheOrderItCame(bool streamed)
    {
        var response = await AnswerAsync(Misbehaviours.Of(Misbehaviour.ReasoningAfterText).Single().ToString(), streamed);

        Assert.Equal(["reasoning", "message", "reasoning", "message"], response.Types("output"));
        Assert.Equal(Misbehaviours.Text, response.OutputText());
    }

    [Theory]
    [MemberData(nameof(OneCallCases))]
    public async Task ToolCall_InAnyShape_IsOneCall(string name, bool streamed)
    {
        var response = await AnswerAsync(name, streamed);

        Assert.Equal("completed", response.Text("status"));
        Assert.Equal([("function_call", Misbehaviours.ToolName, Misbehaviours.OsloArguments)], Calls(response));
    }

    [Theory]
    [MemberData(nameof(TwoCallsCases))]
    public async Task ToolCalls_InAnyShape_AreTwoCalls(string name, bool streamed)
    {
        var response = await AnswerAsync(name, streamed);

        Assert.Equal("completed", response.Text("status"));
        Assert.Equal(
            [("function_call", Misbehaviours.ToolName, Misbehaviours.OsloArguments), ("function_call", Misbehaviours.ToolName, Misbehaviours.RomeArguments)],
            Calls(response));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ToolCall_WithoutAnyName_IsAnUpstreamError(bool streamed) =>
        (await RefusalAsync("22 NameAfterArguments (name never)", streamed)).AssertError(502, "upstream_error", null, "server_error");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task LengthInsideArguments_IsAnIncompleteCall(bool streamed)
    {
        var response = await AnswerAsync(Misbehaviours.Of(Misbehaviour.LengthInsideArguments).Single().ToString(), streamed);

        Assert.Equal(("incomplete", "max_output_tokens"), (response.Text("status"), response.Text("incomplete_details.reason")));
        Assert.Equal(("function_call", "incomplete"), (response.Text("output[0].type"), response.Text("output[0].status")));

        await CreateAsync($$"""{"input":"Go on","previous_response_id":"{{response.Text("id")}}"}""");
        Assert.DoesNotContain("tool_calls", Upstream.LastCall.Body.ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(ErrorFirstCases))]
    public async Task ErrorChunkFirst_IsAnHttpStatus(string name)
    {
        var reply = await RefusalAsync(name, true);

        Assert.True((int)reply.Status is >= 500 and <= 504, $"{(int)reply.Status}: {reply.Body}");
        Assert.Equal("server_error", reply.Json.Text("error.type"));
    }

    [Theory]
    [MemberData(nameof(ErrorMidwayCases))]
    public async Task ErrorChunkMidway_IsFailedAndKeepsTheText(string name)
    {
        var response = await AnswerAsync(name, true);

        Assert.Equal("failed", response.Text("status"));
        Assert.Equal("Hello, wörld", response.OutputText());
        Assert.Equal("server_error", response.Text("error.type"));
    }

    [Fact]
    public async Task EndWithoutFinish_IsFailedAndKeepsTheText()
    {
        var response = await AnswerAsync(Misbehaviours.Of(Misbehaviour.EndsWithoutFinish).Single().ToString(), true);

        Assert.Equal(("failed", "upstream_error"), (response.Text("status"), response.Text("error.code")));
        Assert.Equal("Hello, wörld", response.OutputText());
    }

    [Fact]
    public async Task ResetMidStream_IsFailedAndKeepsTheText()
    {
        var script = Misbehaviours.Of(Misbehaviour.ResetMidStream).Single().Script;
        Upstream.Enqueue(script);
        using var response = await OpenStreamAsync(Request);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var body = new StringBuilder();
        while (!body.ToString().Contains("\"delta\":\", wörld\"", StringComparison.Ordinal))
        {
            body.Append(await reader.ReadLineAsync(Cancellation)).Append('\n');
        }

        script.Hold.Release();
        body.Append(await reader.ReadToEndAsync(Cancellation));

        var final = ResponseStream.Parse(body.ToString()).Final;
        Assert.Equal(("failed", "upstream_error"), (final.Text("status"), final.Text("error.code")));
        Assert.Equal("Hello, wörld", final.OutputText());
    }

    [Theory]
    [MemberData(nameof(BadRequestCases))]
    public async Task BadRequest_InAnyShape_Is400WithItsMessage(string name, bool streamed)
    {
        var reply = await RefusalAsync(name, streamed);

        reply.AssertError(400, reply.Json.Text("error.code"), reply.Json.Text("error.param"));
        var message = reply.Json.Text("error.message")!;
        var variant = Misbehaviours.Named(name).Variant;
        if (variant is "html" or "empty" or "secrets")
        {
            Assert.DoesNotContain("<", message, StringComparison.Ordinal);
            Assert.DoesNotContain("nginx", message, StringComparison.Ordinal);
            Assert.DoesNotContain(Misbehaviours.Secret, message, StringComparison.Ordinal);
            Assert.DoesNotContain("gpu-7.internal", message, StringComparison.Ordinal);
        }
        else
        {
            Assert.Contains("temperature is too hot", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(ContextErrorCases))]
    public async Task ContextError_OfAnyServer_IsContextLengthExceeded(string name, bool streamed)
    {
        var reply = await RefusalAsync(name, streamed);

        reply.AssertError(400, "context_length_exceeded", "input");
        Assert.Equal("Your input exceeds the context window of this model. Please adjust your input and try again.", reply.Json.Text("error.message"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task RateLimited_Is429WithRetryAfter(bool streamed)
    {
        var reply = await RefusalAsync(Misbehaviours.Of(Misbehaviour.RateLimited).Single().ToString(), streamed);

        reply.AssertError(429, "rate_limit_exceeded", null, reply.Json.Text("error.type")!);
        Assert.Equal("7", reply.Headers.RetryAfter!.ToString());
        Assert.Matches(@"try again in \d+(\.\d+)?s", reply.Json.Text("error.message"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Refusal_IsARefusalPart(bool streamed)
    {
        var response = await AnswerAsync(Misbehaviours.Of(Misbehaviour.RefusalDelta).Single().ToString(), streamed);

        Assert.Equal(("refusal", "I can not help with that."), (response.Text("output[0].content[0].type"), response.Text("output[0].content[0].refusal")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task EmptyCompletion_IsOneMessageWithEmptyText(bool streamed)
    {
        var response = await AnswerAsync(Misbehaviours.Of(Misbehaviour.EmptyCompletion).Single().ToString(), streamed);

        Assert.Equal("completed", response.Text("status"));
        Assert.Equal("", response.Text("output[0].content[0].text"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task HugeArguments_ArriveWhole(bool streamed)
    {
        var response = await AnswerAsync(Misbehaviours.Of(Misbehaviour.HugeArguments).Single().ToString(), streamed);

        Assert.Equal("""{"city":""}""".Length + Misbehaviours.HugeArgumentsLength, response.Text("output[0].arguments")!.Length);
        Assert.Equal(response.GetRawText(), (await GetAsync("/v1/responses/" + response.Text("id"))).AssertOk().GetRawText());
    }

    [Fact]
    public async Task DuplicateIds_InOneRound_BecomeUnique()
    {
        var response = await AnswerAsync("50 DuplicateIdsAcrossRounds (in one round)", true);

        Assert.Equal(2, response.Each("output").Select(item => item.Text("call_id")).Distinct().Count());
    }

    [Fact]
    public async Task DuplicateIds_AcrossRounds_AreStillAnswered()
    {
        var duplicate = Misbehaviours.Of(Misbehaviour.DuplicateIdsAcrossRounds).First();
        var first = await AnswerAsync(duplicate.ToString(), true);
        Upstream.Enqueue(duplicate.CreateReaction());
        var second = await CreateAsync(Answer(first));
        Upstream.Enqueue(Misbehaviours.Of(Misbehaviour.RejectsUnansweredCall).Single().CreateReaction());

        var third = await CreateAsync(Answer(second));

        Assert.Equal(Misbehaviours.Text, third.OutputText());
        Assert.NotEqual(first.Text("output[0].call_id"), second.Text("output[0].call_id"));
        Assert.Equal(["user", "assistant", "tool", "assistant", "tool"], Upstream.LastCall.Roles);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ServerError_IsTriedElsewhere(bool streamed)
    {
        await UseOwnUpstreamAsync();
        await using var second = await ScriptedUpstream.StartAsync();
        Upstream.Default = second.Default = Misbehaviours.Of(Misbehaviour.ServerErrorThenSuccess).Single().CreateReaction();
        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream, ("Gateway:Upstreams:main:Addresses:0", Upstream.Address.AbsoluteUri), ("Gateway:Upstreams:main:Addresses:1", second.Address.AbsoluteUri)) with
        { Upstreams = new Dictionary<string, Uri>() });

        var response = streamed ? (await StreamAsync(Request)).Final : await CreateAsync(Request);

        Assert.Equal(Misbehaviours.Text, response.OutputText());
        Assert.Single(Upstream.Calls);
        Assert.Single(second.Calls);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task HangBeforeTheFirstByte_IsATimeout(bool streamed)
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:FirstByteTimeout", "00:00:00.300"));

        var reply = await RefusalAsync(Misbehaviours.Of(Misbehaviour.HangBeforeFirstByte).Single().ToString(), streamed);

        reply.AssertError(504, "upstream_timeout", null, "server_error");
    }

    [Fact]
    public async Task HangMidStream_IsFailedAfterTheIdleTimeout()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:IdleTimeout", "00:00:00.300"));

        var response = await AnswerAsync(Misbehaviours.Of(Misbehaviour.HangMidStream).Single().ToString(), true);

        Assert.Equal("failed", response.Text("status"));
        Assert.Equal("Hello, wörld", response.OutputText());
    }

    [Fact]
    public async Task HangBehindTheFinishReason_IsTheEndOfTheStream()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:IdleTimeout", "00:00:00.300"));
        Upstream.Enqueue(new ChatStream().Role().Text("Hello").Finish("stop").Hold().ToScript());

        var response = (await StreamAsync(Request)).Final;

        Assert.Equal(("completed", "Hello"), (response.Text("status"), response.OutputText()));
    }

    [Fact]
    public async Task ResetBehindTheFinishReason_IsTheEndOfTheStream()
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream));
        var script = new ChatStream().Role().Delta("""{"content":"Hello"}""", "stop").Hold().Reset().ToScript();
        Upstream.Enqueue(script);
        using var answer = await OpenStreamAsync(Request);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancellation));
        // The gateway has the chunk with both: what a reset finds unread is lost.
        while (await reader.ReadLineAsync(Cancellation) is { } line && !line.Contains("\"delta\":\"Hello\"", StringComparison.Ordinal))
        {
        }

        script.Hold.Release();

        Assert.Contains("event: response.completed", await reader.ReadToEndAsync(Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task NothingListens_IsUpstreamUnavailable()
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream));
        await Upstream.DisposeAsync();

        var reply = await PostAsync(WithModel("""{"input":"Hi"}"""));

        reply.AssertError(503, "upstream_unavailable", null, "server_error");
        Assert.NotNull(reply.Headers.RetryAfter);
    }

    [Fact]
    public async Task KeptAliveConnectionClosedByTheServer_IsRetriedOnAFreshOne()
    {
        await UseOwnGatewayAsync();
        await CreateAsync("""{"input":"Hi"}""");
        Upstream.Enqueue(ChatScript.ResetBeforeAnswer());

        var response = await CreateAsync("""{"input":"Hi again"}""");

        Assert.Equal("completed", response.Text("status"));
        Assert.Equal(3, Upstream.Calls.Count);
        Assert.Equal(Upstream.Calls[0].Connection, Upstream.Calls[1].Connection);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WrongUpstreamKey_IsNeverTheClients401(bool streamed)
    {
        var gateway = await UseOwnGatewayAsync();
        gateway.AllowedErrors = log => log.Category == "Gateway.Upstream.ChatClient";
        Upstream.Enqueue(ChatScript.Of(401, """{"error":{"message":"Incorrect API key provided: sk-live","type":"invalid_request_error","code":"invalid_api_key"}}"""));

        var reply = streamed ? await OpenAndReadAsync() : await PostAsync(WithModel(Request));

        reply.AssertError(502, "upstream_auth", null, "server_error");
        Assert.DoesNotContain("sk-live", reply.Body, StringComparison.Ordinal);
    }

    private static TheoryData<string, bool> Cases(IEnumerable<MisbehaviourCase> cases)
    {
        var data = new TheoryData<string, bool>();
        foreach (var c in cases)
        {
            data.Add(c.ToString(), true);
            data.Add(c.ToString(), false);
        }

        return data;
    }

    private static IEnumerable<(string?, string?, string?)> Calls(JsonElement response) =>
        response.Each("output").Select(item => (item.Text("type"), item.Text("name"), item.Text("arguments")));

    private static string Answer(JsonElement response) =>
        $$"""{"previous_response_id":"{{response.Text("id")}}","tools":[{{Weather}}],"input":[{"type":"function_call_output","call_id":"{{response.Text("output[0].call_id")}}","output":"sunny"}]}""";

    private async Task<JsonElement> AnswerAsync(string name, bool streamed)
    {
        Upstream.Enqueue(Misbehaviours.Named(name).CreateReaction());
        return streamed ? (await StreamAsync(Request)).Final : await CreateAsync(Request);
    }

    private async Task<Reply> RefusalAsync(string name, bool streamed)
    {
        Upstream.Default = Misbehaviours.Named(name).CreateReaction();
        return streamed ? await OpenAndReadAsync() : await PostAsync(WithModel(Request));
    }

    private async Task<Reply> OpenAndReadAsync()
    {
        using var response = await OpenStreamAsync(Request);
        return await Reply.ReadAsync(response);
    }
}
