using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Gateway.FunctionalTests;
using Gateway.FunctionalTests.Responses;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

public sealed class ResponseEventStreamTests
{
    private const string TextEvents = "output_item.added content_part.added output_text.delta output_text.done content_part.done output_item.done";

    [Fact]
    public void Text_IsWrittenInTheContractsOrder()
    {
        var sink = Play(e =>
        {
            e.TextDelta("Hel"u8, default, default);
            e.TextDelta("lo \"x\"\n"u8, """{"token":"a"}"""u8, """{"t":1}"""u8);
            e.CloseItem();
        });

        Assert.Equal(
            "created in_progress output_item.added content_part.added output_text.delta output_text.delta output_text.done content_part.done output_item.done completed",
            sink.Types);
        Assert.Equal(
            """{"type":"response.output_text.delta","item_id":"msg_00","output_index":0,"content_index":0,"delta":"lo \"x\"\n","logprobs":[{"t":1}],"sequence_number":5}""",
            sink.Events[5].Json);
        Assert.Equal(
            """{"id":"msg_00","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello \"x\"\n","annotations":[],"logprobs":[{"token":"a"}]}]}""",
            ResponseStream.Parse(sink.Body).Final.At("output[0]").GetRawText());
    }

    [Fact]
    public void ReasoningWithSummary_ThenText_IsWrittenInTheContractsOrder()
    {
        var sink = Play(e =>
        {
            e.ReasoningDelta("why"u8, asSummary: true);
            e.TextDelta("so"u8, default, default);
            e.CloseItem();
        });

        Assert.Equal(
            "created in_progress output_item.added content_part.added reasoning_summary_part.added reasoning_text.delta reasoning_summary_text.delta "
            + "reasoning_text.done content_part.done reasoning_summary_text.done reasoning_summary_part.done output_item.done " + TextEvents + " completed",
            sink.Types);
        Assert.Equal(
            """{"id":"rs_00","type":"reasoning","summary":[{"type":"summary_text","text":"why"}],"content":[{"type":"reasoning_text","text":"why"}]}""",
            ResponseStream.Parse(sink.Body).Final.At("output[0]").GetRawText());
    }

    [Fact]
    public void Reasoning_Sealed_SealsThePlainText()
    {
        var sealedText = "";
        var sink = Play(
            e =>
            {
                e.ReasoningDelta("a\"\n"u8, asSummary: false);
                e.ReasoningDelta("é😀"u8, asSummary: false);
                e.CloseItem();
            },
            seal: utf8 => sealedText = Encoding.UTF8.GetString(utf8));

        Assert.Equal("a\"\né😀", sealedText);
        Assert.Equal(sealedText, ResponseStream.Parse(sink.Body).Final.Text("output[0].encrypted_content"));
    }

    [Fact]
    public void Calls_AreWrittenInTheContractsOrder()
    {
        var sink = Play(e =>
        {
            e.OpenFunctionCall("call_a", "get_weather", null);
            e.CallDelta("{\"city\":"u8);
            e.CallDelta("\"Oslo\"}"u8);
            e.CloseItem();
            e.OpenCustomToolCall("call_b", "patch", "ns");
            e.CallDelta("free"u8);
            e.CloseItem();
        });

        Assert.Equal(
            "created in_progress output_item.added function_call_arguments.delta function_call_arguments.delta function_call_arguments.done output_item.done "
            + "output_item.added custom_tool_call_input.delta custom_tool_call_input.done output_item.done completed",
            sink.Types);
        var output = ResponseStream.Parse(sink.Body).Final.At("output");
        Assert.Equal(
            """[{"id":"fc_00","type":"function_call","call_id":"call_a","name":"get_weather","arguments":"{\"city\":\"Oslo\"}","status":"completed"},{"id":"ctc_01","type":"custom_tool_call","call_id":"call_b","name":"patch","namespace":"ns","input":"free","status":"completed"}]""",
            output.GetRawText());
    }

    [Fact]
    public void TextRefusalText_AreThreePartsOfOneMessage()
    {
        var sink = Play(e =>
        {
            e.TextDelta("a"u8, """{"token":"a"}"""u8, default);
            e.RefusalDelta("no"u8);
            e.TextDelta("b"u8, default, default);
            e.CloseItem();
        });

        Assert.Equal(
            """[{"type":"output_text","text":"a","annotations":[],"logprobs":[{"token":"a"}]},{"type":"refusal","refusal":"no"},{"type":"output_text","text":"b","annotations":[],"logprobs":[]}]""",
            ResponseStream.Parse(sink.Body).Final.At("output[0].content").GetRawText());
    }

    [Fact]
    public void CutItem_IsIncompleteAndTheLast()
    {
        var sink = Play(e =>
        {
            e.TextDelta("a"u8, default, default);
            e.OpenFunctionCall("call_a", "f", null);
            e.CallDelta("{\"a"u8);
            e.CloseItem(completed: false);
        }, ResponseStatus.Incomplete);

        var final = ResponseStream.Parse(sink.Body).Final;
        Assert.Equal(["completed", "incomplete"], final.Each("output").Select(item => item.Text("status")));
        Assert.Equal("{\"a", final.Text("output[1].arguments"));
    }

    [Fact]
    public void AbandonedItem_IsKeptWithoutEvents()
    {
        var sink = Play(e =>
        {
            e.ReasoningDelta("a"u8, asSummary: true);
            e.AbandonItem();
        }, ResponseStatus.Failed);

        Assert.Equal(
            "created in_progress output_item.added content_part.added reasoning_summary_part.added reasoning_text.delta reasoning_summary_text.delta failed", sink.Types);
        Assert.Equal(
            """[{"id":"rs_00","type":"reasoning","summary":[{"type":"summary_text","text":"a"}],"content":[{"type":"reasoning_text","text":"a"}],"status":"incomplete"}]""",
            ResponseStream.Parse(sink.Body).Final.At("output").GetRawText());
    }

    [Fact]
    public void OpenMessage_WithoutText_IsAnEmptyMessage()
    {
        var sink = Play(e =>
        {
            e.OpenMessage();
            e.CloseItem();
        });

        Assert.Equal("", ResponseStream.Parse(sink.Body).Final.Text("output[0].content[0].text"));
    }

    [Theory]
    [InlineData(ResponseStatus.Completed)]
    [InlineData(ResponseStatus.Incomplete)]
    [InlineData(ResponseStatus.Failed)]
    public void End_BeforeAnyItem_BeganInProgress(ResponseStatus status)
    {
        var sink = Play(_ => { }, status);

        Assert.Equal("in_progress", sink.Of("response.created").Text("response.status"));
        Assert.Empty(ResponseStream.Parse(sink.Body).Final.Each("output"));
    }

    [Fact]
    public void RepeatInProgress_TakesTheNextNumberAndTheSnapshot()
    {
        var sink = Play(e =>
        {
            e.TextDelta("a"u8, default, default);
            e.CloseItem();
            e.RepeatInProgress();
        });

        var repeated = JsonElement.Parse(sink.Events[^2].Json);
        Assert.Equal("response.in_progress", repeated.Text("type"));
        Assert.Equal(sink.Events.Count - 2, repeated.Number("sequence_number"));
        Assert.Equal("msg_00", repeated.Text("response.output[0].id"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(100)]
    public void Obfuscation_HidesTheLengthOfTheDelta(int length)
    {
        var sink = Play(
            e =>
            {
                e.TextDelta("x"u8, default, default);
                e.TextDelta(Encoding.UTF8.GetBytes(new string('y', length)), default, default);
                e.ReasoningDelta("z"u8, asSummary: true);
                e.CloseItem();
            },
            obfuscate: true);

        foreach (var e in ResponseStream.Parse(sink.Body).Events.Where(e => e.Text("type")!.EndsWith(".delta", StringComparison.Ordinal)))
        {
            Assert.InRange(e.Text("obfuscation")!.Length, 1, 32);
        }

        var lengths = sink.Events.Where(e => e.Type == "response.output_text.delta").Select(e => e.Json.Length).ToArray();
        Assert.Equal(0, (lengths[1] - lengths[0]) % 32);
    }

    [Property(MaxTest = 2000)]
    public Property AnySequenceOfCalls_GivesALegalStream()
    {
        var sequence = Gen.Choose(0, 11).Zip(Gen.Elements("a", "\"\\", "é😀", "\n\u0001", "{\"a\":1}")).ListOf();
        return Prop.ForAll(sequence.Zip(Gen.Choose(0, 2)).Zip(Gen.Elements(true, false)).ToArbitrary(), input =>
        {
            var ((steps, end), obfuscate) = input;
            var status = end switch { 0 => ResponseStatus.Completed, 1 => ResponseStatus.Incomplete, _ => ResponseStatus.Failed };
            var streamed = Play(e => Run(e, steps, status), status, obfuscate);
            var silent = new CollectedEvents(wantsEvents: false);
            var withoutEvents = Play(e => Run(e, steps, status), status, sink: silent);

            var stream = ResponseStream.Parse(streamed.Body);

            Assert.Empty(silent.Events);
            Assert.Equal(stream.Final.At("output").GetRawText(), withoutEvents);
        });
    }

    /// <summary>Calls the stream as a caller may: a delta of a call only while a call is open, and nothing open at the end.</summary>
    private static void Run(ResponseEventStream events, IReadOnlyList<(int Step, string Text)> steps, ResponseStatus status)
    {
        var calls = 0;
        var isCall = false;
        foreach (var (step, text) in steps)
        {
            var utf8 = Encoding.UTF8.GetBytes(text);
            switch (step)
            {
                case 0 or 1:
                    events.TextDelta(utf8, default, default);
                    break;
                case 2:
                    events.TextDelta(utf8, """{"token":"a"}"""u8, """{"token":"b"}"""u8);
                    break;
                case 3:
                    events.RefusalDelta(utf8);
                    break;
                case 4 or 5:
                    events.ReasoningDelta(utf8, asSummary: step == 5);
                    break;
                case 6:
                    events.OpenFunctionCall($"call_{calls++}", "f", text == "a" ? null : text);
                    events.CallDelta(utf8);
                    break;
                case 7:
                    events.OpenCustomToolCall($"call_{calls++}", text, null);
                    events.CallDelta(utf8);
                    break;
                case 8 when isCall:
                    events.CallDelta(utf8);
                    break;
                case 9:
                    events.OpenMessage();
                    break;
                case 10:
                    events.CloseItem();
                    break;
                case 11 when events.HasStarted && events.State.Output.Count == 0:
                    events.RepeatInProgress();
                    break;
                default:
                    events.Start();
                    break;
            }

            isCall = events.HasOpenItem && (step is 6 or 7 || (isCall && step is 8 or 11));
        }

        if (status == ResponseStatus.Failed)
        {
            events.AbandonItem();
        }
        else
        {
            events.CloseItem(completed: status == ResponseStatus.Completed);
        }
    }

    private static CollectedEvents Play(
        Action<ResponseEventStream> play, ResponseStatus status = ResponseStatus.Completed, bool obfuscate = false, SealReasoning? seal = null)
    {
        var sink = new CollectedEvents();
        Play(play, status, sink, obfuscate, seal);
        return sink;
    }

    /// <summary>Plays, ends the response, and gives the final output.</summary>
    private static string Play(
        Action<ResponseEventStream> play, ResponseStatus status, CollectedEvents sink, bool obfuscate = false, SealReasoning? seal = null)
    {
        using var envelope = new ResponseEnvelope(Dialect.OpenAi, "resp_1", 1, "m", new ResponsesRequest { Input = [] }, store: true, maxToolCalls: null);
        using var events = new ResponseEventStream(envelope, sink, (prefix, index) => $"{prefix}_{index:D2}", obfuscate, seal);
        play(events);
        events.State.Status = status;
        events.State.Error = status == ResponseStatus.Failed ? ApiError.UpstreamError("x") : null;
        events.End();
        return $"[{string.Join(',', events.State.Output.Select(Requests.Text))}]";
    }
}
