using System.Buffers.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Gateway.Protocol.Responses;

public static partial class RequestParser
{
    private static ReadOnlySpan<byte> Bom => [0xEF, 0xBB, 0xBF];

    /// <summary>
    /// Makes the body safe to cut into slices: valid UTF-8, no byte order mark, no line breaks between tokens (slices of it go into the
    /// one-line data of stream events), and no lone surrogate escapes. A body that needs a change is copied.
    /// </summary>
    private static ApiError? Normalize(ref ReadOnlyMemory<byte> body, int maxDepth)
    {
        if (body.Span.StartsWith(Bom))
        {
            body = body[Bom.Length..];
        }

        if (!Utf8.IsValid(body.Span))
        {
            return ApiError.NotJson("It is not valid UTF-8.");
        }

        if (body.Span.IndexOfAny("\r\n\t"u8) >= 0)
        {
            // Taking white space away can make an ill-formed body well-formed ("1 2"), so the body is read as it came first.
            try
            {
                var reader = new Utf8JsonReader(body.Span, new JsonReaderOptions { MaxDepth = maxDepth });
                while (reader.Read())
                {
                }
            }
            catch (JsonException e)
            {
                return NotJson(e, maxDepth);
            }

            body = Compact(body.Span);
        }

        // Only \uD8.. to \uDF.. can be surrogates.
        if (body.Span.IndexOf("\\ud"u8) >= 0 || body.Span.IndexOf("\\uD"u8) >= 0)
        {
            ReplaceLoneSurrogates(ref body);
        }

        return null;
    }

    /// <summary>
    /// A schema without white space between its tokens: it becomes part of the prompt, which must not change when the client writes its next
    /// request in another way.
    /// </summary>
    internal static ReadOnlyMemory<byte> CompactSchema(ReadOnlyMemory<byte> schema) => schema.Span.Contains((byte)' ') ? Compact(schema.Span) : schema;

    /// <summary>Copies well-formed JSON without the white space between its tokens.</summary>
    private static byte[] Compact(ReadOnlySpan<byte> json)
    {
        var copy = new byte[json.Length];
        var length = 0;
        while (json.IndexOf((byte)'"') is >= 0 and var quote)
        {
            length += CopyTokens(json[..quote], copy.AsSpan(length));
            var text = json[quote..(quote + StringLength(json[quote..]))];
            text.CopyTo(copy.AsSpan(length));
            length += text.Length;
            json = json[(quote + text.Length)..];
        }

        length += CopyTokens(json, copy.AsSpan(length));
        return copy[..length];
    }

    private static int CopyTokens(ReadOnlySpan<byte> json, Span<byte> copy)
    {
        var length = 0;
        foreach (var b in json)
        {
            if (b > (byte)' ')
            {
                copy[length++] = b;
            }
        }

        return length;
    }

    /// <summary>The length of the string that <paramref name="json"/> begins with, quotes included.</summary>
    private static int StringLength(ReadOnlySpan<byte> json)
    {
        var at = 1;
        while (json[at..].IndexOfAny((byte)'"', (byte)'\\') is var offset)
        {
            at += offset;
            if (json[at] == (byte)'"')
            {
                break;
            }

            at += 2;
        }

        return at + 1;
    }

    /// <summary>
    /// JavaScript clients send half a surrogate pair when they cut a string in the middle of a character. Strict readers refuse it, so it
    /// becomes U+FFFD, as browsers do.
    /// </summary>
    private static void ReplaceLoneSurrogates(ref ReadOnlyMemory<byte> body)
    {
        const int EscapeLength = 6;
        byte[]? copy = null;
        var text = body.Span;
        var at = 0;
        while (text[at..].IndexOf((byte)'\\') is >= 0 and var offset)
        {
            at += offset;
            var unit = CodeUnit(text, at);
            if (unit is < 0xD800 or > 0xDFFF)
            {
                // Skips the escaped character too, so that an escaped backslash does not start an escape.
                at = Math.Min(at + 2, text.Length);
                continue;
            }

            if (unit <= 0xDBFF && CodeUnit(text, at + EscapeLength) is >= 0xDC00 and <= 0xDFFF)
            {
                at += 2 * EscapeLength;
                continue;
            }

            copy ??= body.ToArray();
            "\\ufffd"u8.CopyTo(copy.AsSpan(at));
            at += EscapeLength;
        }

        body = copy ?? body;
    }

    /// <summary>The UTF-16 unit that a <c>\u</c> escape at <paramref name="at"/> stands for, or -1.</summary>
    private static int CodeUnit(ReadOnlySpan<byte> text, int at)
    {
        if (at + 6 > text.Length || text[at] != (byte)'\\' || text[at + 1] != (byte)'u')
        {
            return -1;
        }

        return Utf8Parser.TryParse(text.Slice(at + 2, 4), out int unit, out var read, 'x') && read == 4 ? unit : -1;
    }
}
