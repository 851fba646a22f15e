using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Gateway.Protocol.Sse;

namespace Gateway.Protocol.Tests.Sse;

/// <summary>Framing: every line end, field and cut. Streams are written in Latin-1, a character a byte.</summary>
public sealed class SseReaderTests
{
    private const string Bom = "\u00EF\u00BB\u00BF";

    [Theory]
    [InlineData("", "")]
    [InlineData("\n\n\n", "")]
    [InlineData("data: a\n\n", "a")]
    [InlineData("data: a\r\n\r\n", "a")]
    [InlineData("data: a\r\r", "a")]
    [InlineData("data: a\r\n\rdata: b\n\r\n", "a|b")]
    [InlineData("data: a\n\rdata: b\r\n\n", "a|b")]
    [InlineData("data: a\n\ndata: b\n\ndata: c\n\n", "a|b|c")]
    [InlineData("data:a\n\n", "a")]
    [InlineData("data:  a \n\n", " a ")]
    [InlineData("data:\ta\n\n", "\ta")]
    [InlineData("data: a: b\n\n", "a: b")]
    [InlineData("data:\n\n", "")]
    [InlineData("data: \n\n", "")]
    [InlineData("data\n\n", "")]
    [InlineData("data\ndata\n\n", "\n")]
    [InlineData("data: a\ndata: b\n\n", "a\nb")]
    [InlineData("data: a\r\ndata:\r\ndata: b\r\n\r\n", "a\n\nb")]
    [InlineData("data: a\n: note\nid: 1\nretry: 5\ndata: b\n\n", "a\nb")]
    [InlineData(": keep-alive\n\n: keep-alive\n\ndata: a\n\n:\n\n", "a")]
    [InlineData("database: a\ndata : b\nDATA: c\n data: d\n\n", "")]
    [InlineData("event: error\ndata: a\n\ndata: b\n\n", "!a|b")]
    [InlineData("event:error\rdata:a\r\r", "!a")]
    [InlineData("data: a\nevent: error\n\n", "!a")]
    [InlineData("event: errors\ndata: a\n\n", "a")]
    [InlineData("event: error\n\ndata: a\n\n", "a")]
    [InlineData("event: error\nevent: message\ndata: a\n\n", "a")]
    [InlineData(Bom + "data: a\n\n", "a")]
    [InlineData(Bom + "\ndata: a\n\n", "a")]
    [InlineData("\n" + Bom + "data: a\n\n", "")]
    [InlineData("data: " + Bom + "\n\n", Bom)]
    [InlineData("data: a", "a")]
    [InlineData("data: a\n", "a")]
    [InlineData("data: a\r", "a")]
    [InlineData("data: a\ndata: b", "a\nb")]
    [InlineData("data: a\n\ndata: b", "a|b")]
    [InlineData("data: a\n\ndat", "a")]
    [InlineData("data: a\n\nevent: error", "a")]
    [InlineData("data: \u00C3\u00A9\u00FF\n\n", "\u00C3\u00A9\u00FF")]
    public void Read_Stream_GivesItsEventsHoweverItIsCut(string stream, string events)
    {
        Assert.Equal(Split(events, stream), Read(stream, [stream.Length]));
        Assert.Equal(Split(events, stream), Read(stream, [.. Enumerable.Range(1, stream.Length)]));
        for (var cut = 0; cut <= stream.Length; cut++)
        {
            Assert.Equal(Split(events, stream), Read(stream, [cut, stream.Length]));
        }
    }

    [Property(MaxTest = 2000)]
    public Property Read_RandomStream_GivesWhatTheStandardSays()
    {
        var fragment = Gen.Elements(
            "data:", "data: ", "data", "event:", "event: error", "id: 7", ":", " ", "x", "yy", "\n", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n", Bom, "\u00FF", "\0");
        var stream = fragment.ListOf().Select(string.Concat);
        var cuts = Gen.Choose(1, 12).ListOf();
        return Prop.ForAll(stream.Zip(cuts).ToArbitrary(), pair =>
        {
            var (text, steps) = pair;
            var ends = new List<int>();
            foreach (var step in steps)
            {
                ends.Add(Math.Min(text.Length, (ends.Count > 0 ? ends[^1] : 0) + step));
            }

            ends.Add(text.Length);
            Assert.Equal(Standard(text), Read(text, [.. ends]));
        });
    }

    [Fact]
    public void Read_ManyEventsInOneBuffer_GivesThemAll()
    {
        var stream = string.Concat(Enumerable.Range(0, 5000).Select(i => $"data: {i}\n\n"));

        Assert.Equal(Enumerable.Range(0, 5000).Select(i => $"{i}"), Read(stream, [stream.Length]));
    }

    [Fact]
    public void Read_LongEventBetweenShortOnes_SurvivesTheGrowthOfTheBuffer()
    {
        var big = string.Concat(Enumerable.Range(0, 200_000).Select(i => (char)('a' + (i % 23))));
        string[] events = ["a", big, "b", big + "2", "c"];
        var stream = string.Concat(events.Select(e => $"data: {e}\n\n"));

        Assert.Equal(events, Read(stream, [stream.Length]));
        Assert.Equal(events, Read(stream, [.. Enumerable.Range(1, stream.Length / 1000).Select(i => i * 1000), stream.Length]));
    }

    [Fact]
    public void Read_LongEventOfManyLines_IsJoined()
    {
        var lines = Enumerable.Range(0, 20_000).Select(i => $"line {i}").ToArray();
        var stream = string.Concat(lines.Select(l => $"data: {l}\r\n")) + "\r\ndata: next\n\n";

        Assert.Equal([string.Join('\n', lines), "next"], Read(stream, [.. Enumerable.Range(1, stream.Length / 777).Select(i => i * 777), stream.Length]));
    }

    [Theory]
    [InlineData("data: 0123456789abcdef\n\n")]
    [InlineData("data:0123456789abcdef\n\n")]
    [InlineData("data: 01234567\ndata: 9abcdef\r\n\r\n")]
    [InlineData("event: error\ndata: 0123456789abcdef\n: note\n\n")]
    [InlineData(": 3456789abcdef012345\n: 3456789abcdef012345\ndata: 0123456789abcdef\n\n")]
    public void Read_EventAsLongAsTheLimit_IsTakenHoweverItIsCut(string stream)
    {
        for (var cut = 0; cut <= stream.Length; cut++)
        {
            Assert.Single(Read(stream, [cut, stream.Length], maxEventBytes: 16));
        }

        Assert.Single(Read(stream, [.. Enumerable.Range(1, stream.Length)], maxEventBytes: 16));
        Assert.Single(Read(stream + stream, [.. Enumerable.Range(1, stream.Length * 2)], maxEventBytes: 16).Distinct());
    }

    [Theory]
    [InlineData("data: 0123456789abcdef0\n\n")]
    [InlineData("data:0123456789abcdef0\n\n")]
    [InlineData("data: 01234567\ndata: 9abcdef0\n\n")]
    [InlineData("data: 0123456789abcdef\ndata\n\n")]
    [InlineData("data: 0123456789abcdef0")]
    public void Read_EventLongerThanTheLimit_IsRefusedHoweverItIsCut(string stream)
    {
        for (var cut = 0; cut <= stream.Length; cut++)
        {
            Assert.Throws<InvalidDataException>(() => Read(stream, [cut, stream.Length], maxEventBytes: 16));
        }

        Assert.Throws<InvalidDataException>(() => Read(stream, [.. Enumerable.Range(1, stream.Length)], maxEventBytes: 16));
    }

    [Fact]
    public void Read_EndlessLine_IsRefusedSoonAfterTheLimit()
    {
        using var reader = new SseReader(100_000);
        var taken = 0;

        Assert.Throws<InvalidDataException>(() =>
        {
            while (taken < 10_000_000)
            {
                var room = reader.GetBuffer();
                room.Span.Fill((byte)'x');
                reader.Advance(room.Length);
                taken += room.Length;
                Assert.False(reader.TryRead(out _));
            }
        });
        Assert.InRange(taken, 100_000, 400_000);
    }

    [Fact]
    public void Read_CommentsWithinAnEvent_TakeNoRoom()
    {
        using var reader = new SseReader(64 * 1024);
        Feed(reader, "data: a\n");
        Assert.False(reader.TryRead(out _));
        for (var i = 0; i < 100_000; i++)
        {
            Feed(reader, ": still working\n");
            Assert.False(reader.TryRead(out _));
        }

        Feed(reader, "data: b\n\n");

        Assert.True(reader.TryRead(out var data));
        Assert.Equal("a\nb", Encoding.Latin1.GetString(data));
    }

    [Fact]
    public void Read_NextBufferBeforeTheRestIsTaken_LosesNothing()
    {
        using var reader = new SseReader(64);
        var taken = new List<string>();
        for (var i = 0; i < 50; i++)
        {
            Feed(reader, $"data: {i}\ndata: 0123456789abcdef0123456789\n\n");
            Assert.True(reader.TryRead(out var data));
            taken.Add(Encoding.Latin1.GetString(data));
        }

        Assert.Equal(Enumerable.Range(0, 50).Select(i => $"{i}\n0123456789abcdef0123456789"), taken);
    }

    [Fact]
    public void Dispose_Twice_IsHarmless()
    {
        var reader = new SseReader();
        Feed(reader, "data: a\ndata: b\n\n");
        Assert.True(reader.TryRead(out _));

        reader.Dispose();
        reader.Dispose();
    }

    /// <summary>Events as the cases write them: with a bar between, and an empty one only where the stream has data.</summary>
    private static string[] Split(string events, string stream) =>
        events.Length > 0 ? events.Split('|') : stream.Contains("data\n", StringComparison.Ordinal) || stream.StartsWith("data:", StringComparison.Ordinal) ? [""] : [];

    private static List<string> Read(string stream, int[] ends, int maxEventBytes = 16 * 1024 * 1024)
    {
        using var reader = new SseReader(maxEventBytes);
        var events = new List<string>();
        var start = 0;
        foreach (var end in ends)
        {
            while (start < end)
            {
                var room = reader.GetBuffer();
                var count = Math.Min(room.Length, end - start);
                Encoding.Latin1.GetBytes(stream.AsSpan(start, count), room.Span);
                reader.Advance(count);
                start += count;
                Take(reader, events);
            }
        }

        reader.Complete();
        Take(reader, events);
        return events;
    }

    private static void Take(SseReader reader, List<string> events)
    {
        while (reader.TryRead(out var data))
        {
            events.Add((reader.IsErrorEvent ? "!" : "") + Encoding.Latin1.GetString(data));
        }
    }

    private static void Feed(SseReader reader, string text)
    {
        Encoding.Latin1.GetBytes(text, reader.GetBuffer().Span);
        reader.Advance(text.Length);
    }

    /// <summary>The standard's own algorithm over the whole text, with the end of the stream as a blank line.</summary>
    private static List<string> Standard(string text)
    {
        var events = new List<string>();
        var data = new List<string>();
        var type = "";
        text = text.StartsWith(Bom, StringComparison.Ordinal) ? text[Bom.Length..] : text;
        var lines = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Split('\n');
        foreach (var line in lines.Append(""))
        {
            if (line.Length == 0)
            {
                if (data.Count > 0)
                {
                    events.Add((type == "error" ? "!" : "") + string.Join('\n', data));
                }

                data.Clear();
                type = "";
                continue;
            }

            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var name = colon < 0 ? line : line[..colon];
            var value = colon < 0 ? "" : line[(colon + 1)..];
            value = value.StartsWith(' ') ? value[1..] : value;
            if (name == "data")
            {
                data.Add(value);
            }
            else if (name == "event")
            {
                type = value.Trim(' ');
            }
        }

        return events;
    }
}
