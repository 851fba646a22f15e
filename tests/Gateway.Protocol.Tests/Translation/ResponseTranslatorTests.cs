using System.Globalization;
using System.Text;
using Gateway.FunctionalTests;
using Gateway.FunctionalTests.Responses;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Tests.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

/// <summary>Chunks that no recorded or scripted stream holds.</summary>
public sealed class ResponseTranslatorTests
{
    private const int MaxCalls = 3;

    [Fact]
    public void Consume_NothingButWhiteSpace_IsOneMessage()
    {
        var (stream, _) = Play([Delta("\"content\":\" \""), Delta("\"content\":\"\\n\""), Finish("stop")]);

        Assert.Equal(" \n", Assert.Single(stream.Final.Each("output")).Text("content[0].text"));
    }

    [Fact]
    public void Consume_CutBeforeAnyText_HasNoItem()
    {
        var (stream, outcome) = Play([Finish("length")]);

        Assert.Equal(RoundEnd.MaxOutputTokens, outcome.End);
        Assert.Empty(stream.Final.Each("output"));
    }

    [Fact]
    public void Consume_EmptyFinishReason_IsNone()
    {
        var (stream, outcome) = Play([Delta("\"content\":\"a\"", ",\"finish_reason\":\"\"")], isWhole: false);

        Assert.Equal((RoundEnd.Failed, "upstream_error"), (outcome.End, outcome.Error?.Code));
        Assert.Equal("incomplete", stream.Final.Text("output[0].status"));
    }

    [Fact]
    public void Consume_EmptyFinishReasonAfterTheReason_ChangesNothing()
    {
        var (_, outcome) = Play([Delta("\"content\":\"a\"", ",\"finish_reason\":\"length\""), Delta("", ",\"finish_reason\":\"\"")]);

        Assert.Equal(RoundEnd.MaxOutputTokens, outcome.End);
    }

    [Fact]
    public void Consume_DeepArgumentsObject_IsWrittenCompactly()
    {
        var deep = string.Concat(Enumerable.Repeat("[ ", 100)) + string.Concat(Enumerable.Repeat("] ", 100));

        var (stream, outcome) = Play(
            [
                Delta($$"""
                    "tool_calls":[{"index":0,"id":"call_abc","function":{"name":"f","arguments":{ "a" : {{deep}} } } } ]
                    """),
                Finish("tool_calls"),
            ]);

        Assert.Single(outcome.Calls);
        Assert.Equal($"{{\"a\":{deep.Replace(" ", "", StringComparison.Ordinal)}}}", stream.Final.Text("output[0].arguments"));
    }

    [Fact]
    public void Consume_NamesWithHalfASurrogatePair_AreSkipped()
    {
        var (stream, _) = Play(
            [
                Delta("\"content\":[{\"\\ud800\":1,\"text\":\"a\"}]"),
                Delta("\"tool_calls\":[{\"\\ud800\":1,\"index\":0,\"id\":\"call_abc\",\"function\":{\"\\ud800\":1,\"name\":\"c\",\"arguments\":\"{\\\"\\\\ud800\\\":1,\\\"input\\\":\\\"x\\\"}\"}}]"),
                Finish("tool_calls"),
            ],
            tools: [new Tool { Kind = ToolKind.Custom, Name = "c", UpstreamName = "c" }]);

        Assert.Equal("a", stream.Final.Text("output[0].content[0].text"));
        Assert.Equal("x", stream.Final.Text("output[1].input"));
    }

    [Fact]
    public void Consume_SurrogatePairCutBehindAHeldTag_KeepsTheOrder()
    {
        var (stream, _) = Play([Delta("\"content\":\"<thi\\ud83d\""), Finish("stop")]);

        Assert.Equal("<thi\uFFFD", stream.Text);
    }

    [Theory]
    [InlineData("reasoning", "response.reasoning_text.delta")]
    [InlineData("refusal", "response.refusal.delta")]
    [InlineData("content", "response.output_text.delta")]
    public void Consume_SurrogatePairCutByChunks_IsJoined(string member, string type)
    {
        var (stream, _) = Play([Delta($"\"{member}\":\"a\\ud83d\""), Delta($"\"{member}\":\"\\ude00b\""), Finish("stop")]);

        Assert.Equal("a😀b", string.Concat(stream.Of(type).Select(e => e.Text("delta"))));
    }

    [Theory]
    [InlineData("\"tool_calls\":[]")]
    [InlineData("\"tool_calls\":[ ]")]
    [InlineData("\"function_call\":{}")]
    public void Consume_EmptyListOfCallsInEveryChunk_IsNone(string noCalls)
    {
        var (stream, _) = Play(
            [
                .. new[] { "<thi", "nk>hm</think>", "one", " ", "two", "\\n\\n", "three" }.Select(text => Delta($"\"content\":\"{text}\",{noCalls}")),
                Finish("stop"),
            ]);

        Assert.Equal("one two\n\nthree", stream.Text);
        Assert.Equal(["reasoning", "message"], stream.Final.Each("output").Select(item => item.Text("type")));
    }

    [Theory]
    [InlineData("{0}{1}")]
    [InlineData("{1}{0}")]
    public void Consume_WholeMessageBesideEachDelta_CountsOnlyTheDelta(string order)
    {
        string Chunk(string delta, string soFar) =>
            $"{{\"choices\":[{{{string.Format(CultureInfo.InvariantCulture, order, $"\"delta\":{delta},", $"\"message\":{{\"content\":\"{soFar}\"}},")}\"index\":0}}]}}";

        var (stream, _) = Play([Chunk("{\"content\":\"one\"}", "one"), Chunk("{\"content\":\" two\"}", "one two"), Chunk("{}", "one two"), Finish("stop")]);

        Assert.Equal("one two", stream.Text);
    }

    [Fact]
    public void Consume_LogprobsOfACall_AreNotThoseOfTheTextBehindIt()
    {
        const string logprobs = ",\"logprobs\":{\"content\":[{\"token\":\"T\",\"logprob\":-1}]}";

        var (stream, _) = Play(
            [
                Delta("\"tool_calls\":[{\"index\":0,\"id\":\"call_abc\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]", logprobs),
                Delta("\"content\":\"a\"", logprobs.Replace("\"T\"", "\"a\"", StringComparison.Ordinal)),
                Finish("stop"),
            ],
            wantsLogprobs: true);

        Assert.Equal(["a"], stream.Final.Each("output[1].content[0].logprobs").Select(token => token.Text("token")));
    }

    [Theory]
    [InlineData(MaxCalls, RoundEnd.Completed)]
    [InlineData(MaxCalls + 1, RoundEnd.Failed)]
    public void Consume_SoManyCalls_FailsBeyondTheLimit(int calls, RoundEnd end)
    {
        var all = string.Join(',', Enumerable.Range(0, calls).Select(i => $$$"""{"index":{{{i}}},"id":"call_{{{i:D4}}}","function":{"name":"f","arguments":"{}"}}"""));

        var (stream, outcome) = Play([Delta($"\"tool_calls\":[{all}]"), Delta("\"content\":\"and more\""), Finish("tool_calls")]);

        Assert.Equal((end, end == RoundEnd.Failed ? "upstream_error" : null), (outcome.End, outcome.Error?.Code));
        Assert.Equal(MaxCalls, stream.Final.Each("output").Count(item => item.Text("type") == "function_call"));
    }

    [Fact]
    public void Consume_CallsOfOneAnswerWithTheSameId_AreAllThere()
    {
        var (stream, outcome) = Play(
            [
                Delta("""
                    "tool_calls":[{"id":"call_abc","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"call_abc","function":{"name":"f","arguments":"{\"a\":2}"}}]
                    """),
                Finish("tool_calls"),
            ]);

        Assert.Equal(2, outcome.Calls.Count);
        Assert.Equal(["call_abc", "call_new"], stream.Final.Each("output").Select(call => call.Text("call_id")));
        Assert.Equal(["""{"a":1}""", """{"a":2}"""], stream.Final.Each("output").Select(call => call.Text("arguments")));
    }

    private static string Delta(string members, string choice = "") => $"{{\"choices\":[{{\"index\":0,\"delta\":{{{members}}}{choice}}}]}}";

    private static string Finish(string reason) => Delta("", $",\"finish_reason\":\"{reason}\"");

    private static (ResponseStream Stream, RoundOutcome Outcome) Play(
        string[] chunks, bool isWhole = true, bool wantsLogprobs = false, IReadOnlyList<Tool>? tools = null)
    {
        var sink = new CollectedEvents();
        using var envelope = new ResponseEnvelope(Dialect.OpenAi, "resp_1", 1, "m", new ResponsesRequest { Input = [] }, store: true, maxToolCalls: null);
        using var events = new ResponseEventStream(envelope, sink, (prefix, index) => $"{prefix}_{index:D2}", obfuscate: false);
        var context = new RoundContext
        {
            Profile = RouteProfile.Generic,
            Tools = tools ?? [],
            WantsLogprobs = wantsLogprobs,
            MaxCalls = MaxCalls,
            IsCallIdTaken = _ => false,
            NewCallId = () => "call_new",
        };
        using var translator = new ResponseTranslator(context, events);
        var reader = new ChatChunkReader();
        foreach (var json in chunks)
        {
            Assert.True(reader.TryRead(Encoding.UTF8.GetBytes(json), out var chunk), json);
            translator.Consume(chunk);
        }

        var outcome = translator.Finish(isWhole || translator.HasFinished);
        events.State.Status = outcome.End switch { RoundEnd.Completed => ResponseStatus.Completed, RoundEnd.Failed => ResponseStatus.Failed, _ => ResponseStatus.Incomplete };
        events.State.Error = outcome.Error;
        events.End();
        return (ResponseStream.Parse(sink.Body), outcome);
    }
}
