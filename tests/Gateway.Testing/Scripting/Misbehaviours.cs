using System.Globalization;

namespace Gateway.Testing.Scripting;

/// <summary>The catalogue of <see cref="Misbehaviour"/>s: every shape with the bytes a server was seen to send. Rules on requests are in Misbehaviours.Requests.cs.</summary>
public static partial class Misbehaviours
{
    /// <summary>What the well-formed text answers say, with characters of one to four bytes.</summary>
    public const string Text = "Hello, wörld: 你好 👋🏽!";

    public const string Reasoning = "First I think.";
    public const string ToolName = "get_weather";
    public const string OsloArguments = """{"city":"Oslo"}""";
    public const string RomeArguments = """{"city":"Rome"}""";
    public const string FirstPart = "Hello, wörld: ";
    public const int HugeArgumentsLength = 5 * 1024 * 1024;

    private static readonly string[] Pieces = ["Hello", ", wörld", ": 你", "好 ", "👋🏽!"];
    private static readonly string[] OsloPieces = ["{\"city\":", "\"Oslo\"}"];
    private static readonly string[] RomePieces = ["{\"city\":", "\"Rome\"}"];

    /// <summary>Every case of every misbehaviour, in order.</summary>
    public static IReadOnlyList<MisbehaviourCase> All => field ??= [.. TransportCases(), .. ReasoningCases(), .. ToolCallCases(), .. ErrorCases(), .. EndCases(), .. RequestCases()];

    /// <summary>The cases of one misbehaviour.</summary>
    public static IEnumerable<MisbehaviourCase> Of(Misbehaviour kind) => All.Where(c => c.Kind == kind);

    /// <summary>The case whose <see cref="MisbehaviourCase.ToString"/> this is.</summary>
    public static MisbehaviourCase Named(string name) => All.Single(c => c.ToString() == name);

    private static ChatStream Start() => new ChatStream().Role();

    private static MisbehaviourCase Case(Misbehaviour kind, Func<ChatScript> script) => Case(kind, "", script);

    private static MisbehaviourCase Case(Misbehaviour kind, string variant, Func<ChatScript> script) => new(kind, variant, () => _ => script());

    private static IEnumerable<MisbehaviourCase> TransportCases()
    {
        yield return Case(Misbehaviour.SplitEveryByte, () => Start().Text(Pieces).End().Split(1));
        foreach (var (variant, newLine) in new[] { ("CRLF", "\r\n"), ("CR", "\r") })
        {
            yield return Case(Misbehaviour.CarriageReturns, variant, () => new ChatStream(newLine).Role().Text(Pieces).End());
        }

        yield return Case(Misbehaviour.CommentsAndEmptyData, () => new ChatStream()
            .Raw([0xEF, 0xBB, 0xBF]).Comment("ping").Role().Raw(":\n\n").Text(Pieces[..2]).Raw("data:\n\n").Data(":").Data("keep-alive")
            .Raw("event: ping\ndata: {}\n\n").Comment("OPENROUTER PROCESSING").Raw("retry: 10\nid: 7\n\n").Text(Pieces[2..]).End());
        yield return Case(Misbehaviour.NoDone, () => Start().Text(Pieces).Finish("stop").Usage(new(11, 7)).ToScript());
        yield return Case(Misbehaviour.EndsWithoutFinish, () => Start().Text(Pieces[..2]).ToScript());
        yield return Case(Misbehaviour.UsageTwice, () => Start().Text(Pieces).Finish("stop", new(11, 7)).Usage(new(11, 7, 5, 3)).Done().ToScript());
        yield return Case(Misbehaviour.UsageOnEveryChunk, () =>
        {
            var stream = Start();
            for (var i = 0; i < Pieces.Length; i++)
            {
                stream.Delta($$"""{"content":{{ChatJson.Quote(Pieces[i])}}}""", null, $",\"usage\":{new ChatUsage(11, i + 1).ToJson()}");
            }

            return stream.Finish("stop", new(11, 7)).Done().ToScript();
        });
        yield return Case(Misbehaviour.NoUsage, () => Start().Text(Pieces).Finish("stop").Done().ToScript());
        yield return Case(Misbehaviour.JsonForStream, () => ChatAnswer.Say(Text).ToJson());
        yield return Case(Misbehaviour.ContentAsArray, () => Start()
            .Delta($$"""{"content":[{"type":"thinking","thinking":[{"type":"text","text":{{ChatJson.Quote(Reasoning)}}}]}]}""")
            .Delta($$"""{"content":[{"type":"text","text":{{ChatJson.Quote(Pieces[0])}}},{"type":"text","text":{{ChatJson.Quote(Pieces[1])}}}]}""")
            .Text(Pieces[2..]).End());
        yield return Case(Misbehaviour.EmojiAcrossChunks, () =>
        {
            var stream = Start();
            foreach (var rune in Text.EnumerateRunes())
            {
                stream.Text(rune.ToString());
            }

            return stream.End().Split(3);
        });
        yield return Case(Misbehaviour.HangBeforeFirstByte, () => new ChatStream().Hold().Role().Text(Pieces).End());
        yield return Case(Misbehaviour.HangMidStream, () => Start().Text(Pieces[..2]).Hold().Text(Pieces[2..]).End());
        // A reset throws away what the client has not read yet: the hold lets a test see the text arrive first.
        yield return Case(Misbehaviour.ResetMidStream, () => Start().Text(Pieces[..2]).Hold().Reset().ToScript());
    }

    private static IEnumerable<MisbehaviourCase> ReasoningCases()
    {
        foreach (var field in (string[])["reasoning", "reasoning_content", "reasoning_text", "thinking"])
        {
            yield return Case(Misbehaviour.ReasoningField, field, () => Start().Reasoning(field, "First ", "I think.").Text(Pieces).End());
        }

        yield return Case(Misbehaviour.ReasoningField, "two fields", () => Start()
            .Delta("""{"reasoning":"First ","reasoning_content":"First "}""").Delta("""{"reasoning":"I think.","reasoning_content":"I think."}""").Text(Pieces).End());
        yield return Case(Misbehaviour.ReasoningField, "reasoning_details", () => Start()
            .Delta("""{"reasoning_details":[{"type":"reasoning.text","text":"First I think."}]}""").Text(Pieces).End());
        yield return Case(Misbehaviour.ThinkTags, "split", () => Start().Text("<th", "ink>First ", "I think.</", "thi", "nk>\n").Text(Pieces).End());
        yield return Case(Misbehaviour.ThinkTags, "no open tag", () => Start().Text("First ", "I think.</thi", "nk>\n").Text(Pieces).End());
        yield return Case(Misbehaviour.ThinkTags, "no close tag", () => Start().Text("<think>First ", "I think.").End("length"));
        yield return Case(Misbehaviour.ReasoningAfterText, () => Start()
            .Reasoning("reasoning", Reasoning).Text(FirstPart).Reasoning("reasoning", "Then again.").Text("你好 👋🏽!").End());
        yield return Case(Misbehaviour.NullNoise, () => new ChatStream()
            .Delta("""{"role":"assistant","content":"","reasoning_content":null,"tool_calls":null}""", choiceMore: ",\"logprobs\":null,\"matched_stop\":null")
            .Delta($$"""{"role":null,"content":null,"reasoning_content":{{ChatJson.Quote(Reasoning)}},"tool_calls":null}""")
            .Delta("""{"role":null,"content":"","reasoning_content":null,"tool_calls":null}""")
            .Delta("null")
            .Delta($$"""{"role":null,"content":{{ChatJson.Quote(Text)}},"reasoning_content":null,"tool_calls":null}""", more: ",\"usage\":null")
            .Delta("""{"role":null,"content":null,"reasoning_content":null,"tool_calls":null}""", "stop", choiceMore: ",\"matched_stop\":151645")
            .Usage(new(11, 7)).Done().ToScript());
    }

    private static IEnumerable<MisbehaviourCase> ToolCallCases()
    {
        yield return Case(Misbehaviour.ParallelCallsByIndex, "one after another", () => Start()
            .ToolCall(0, "call_a", ToolName, OsloPieces).ToolCall(1, "call_b", ToolName, RomePieces).End("tool_calls"));
        yield return Case(Misbehaviour.ParallelCallsByIndex, "interleaved", () => Start()
            .ToolCall(0, "call_a", ToolName).ToolCall(1, "call_b", ToolName)
            .ToolDelta("""{"index":0,"function":{"arguments":"{\"city\":"}}""").ToolDelta("""{"index":1,"function":{"arguments":"{\"city\":"}}""")
            .ToolDelta("""{"index":0,"function":{"arguments":"\"Oslo\"}"}}""").ToolDelta("""{"index":1,"function":{"arguments":"\"Rome\"}"}}""").End("tool_calls"));
        yield return Case(Misbehaviour.SameIndexDifferentIds, () => Start()
            .ToolCall(0, "call_a", ToolName, OsloPieces).ToolCall(0, "call_b", ToolName, RomePieces).End("tool_calls"));
        yield return Case(Misbehaviour.NoIndex, () => Start()
            .ToolDelta("""{"id":"call_a","type":"function","function":{"name":"get_weather","arguments":"{\"city\":"}}""").ToolDelta("""{"function":{"arguments":"\"Oslo\"}"}}""")
            .ToolDelta("""{"id":"call_b","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Rome\"}"}}""").End("tool_calls"));
        yield return Case(Misbehaviour.EmptyNameAndIdRepeats, () => Start()
            .ToolDelta("""{"index":0,"id":"call_a","type":"function","function":{"name":"get_weather","arguments":""}}""")
            .ToolDelta("""{"index":0,"id":"","type":null,"function":{"name":"","arguments":"{\"city\":"}}""")
            .ToolDelta("""{"index":0,"id":null,"type":null,"function":{"name":null,"arguments":"\"Oslo\"}"}}""").End("tool_calls"));
        yield return Case(Misbehaviour.NewIdPerChunk, () => Start()
            .ToolDelta("""{"index":0,"id":"call_1","type":"function","function":{"name":"get_weather","arguments":""}}""")
            .ToolDelta("""{"index":0,"id":"call_2","type":"function","function":{"arguments":"{\"city\":"}}""")
            .ToolDelta("""{"index":0,"id":"call_3","type":"function","function":{"name":"","arguments":"\"Oslo\"}"}}""").End("tool_calls"));
        yield return Case(Misbehaviour.WholeArgumentsInOneChunk, () => Start()
            .ToolDelta("""{"index":0,"id":"call_a","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}}""").End("tool_calls"));
        yield return Case(Misbehaviour.ObjectArguments, "object", () => Start()
            .ToolDelta("""{"index":0,"id":"call_a","type":"function","function":{"name":"get_weather","arguments":{"city":"Oslo"}}}""").End("tool_calls"));
        yield return Case(Misbehaviour.ObjectArguments, "tool_calls is an object", () => Start()
            .Delta("""{"tool_calls":{"index":0,"id":"call_a","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}}}""").End("tool_calls"));
        yield return Case(Misbehaviour.ArgumentsRepeatedAtEnd, () => Start()
            .ToolCall(0, "call_a", ToolName, OsloPieces).ToolDelta("""{"index":0,"function":{"arguments":"{\"city\":\"Oslo\"}"}}""").End("tool_calls"));
        yield return Case(Misbehaviour.NameAfterArguments, "name later", () => Start()
            .ToolDelta("""{"index":0,"id":"call_a","type":"function","function":{"name":"","arguments":"{\"city\":"}}""")
            .ToolDelta("""{"index":0,"function":{"name":"get_weather","arguments":"\"Oslo\"}"}}""").End("tool_calls"));
        yield return Case(Misbehaviour.NameAfterArguments, "name never", () => Start()
            .ToolDelta("""{"index":0,"id":"call_a","type":"function","function":{"arguments":"{\"city\":\"Oslo\"}"}}""").End("tool_calls"));
        yield return Case(Misbehaviour.FinishStopWithCalls, () => Start().ToolCall(0, "call_a", ToolName, OsloPieces).End("stop"));
        yield return Case(Misbehaviour.FinishToolCallsWithoutCalls, () => Start().Text(Pieces).Delta("""{"tool_calls":[]}""").End("tool_calls"));
        yield return Case(Misbehaviour.LengthInsideArguments, () => Start().ToolCall(0, "call_a", ToolName, "{\"city\":", "\"Os").End("length"));
        yield return Case(Misbehaviour.HugeArguments, HugeArgumentsScript);
        yield return Case(Misbehaviour.DuplicateIdsAcrossRounds, () => Start().ToolCall(0, "call_0", ToolName, OsloPieces).End("tool_calls"));
        yield return Case(Misbehaviour.DuplicateIdsAcrossRounds, "in one round", () => Start()
            .ToolCall(0, "call_0", ToolName, OsloPieces).ToolCall(1, "call_0", ToolName, RomePieces).End("tool_calls"));
    }

    private static IEnumerable<MisbehaviourCase> EndCases()
    {
        yield return Case(Misbehaviour.RefusalDelta, () => Start().Refusal("I can not ", "help with that.").End());
        yield return Case(Misbehaviour.EmptyCompletion, () => Start().End());
    }

    private static ChatScript HugeArgumentsScript()
    {
        const int pieceLength = 64 * 1024;
        var stream = Start().ToolCall(0, "call_a", ToolName, "{\"city\":\"");
        var piece = new string('x', pieceLength);
        for (var sent = 0; sent < HugeArgumentsLength; sent += pieceLength)
        {
            stream.ToolDelta(string.Create(CultureInfo.InvariantCulture, $$$"""{"index":0,"function":{"arguments":"{{{piece}}}"}}"""));
        }

        return stream.ToolDelta("""{"index":0,"function":{"arguments":"\"}"}}""").End("tool_calls");
    }
}
