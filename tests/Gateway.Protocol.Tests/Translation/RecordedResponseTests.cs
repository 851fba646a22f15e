using Gateway.Protocol.Tests.Responses;

namespace Gateway.Protocol.Tests.Translation;

/// <summary>
/// Recordings/responses: a Responses request, the bytes that a model server answered with, and the events and the final object that the
/// client must get. See Recordings/README.md.
/// </summary>
public sealed class RecordedResponseTests
{
    private const string Kind = "responses";

    /// <summary>Set to anything, what came out is written beside an expected file that it differs from, as <c>*.actual</c>.</summary>
    private const string WriteActual = "RECORDINGS_WRITE_ACTUAL";

    public static TheoryData<string> Cases => [.. Recordings.Cases(Kind)];

    public static TheoryData<string> CasesWithBody => [.. Recordings.Cases(Kind).Where(name => File.Exists(Recordings.File(Kind, name, "upstream.json")))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Play_RecordedStream_GivesTheExpectedEvents(string name)
    {
        var played = Player(name).PlayStream(Upstream(name));

        AssertSame(name, "expected.sse", Expected(name, "expected.sse"), played.Events);
        AssertSame(name, "expected.json", ExpectedObject(name), Recordings.Indent(played.Final));
        Assert.True(played.Events.Length == 0 || played.Events.Contains(played.Final, StringComparison.Ordinal), "The terminal event holds the final object.");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Play_CutAtEachByte_GivesTheSame(string name)
    {
        var player = Player(name);
        var upstream = Upstream(name);
        var whole = player.PlayStream(upstream);

        for (var cut = 1; cut < upstream.Length; cut++)
        {
            Assert.Equal(whole, player.PlayStream(upstream, [cut, upstream.Length]));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Play_ByteByByteWithCrLf_GivesTheSame(string name)
    {
        var player = Player(name);
        var upstream = Upstream(name);
        var crLf = RoundPlayer.ToCrLf(upstream);

        Assert.Equal(player.PlayStream(upstream), player.PlayStream(crLf, Enumerable.Range(1, crLf.Length)));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Play_StreamForAClientThatWantsJson_GivesTheExpectedObject(string name)
    {
        var played = Player(name).PlayStream(Upstream(name), wantsEvents: false);

        Assert.Empty(played.Events);
        Assert.Equal(ExpectedObject(name), Recordings.Indent(played.Final));
    }

    [Theory]
    [MemberData(nameof(CasesWithBody))]
    public void Play_TheSameAnswerAsOneBody_GivesTheExpectedObject(string name)
    {
        var body = File.ReadAllBytes(Recordings.File(Kind, name, "upstream.json"));
        var expected = ExpectedObject(name);

        var streamed = Player(name).PlayBody(body, wantsEvents: true);

        Assert.Equal(expected, Recordings.Indent(Player(name).PlayBody(body, wantsEvents: false).Final));
        Assert.Equal(expected, Recordings.Indent(streamed.Final));
        Assert.Equal(WithoutDeltas(Expected(name, "expected.sse")), WithoutDeltas(streamed.Events));
    }

    private static RoundPlayer Player(string name) => new(
        Requests.Parse(File.ReadAllText(Recordings.File(Kind, name, "request.json"))),
        Recordings.ReadProfile(Recordings.File(Kind, name, "profile.json")));

    private static byte[] Upstream(string name) => File.ReadAllBytes(Recordings.File(Kind, name, "upstream.sse"));

    /// <summary>A round that fails before anything is told has no events, and so no expected.sse.</summary>
    private static string Expected(string name, string file) =>
        Recordings.File(Kind, name, file) is var path && File.Exists(path) ? File.ReadAllText(path) : "";

    private static string ExpectedObject(string name) => Expected(name, "expected.json") is { Length: > 0 } json ? Recordings.Indent(json) : "";

    /// <summary>The events without deltas and sequence numbers: what does not depend on the pieces in which the answer came.</summary>
    private static IEnumerable<string> WithoutDeltas(string events) =>
        events.Split("\n\n").Where(e => !e.Contains(".delta\n", StringComparison.Ordinal)).Select(e => e.Split(",\"sequence_number\":")[0]);

    private static void AssertSame(string name, string file, string expected, string actual)
    {
        if (expected != actual && Environment.GetEnvironmentVariable(WriteActual) is not null)
        {
            File.WriteAllText(Recordings.File(Kind, name, file) + ".actual", actual);
        }

        Assert.Equal(expected, actual);
    }
}
