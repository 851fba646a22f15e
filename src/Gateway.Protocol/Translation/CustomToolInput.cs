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
            // Cut or bare text.
        }

        return arguments;
    }
}
