using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Gateway.Protocol.Json;

/// <summary>
/// JSON string text as UTF-8 bytes: escaping with the fewest escapes (RFC 8259, section 7), and unescaping that survives what
/// <see cref="System.Text.Json.Utf8JsonReader"/> refuses, such as half a surrogate pair.
/// </summary>
public static class JsonText
{
    private static readonly SearchValues<byte> MustEscape = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(i => (byte)i), (byte)'"', (byte)'\\']);

    /// <summary>Whether the text holds a quote, a backslash or a control character.</summary>
    public static bool NeedsEscape(ReadOnlySpan<byte> utf8) => utf8.ContainsAny(MustEscape);

    /// <summary>Appends <paramref name="utf8"/> escaped: quotes, backslashes and control characters only.</summary>
    public static void Escape(ReadOnlySpan<byte> utf8, PooledBuffer output)
    {
        while (true)
        {
            var next = utf8.IndexOfAny(MustEscape);
            if (next < 0)
            {
                output.Append(utf8);
                return;
            }

            output.Append(utf8[..next]);
            EscapeOne(utf8[next], output);
            utf8 = utf8[(next + 1)..];
        }
    }

    /// <summary>Appends <paramref name="text"/> escaped, as UTF-8.</summary>
    public static void Escape(string text, PooledBuffer output)
    {
        var length = Encoding.UTF8.GetMaxByteCount(text.Length);
        var rented = ArrayPool<byte>.Shared.Rent(length);
        Escape(rented.AsSpan(0, Encoding.UTF8.GetBytes(text, rented)), output);
        ArrayPool<byte>.Shared.Return(rented);
    }

    /// <summary>
    /// The text of a JSON string token given with its quotes. Without escapes it is a slice of the token; otherwise it is decoded into
    /// <paramref name="scratch"/>, which is cleared first. A high surrogate at the very end is kept in <paramref name="pendingSurrogate"/>
    /// for the next piece when the caller passes one piece of a longer text; half a pair anywhere else becomes U+FFFD.
    /// </summary>
    public static ReadOnlySpan<byte> Unescape(ReadOnlySpan<byte> token, PooledBuffer scratch, scoped ref char pendingSurrogate)
    {
        return UnescapeInner(token[1..^1], scratch, ref pendingSurrogate);
    }

    /// <summary>Whether the escaped text between the quotes of a JSON string stands for <paramref name="utf8"/>.</summary>
    internal static bool EscapedEquals(ReadOnlySpan<byte> escaped, ReadOnlySpan<byte> utf8)
    {
        using var scratch = new PooledBuffer(escaped.Length);
        var pending = '\0';
        return UnescapeInner(escaped, scratch, ref pending).SequenceEqual(utf8) && pending == 0;
    }

    private static ReadOnlySpan<byte> UnescapeInner(ReadOnlySpan<byte> inner, PooledBuffer scratch, scoped ref char pendingSurrogate)
    {
        if (pendingSurrogate == 0 && inner.IndexOf((byte)'\\') < 0)
        {
            return inner;
        }

        scratch.Clear();
        while (!inner.IsEmpty)
        {
            var backslash = inner.IndexOf((byte)'\\');
            var plain = backslash < 0 ? inner : inner[..backslash];
            if (!plain.IsEmpty)
            {
                FlushSurrogate(scratch, ref pendingSurrogate);
                scratch.Append(plain);
            }

            if (backslash < 0)
            {
                break;
            }

            inner = inner[(backslash + 1)..];
            inner = UnescapeOne(inner, scratch, ref pendingSurrogate);
        }

        return scratch.WrittenSpan;
    }

    /// <summary>The text of a whole JSON string token given with its quotes.</summary>
    public static ReadOnlySpan<byte> Unescape(ReadOnlySpan<byte> token, PooledBuffer scratch)
    {
        var pending = '\0';
        var text = Unescape(token, scratch, ref pending);
        if (pending != 0)
        {
            FlushSurrogate(scratch, ref pending);
            return scratch.WrittenSpan;
        }

        return text;
    }

    /// <summary>The text of a JSON string token given with its quotes, as a string.</summary>
    public static string ToText(ReadOnlySpan<byte> token)
    {
        if (token.IndexOf((byte)'\\') < 0)
        {
            return Encoding.UTF8.GetString(token[1..^1]);
        }

        using var scratch = new PooledBuffer(token.Length);
        return Encoding.UTF8.GetString(Unescape(token, scratch));
    }

    /// <summary>Half a pair that no other half followed.</summary>
    public static void FlushSurrogate(PooledBuffer output, scoped ref char pendingSurrogate)
    {
        if (pendingSurrogate != 0)
        {
            pendingSurrogate = '\0';
            output.Append("\uFFFD"u8);
        }
    }

    private static ReadOnlySpan<byte> UnescapeOne(ReadOnlySpan<byte> rest, PooledBuffer scratch, scoped ref char pendingSurrogate)
    {
        if (rest[0] == 'u' && TryParseHex(rest, 1, out var unit))
        {
            AppendUnit(unit, scratch, ref pendingSurrogate);
            return rest[5..];
        }

        FlushSurrogate(scratch, ref pendingSurrogate);
        scratch.Append(rest[0] switch
        {
            (byte)'n' => (byte)'\n',
            (byte)'t' => (byte)'\t',
            (byte)'r' => (byte)'\r',
            (byte)'b' => (byte)'\b',
            (byte)'f' => (byte)'\f',
            var other => other,
        });
        return rest[1..];
    }

    private static void AppendUnit(char unit, PooledBuffer scratch, scoped ref char pendingSurrogate)
    {
        if (pendingSurrogate != 0 && char.IsLowSurrogate(unit))
        {
            var rune = new Rune(pendingSurrogate, unit);
            pendingSurrogate = '\0';
            scratch.Advance(rune.EncodeToUtf8(scratch.GetSpan(4)));
            return;
        }

        FlushSurrogate(scratch, ref pendingSurrogate);
        if (char.IsHighSurrogate(unit))
        {
            pendingSurrogate = unit;
        }
        else
        {
            var rune = char.IsLowSurrogate(unit) ? Rune.ReplacementChar : new Rune(unit);
            scratch.Advance(rune.EncodeToUtf8(scratch.GetSpan(4)));
        }
    }

    private static bool TryParseHex(ReadOnlySpan<byte> bytes, int start, out char unit)
    {
        unit = '\0';
        if (bytes.Length < start + 4)
        {
            return false;
        }

        var value = 0;
        foreach (var b in bytes.Slice(start, 4))
        {
            var digit = HexDigit(b);
            if (digit < 0)
            {
                return false;
            }

            value = (value << 4) | digit;
        }

        unit = (char)value;
        return true;
    }

    private static int HexDigit(byte b) => b switch
    {
        >= (byte)'0' and <= (byte)'9' => b - '0',
        >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
        _ => -1,
    };

    private static void EscapeOne(byte value, PooledBuffer output)
    {
        switch (value)
        {
            case (byte)'"':
                output.Append("\\\""u8);
                break;
            case (byte)'\\':
                output.Append("\\\\"u8);
                break;
            case (byte)'\n':
                output.Append("\\n"u8);
                break;
            case (byte)'\r':
                output.Append("\\r"u8);
                break;
            case (byte)'\t':
                output.Append("\\t"u8);
                break;
            default:
                output.Append("\\u00"u8);
                output.Append(HexByte(value >> 4));
                output.Append(HexByte(value & 0xF));
                break;
        }
    }

    private static byte HexByte(int digit) => (byte)(digit < 10 ? '0' + digit : 'a' + digit - 10);

    /// <summary>Whether the bytes are well-formed UTF-8.</summary>
    public static bool IsUtf8(ReadOnlySpan<byte> bytes) => Utf8.IsValid(bytes);
}
