using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gateway.FunctionalTests;
using Gateway.FunctionalTests.Responses;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Responses.Fireworks;
using Gateway.Protocol.Tests.Translation;
using Gateway.Protocol.Translation;
using Gateway.Testing.Scripting;

namespace Gateway.Protocol.Tests.Responses;

/// <summary>A response that was cut behind any of its events and is gone on with elsewhere: together both parts are one legal stream.</summary>
public sealed partial class ResumedStreamTests
{
    private const string Kind = "responses";
    private const int MostCuts = 300;

    private static readonly RoundPlayer Player = new(
        Requests.Parse("""{"model":"m","input":"hi","stream":true,"reasoning":{"summary":"auto"}}"""), RouteProfile.Generic);

    public static TheoryData<string> RecordedCases => [.. Recordings.Cases(Kind)];

    public static TheoryData<string> Streams() => [.. Misbehaviours.All.Where(c => BodyOf(c.ToString()).Length is > 0 and < 1_000_000).Select(c => c.ToString())];

    [Theory]
    [MemberData(nameof(RecordedCases))]
    public void RecordedRound_CutBehindAnyEvent_GoesOnLegally(string name) => AssertGoesOn(
        new RoundPlayer(
            Requests.Parse(File.ReadAllText(Recordings.File(Kind, name, "request.json"))),
            Recordings.ReadProfile(Recordings.File(Kind, name, "profile.json"))),
        File.ReadAllBytes(Recordings.File(Kind, name, "upstream.sse")),

        // The calls that end without a delta.
        isCutBeforeArguments: name.Contains("call-cut-before-", StringComparison.Ordinal));

    [Theory]
    [MemberData(nameof(Streams))]
    public void ScriptedRound_CutBehindAnyEvent_GoesOnLegally(string name) => AssertGoesOn(Player, BodyOf(name));

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void ServerCalls_CutBehindAnyEvent_GoOnLegally(bool isFireworks, bool isQueued)
    {
        var parts = new ResponseParts(isFireworks ? FireworksDialect.Instance : Dialect.OpenAi, isQueued);
        var whole = parts.Play();
        for (var cut = isQueued ? 2 : 0; cut < whole.Count; cut++)
        {
            var before = whole.Take(cut).ToList();

            // A round whose last event was told last may be in the journal or not.
            foreach (var isKnown in (bool[])[true, false])
            {
                var all = before.Concat(parts.PlayBehind(before, end => end < cut || (end == cut && isKnown))).ToList();
                AssertLegal(all);
                if (!isFireworks)
                {
                    ResponseStream.Parse(Frame(all), wasResumed: true);
                }

                if (isKnown && !parts.IsWithinRound(cut))
                {
                    Assert.Equal(whole, all);
                }
            }
        }
    }

    [Fact]
    public void Output_OfOneThatIsNotGoneOnWith_IsAllThatWasTold()
    {
        var whole = new ResponseParts(Dialect.OpenAi, isQueued: true).Play();
        for (var cut = 2; cut < whole.Count; cut++)
        {
            var before = whole.Take(cut).ToList();
            var sink = new CollectedEvents();
            using var envelope = Envelope(Dialect.OpenAi);
            using var events = NewStream(envelope, sink);
            events.Resume(ToldOf(before), isQueued: true);
            events.RestoreTold();
            events.State.Status = ResponseStatus.Cancelled;
            events.End();

            var all = before.Concat(sink.Events.Select(e => e.Json)).Select(json => JsonElement.Parse(json)).ToList();
            Assert.Equal(Enumerable.Range(0, all.Count), all.Select(e => e.Number("sequence_number")));
            var added = all.Where(e => e.Text("type") == "response.output_item.added").ToList();
            var done = all.Where(e => e.Text("type") == "response.output_item.done").ToList();
            Assert.Equal(added.Select(Names), done.Select(Names));
            Assert.Equal(done.Select(e => e.At("item").GetRawText()), all[^1].Each("response.output").Select(item => item.GetRawText()));
            ResponseShape.Assert(all[^1].At("response"));
        }

        static (int, string?, string?, string?) Names(JsonElement e) =>
            (e.Number("output_index"), e.Text("item.id"), e.Text("item.type"), e.Find("item.server_label")?.GetString());
    }

    [Fact]
    public void ItemToldAsDone_StaysAsItWasTold()
    {
        var sink = new CollectedEvents();
        using var envelope = Envelope(Dialect.OpenAi);
        using (var events = NewStream(envelope, sink))
        {
            events.OpenToolList("srv");
            events.CloseToolList("[]"u8, "It did not answer.");
        }

        var before = sink.Events.Select(e => e.Json).ToList();
        var after = new CollectedEvents();
        using var again = NewStream(envelope, after);
        again.Resume(ToldOf(before), isQueued: false);
        again.OpenToolList("srv");
        again.CloseToolList("""[{"name":"echo","input_schema":{}}]"""u8, null);
        again.State.Status = ResponseStatus.Completed;
        again.End();

        ResponseStream.Parse(Frame(before.Concat(after.Events.Select(e => e.Json))));
    }

    [Fact]
    public void Logprobs_OfAClosedText_AreKept()
    {
        var sink = new CollectedEvents();
        using var envelope = Envelope(Dialect.OpenAi);
        using (var events = NewStream(envelope, sink))
        {
            events.TextDelta("a"u8, """{"token":"a"}"""u8, """{"token":"a"}"""u8);
            events.CloseItem();
        }

        var before = sink.Events.SkipLast(1).Select(e => e.Json).ToList();
        var after = new CollectedEvents();
        using var again = NewStream(envelope, after);
        again.Resume(ToldOf(before), isQueued: false);
        again.RestoreTold();

        Assert.Equal(
            sink.Events[^1].Json.Replace("\"status\":\"completed\"", "\"status\":\"incomplete\"", StringComparison.Ordinal), Assert.Single(after.Events).Json);
    }

    private static void AssertGoesOn(RoundPlayer player, byte[] body, bool isCutBeforeArguments = false)
    {
        var whole = player.PlayStream(body);
        var events = DataOf(whole.Events);
        var step = Math.Max(1, events.Count / MostCuts);
        for (var cut = 0; cut < events.Count; cut += step)
        {
            var before = events.Take(cut).ToList();
            var after = player.PlayAgain(body, ToldOf(before));

            var all = before.Concat(DataOf(after.Events)).ToList();
            if (!isCutBeforeArguments)
            {
                ResponseStream.Parse(WithLongIds(Frame(all)), wasResumed: true);
            }

            AssertLegal(all);
            Assert.Equal(after.Final, JsonElement.Parse(all[^1]).At("response").GetRawText());
        }
    }

    /// <summary>What holds in every dialect.</summary>
    private static void AssertLegal(IReadOnlyList<string> events)
    {
        var all = events.Select(json => JsonElement.Parse(json)).ToList();
        Assert.Equal(Enumerable.Range(0, all.Count), all.Select(e => e.Number("sequence_number")));
        Assert.Single(all, e => e.Text("type") == "response.created");
        var added = all.Where(e => e.Text("type") == "response.output_item.added").Select(e => (e.Number("output_index"), e.Text("item.id"), e.Text("item.type"))).ToList();
        var done = all.Where(e => e.Text("type") == "response.output_item.done").ToList();
        var ended = done.Select(e => (e.Number("output_index"), e.Text("item.id"), e.Text("item.type"))).ToList();
        Assert.Equal(all[^1].Text("response.status") == "failed" ? added.Take(ended.Count) : added, ended);
        Assert.Equal(added.Select(item => item.Item1).Distinct(), added.Select(item => item.Item1));
        Assert.All(done, e => Assert.Equal(e.At("item").GetRawText(), all[^1].At($"response.output[{e.Number("output_index")}]").GetRawText()));
    }

    /// <summary>The ids of a played round are shorter than clients allow.</summary>
    private static string WithLongIds(string json) => ShortId().Replace(json, "$1_0$2\"");

    [GeneratedRegex("(\"(?:item_)?id\":\"[a-z]+)_([0-9])\"")]
    private static partial Regex ShortId();

    private static ToldEvents ToldOf(IEnumerable<string> events)
    {
        var told = new ToldEvents();
        foreach (var json in events)
        {
            told.Add(Encoding.UTF8.GetBytes(json));
        }

        return told;
    }

    private static List<string> DataOf(string body) =>
        [.. body.Split("\n\n").Where(block => block.Contains("\ndata: {", StringComparison.Ordinal)).Select(block => block.Split("\ndata: ")[1])];

    private static string Frame(IEnumerable<string> events) =>
        string.Concat(events.Select(json => $"event: {JsonElement.Parse(json).Text("type")}\ndata: {json}\n\n")) + "data: [DONE]\n\n";

    private static ResponseEnvelope Envelope(Dialect dialect) => new(dialect, "resp_1", 1, "m", new ResponsesRequest { Input = [] }, store: true, maxToolCalls: null);

    private static ResponseEventStream NewStream(ResponseEnvelope envelope, IResponseEventSink sink) =>
        new(envelope, sink, (prefix, index) => $"{prefix}_{index:D2}", obfuscate: false);

    private static byte[] BodyOf(string name)
    {
        var script = Misbehaviours.Named(name).Script;
        return script.ContentType.StartsWith("text/event-stream", StringComparison.Ordinal) ? script.Body : [];
    }

    /// <summary>A response with lists, rounds with the model, server-run calls of every kind, and a request for approval.</summary>
    private sealed class ResponseParts(Dialect dialect, bool isQueued)
    {
        private readonly List<ReadOnlyMemory<byte>[]> _rounds = [];
        private readonly List<(int Start, int End)> _borders = [];

        /// <summary>All events of the response as it is made without an interruption.</summary>
        public List<string> Play() => Play(null, _ => false);

        /// <summary>What is told behind these events, when those rounds are known of whose end <paramref name="isKnown"/> says so.</summary>
        public List<string> PlayBehind(IReadOnlyList<string> told, Func<int, bool> isKnown) => Play(told, isKnown);

        /// <summary>Some events of a round have been told, and not all.</summary>
        public bool IsWithinRound(int events) => _borders.Exists(round => round.Start < events && events < round.End);

        private List<string> Play(IReadOnlyList<string>? told, Func<int, bool> isKnown)
        {
            var sink = new CollectedEvents();
            using var envelope = Envelope(dialect);
            using var events = NewStream(envelope, sink);
            if (told is not null)
            {
                events.Resume(ToldOf(told), isQueued);
            }
            else if (isQueued)
            {
                events.Queue();
            }

            events.Start();
            events.OpenToolList("srv");
            events.CloseToolList("""[{"name":"echo","input_schema":{}}]"""u8, null);
            events.OpenToolList("down");
            events.CloseToolList("[]"u8, "It did not answer.");
            Round(0, () =>
            {
                events.ReasoningDelta("I \"see\"\n"u8, asSummary: true);
                events.ReasoningDelta("it"u8, asSummary: true);
                events.TextDelta("Let "u8, default, default);
                events.TextDelta("me"u8, default, default);
                events.CloseItem();
            });
            events.OpenServerCall(ServerCallKind.Mcp, ",\"server_label\":\"srv\",\"name\":\"echo\""u8, """{"a":"\\\n"}""");
            events.CloseServerCall(ServerCallEnd.Completed, ",\"output\":\"hi\""u8);
            events.OpenServerCall(ServerCallKind.CodeInterpreter, ",\"container_id\":\"c\",\"outputs\":null"u8, "print(1)");
            events.CloseServerCall(ServerCallEnd.Completed, default);
            Round(1, () =>
            {
                events.RefusalDelta("No"u8);
                events.CloseItem();
            });
            events.OpenServerCall(ServerCallKind.WebSearch, ",\"action\":{\"type\":\"search\",\"query\":\"x\"}"u8, "");
            events.CloseServerCall(ServerCallEnd.Completed, default);
            events.OpenServerCall(ServerCallKind.Mcp, ",\"server_label\":\"srv\",\"name\":\"failing\""u8, "{}");
            events.CloseServerCall(ServerCallEnd.Failed, ",\"output\":null,\"error\":\"no\""u8);
            Round(2, () =>
            {
                events.OpenFunctionCall($"call_{events.State.Output.Count}", "f", "ns");
                events.CallDelta("{}"u8);
                events.OpenCustomToolCall($"call_{events.State.Output.Count}b", "g", null);
                events.CallDelta("x"u8);
                events.CloseItem();
            });
            events.WriteApprovalRequest("srv", "echo", "{}");
            events.State.Status = ResponseStatus.Completed;
            events.End();
            return [.. sink.Events.Select(e => e.Json)];

            void Round(int number, Action play)
            {
                if (told is not null && isKnown(_borders[number].End))
                {
                    events.Restore(_rounds[number]);
                    return;
                }

                events.RestoreTold();
                var (first, start) = (events.State.Output.Count, sink.Events.Count);
                play();
                if (told is null)
                {
                    _rounds.Add([.. events.State.Output.Skip(first)]);
                    _borders.Add((start, sink.Events.Count));
                }
            }
        }
    }
}
