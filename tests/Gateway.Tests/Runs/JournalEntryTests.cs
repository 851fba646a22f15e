using System.Text;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Runs;
using Gateway.Tools;

namespace Gateway.Tests.Runs;

public sealed class JournalEntryTests
{
    private const string Odd = "a\"\\\n\u0000\u2028é😀<>&";
    private static readonly Tool Echo = new() { Kind = ToolKind.Mcp, Name = "echo", ServerLabel = "srv", UpstreamName = "srv__echo" };

    public static TheoryData<string, string> Texts => new()
    {
        { "", "" }, { "plain", "plain" }, { Odd, Odd }, { "half \ud800 of a pair", "half \ufffd of a pair" },
    };

    [Theory]
    [MemberData(nameof(Texts))]
    public void Calls_AreReadAsTheyWere(string text, string read)
    {
        using var started = JournalEntry.Open(JournalEntry.Started("1.2"));
        Assert.Equal(("start", "1.2"), (JournalEntry.KindOf(started.RootElement), JournalEntry.CallOf(started.RootElement)));
        foreach (var end in Enum.GetValues<ServerCallEnd>())
        {
            var members = $",\"output\":{System.Text.Json.JsonSerializer.Serialize(text)}";

            using var ended = JournalEntry.Open(JournalEntry.Ended("approved.mcpr_1", new ServerCallResult(end, text, Encoding.UTF8.GetBytes(members))));

            Assert.Equal(("end", "approved.mcpr_1"), (JournalEntry.KindOf(ended.RootElement), JournalEntry.CallOf(ended.RootElement)));
            var result = JournalEntry.ReadEnd(ended.RootElement);
            Assert.Equal((end, read, members), (result.End, result.Text, Encoding.UTF8.GetString(result.Members.Span)));
        }
    }

    [Fact]
    public void CallWithoutMembers_IsReadAsItWas()
    {
        using var ended = JournalEntry.Open(JournalEntry.Ended("0.0", new ServerCallResult(ServerCallEnd.Incomplete, "", default)));

        Assert.True(JournalEntry.ReadEnd(ended.RootElement).Members.IsEmpty);
    }

    [Fact]
    public void List_IsReadByteForByte()
    {
        const string Item = """{"id":"mcpl_1", "type":"mcp_list_tools","tools":[{"name":"\u00e9","input_schema":{"a":1.50e1}}]}""";

        using var list = JournalEntry.Open(JournalEntry.List(Odd, Encoding.UTF8.GetBytes(Item)));

        var (label, item) = JournalEntry.ReadList(list.RootElement);
        Assert.Equal((Odd, Item), (label, Encoding.UTF8.GetString(item.Span)));
    }

    [Fact]
    public void Round_IsReadAsItWas()
    {
        var round = new RoundRecord(
            [Encoding.UTF8.GetBytes("""{"id":"msg_0","text":"\ud800"}""")],
            [Encoding.UTF8.GetBytes("""{"id":"msg_1"}"""), Encoding.UTF8.GetBytes("""{"id": "fc_2","n":1.0}""")],
            new RoundOutcome(
                RoundEnd.Completed,
                null,
                [
                    new RoundCall(null, "call_1", null),
                    new RoundCall(Echo, "call_2", "call_0") { Deferred = new DeferredCall("srv__echo", Odd, IsCut: false) },
                    new RoundCall(null, "call_3", "") { Deferred = new DeferredCall("no_such_tool", "", IsCut: true) },
                ],
                null,
                0),
            new Usage(1, 2, 3, 4, 5, 6_000_000_000));

        using var entry = JournalEntry.Open(JournalEntry.Round(round));

        Assert.Equal("round", JournalEntry.KindOf(entry.RootElement));
        var read = JournalEntry.ReadRound(entry.RootElement, [Echo]);
        Assert.Equal(round.Abandoned.Select(Text), read.Abandoned.Select(Text));
        Assert.Equal(round.Items.Select(Text), read.Items.Select(Text));
        Assert.Equal(round.Outcome.Calls, read.Outcome.Calls);
        Assert.Equal((round.Spent, round.Outcome.End, null), (read.Spent, read.Outcome.End, read.Outcome.Error));
    }

    [Theory]
    [InlineData(RoundEnd.MaxOutputTokens)]
    [InlineData(RoundEnd.ContentFilter)]
    public void RoundWithoutUsage_AndWithoutItsTool_IsRead(RoundEnd end)
    {
        var round = new RoundRecord([], [], new RoundOutcome(end, null, [new RoundCall(Echo, "call_1", null)], null, 0), null);

        using var entry = JournalEntry.Open(JournalEntry.Round(round));

        var read = JournalEntry.ReadRound(entry.RootElement, []);
        Assert.Null(read.Spent);
        Assert.Equal(end, read.Outcome.End);
        Assert.Equal(new RoundCall(null, "call_1", null), Assert.Single(read.Outcome.Calls));
        Assert.Empty(read.Items);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{}x")]
    public void DamagedEntry_IsSaidToBe(string entry) => Assert.Throws<InvalidDataException>(() => JournalEntry.Open(Encoding.UTF8.GetBytes(entry)));

    private static string Text(ReadOnlyMemory<byte> json) => Encoding.UTF8.GetString(json.Span);
}
