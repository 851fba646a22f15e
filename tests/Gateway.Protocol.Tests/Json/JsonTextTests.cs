using System.Globalization;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Tests.Json;

public sealed class JsonTextTests
{
    private const string Replacement = "\uFFFD";

    [Theory]
    [InlineData("", "")]
    [InlineData("plain é 😀 \u2028 \u007f / '", "plain é 😀 \u2028 \u007f / '")]
    [InlineData("\"\\", "\\\"\\\\")]
    [InlineData("\n\r\t", "\\n\\r\\t")]
    [InlineData("\0\u0001\b\f\u001f", "\\u0000\\u0001\\u0008\\u000c\\u001f")]
    [InlineData("\"a\"", "\\\"a\\\"")]
    public void Escape_Text_UsesTheFewestEscapes(string text, string escaped)
    {
        using var fromBytes = new PooledBuffer(1);
        using var fromText = new PooledBuffer(1);

        JsonText.Escape(Encoding.UTF8.GetBytes(text), fromBytes);
        JsonText.Escape(text, fromText);

        Assert.Equal(escaped, Text(fromBytes.WrittenSpan));
        Assert.Equal(escaped, Text(fromText.WrittenSpan));
        Assert.Equal(text != escaped, JsonText.NeedsEscape(Encoding.UTF8.GetBytes(text)));
    }

    [Fact]
    public void Escape_HalfASurrogatePair_BecomesTheReplacementCharacter()
    {
        using var output = new PooledBuffer(1);

        JsonText.Escape("a\uD83Db", output);

        Assert.Equal($"a{Replacement}b", Text(output.WrittenSpan));
    }

    [Property(MaxTest = 1000)]
    public void Escape_AnyText_IsReadBackByAJsonReader(string? value)
    {
        using var output = new PooledBuffer(1);

        output.AppendString(value);

        Assert.Equal(value is null ? null : WellFormed(value), JsonElement.Parse(output.WrittenSpan).GetString());
    }

    [Theory]
    [InlineData("\"\"", "")]
    [InlineData("\"a\"", "a")]
    [InlineData("""  "\"\\\/\b\f\n\r\t"  """, "\"\\/\b\f\n\r\t")]
    [InlineData("""  "\u0041\u00e9\u00E9\u20ac\u0000"  """, "Aéé€\0")]
    [InlineData("""  "x\ud83d\ude00y"  """, "x😀y")]
    [InlineData("""  "\uD83D\uDE00\uD83D\uDE00"  """, "😀😀")]
    [InlineData("""  "\ud83d"  """, Replacement)]
    [InlineData("""  "\ude00"  """, Replacement)]
    [InlineData("""  "\ud83dx"  """, Replacement + "x")]
    [InlineData("""  "\ud83d\n"  """, Replacement + "\n")]
    [InlineData("""  "\ud83d\u0041"  """, Replacement + "A")]
    [InlineData("""  "\ud83d\ud83d\ude00"  """, Replacement + "😀")]
    [InlineData("""  "\ude00\ud83d"  """, Replacement + Replacement)]
    [InlineData("""  "\ud83d😀\ude00"  """, Replacement + "😀" + Replacement)]
    public void Unescape_WholeString_GivesItsText(string token, string text)
    {
        using var scratch = new PooledBuffer(1);
        scratch.Append("left over"u8);
        var bytes = Encoding.UTF8.GetBytes(token.Trim());

        Assert.Equal(text, Text(JsonText.Unescape(bytes, scratch)));
        Assert.Equal(text, JsonText.ToText(bytes));
    }

    [Theory]
    [InlineData("""  "\ud83d"|"\ude00"  """, "😀")]
    [InlineData("""  "a\ud83d"|""|"\ude00b"  """, "a😀b")]
    [InlineData("""  "\ud83d"|"x"  """, Replacement + "x")]
    [InlineData("""  "\ud83d"|"\n"  """, Replacement + "\n")]
    [InlineData("""  "\ud83d"|"\ud83d"|"\ude00"  """, Replacement + "😀")]
    [InlineData("""  "\ud83d"|"\u0041"  """, Replacement + "A")]
    [InlineData("""  "\ud83d"|""  """, Replacement)]
    public void Unescape_Pieces_JoinsASplitPair(string tokens, string text) =>
        Assert.Equal(text, Join(tokens.Trim().Split('|')));

    [Property(MaxTest = 1000)]
    public void Unescape_AnyTextInPieces_GivesTheTextOfTheWhole(NonNull<string> value, NonEmptyArray<PositiveInt> sizes)
    {
        var (text, start, i) = (value.Get, 0, 0);
        var tokens = new List<string>();
        while (start < text.Length)
        {
            var length = Math.Min(sizes.Get[i++ % sizes.Get.Length].Get, text.Length - start);
            tokens.Add($"\"{string.Concat(text.AsSpan(start, length).ToArray().Select(c => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}")))}\"");
            start += length;
        }

        Assert.Equal(WellFormed(text), Join([.. tokens]));
    }

    [Fact]
    public void Unescape_LongText_IsWhole()
    {
        var text = string.Concat(Enumerable.Range(0, 100_000).Select(i => i % 7 == 0 ? "\n" : i % 11 == 0 ? "😀" : "x"));
        var token = JsonSerializer.SerializeToUtf8Bytes(text);

        Assert.Equal(text, JsonText.ToText(token));
    }

    [Fact]
    public void Unescape_WithoutEscapes_IsASliceOfTheToken()
    {
        using var scratch = new PooledBuffer(1);
        var token = "\"plain é\""u8;

        Assert.True(JsonText.Unescape(token, scratch).Overlaps(token, out var offset));
        Assert.Equal(-1, offset);
        Assert.Equal(0, scratch.Length);
    }

    private static string Join(string[] tokens)
    {
        using var scratch = new PooledBuffer(1);
        using var rest = new PooledBuffer(1);
        var pending = '\0';
        var text = new StringBuilder();
        foreach (var token in tokens)
        {
            text.Append(Text(JsonText.Unescape(Encoding.UTF8.GetBytes(token), scratch, ref pending)));
        }

        JsonText.FlushSurrogate(rest, ref pending);
        return text.Append(Text(rest.WrittenSpan)).ToString();
    }

    /// <summary>The text with halves of pairs replaced, as encoding does it.</summary>
    private static string WellFormed(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static string Text(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);
}
