using System.Globalization;
using System.Text;

namespace Gateway.Tools;

/// <summary>Bounds what one call may put into the context.</summary>
internal static class OutputCut
{
    /// <summary>The text, or its beginning with a note to the model when it is longer than <paramref name="maxBytes"/> of UTF-8.</summary>
    public static string Cut(string text, int maxBytes)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        if (length <= maxBytes)
        {
            return text;
        }

        var used = 0;
        var chars = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (used + rune.Utf8SequenceLength > maxBytes)
            {
                break;
            }

            used += rune.Utf8SequenceLength;
            chars += rune.Utf16SequenceLength;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{text.AsSpan(0, chars)}\n[The output is cut here: {used:N0} of {length:N0} bytes are shown.]");
    }
}
