using System.Text.Json;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Translation;

/// <summary>A custom tool's free text travels to the model server as the one property <c>input</c> of a function's arguments.</summary>
internal static class CustomToolInput
{
    /// <summary>The text inside <c>{"input":"…"}</c>. Arguments of another form are the text themselves: models do write it bare.</summary>
    public static ReadOnlySpan<byte> Unwrap(ReadOnlySpan<byte> arguments, PooledBuffer scratch)
    {
        try
        {
            var reader = new Utf8JsonReader(arguments);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return arguments;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isInput = reader.Is("input"u8);
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                if (isInput && reader.TokenType == JsonTokenType.String)
                {
                    return JsonText.Unescape(arguments[start..(int)reader.BytesConsumed], scratch);
                }

                reader.Skip();
            }
        }
        catch (JsonException)
        {
            return UnwrapCut(arguments, scratch);
        }

        return arguments;
    }

    /// <summary>As much of the text as came when the model was cut off inside it; bare text is the text itself.</summary>
    private static ReadOnlySpan<byte> UnwrapCut(ReadOnlySpan<byte> arguments, PooledBuffer scratch)
    {
        if ("{\"input\":"u8.StartsWith(arguments))
        {
            return default;
        }

        var reader = new Utf8JsonReader(arguments, isFinalBlock: false, state: default);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject || !reader.Read() || !reader.ValueTextEquals("input"u8) || reader.Read())
            {
                return arguments;
            }
        }
        catch (JsonException)
        {
            return arguments;
        }

        var text = arguments[(int)reader.BytesConsumed..].TrimStart(" \t\r\n"u8);
        if (text.IsEmpty || text[0] != '"')
        {
            return text;
        }

        text = WithoutCutEscape(text[1..]);
        using var token = new PooledBuffer(text.Length + 2);
        token.Append((byte)'"');
        token.Append(text);
        token.Append((byte)'"');

        // Without escapes the text would be a slice of the token, which is given back here.
        return text.Contains((byte)'\\') ? JsonText.Unescape(token.WrittenSpan, scratch) : text;
    }

    /// <summary>The inside of a JSON string up to an escape that lacks its end.</summary>
    private static ReadOnlySpan<byte> WithoutCutEscape(ReadOnlySpan<byte> text)
    {
        for (var at = 0; text[at..].IndexOf((byte)'\\') is >= 0 and var offset;)
        {
            at += offset;
            var end = at + (text[at..].StartsWith("\\u"u8) ? 6 : 2);
            if (end > text.Length)
            {
                return text[..at];
            }

            at = end;
        }

        return text;
    }
}
