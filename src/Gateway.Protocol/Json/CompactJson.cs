using System.Text.Json;

namespace Gateway.Protocol.Json;

/// <summary>Copies JSON without the white space between its tokens; every token keeps its bytes.</summary>
public static class CompactJson
{
    /// <summary>Appends <paramref name="json"/>, which must be valid, compactly.</summary>
    public static void Write(ReadOnlySpan<byte> json, PooledBuffer output)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 1024 });
        var needsComma = false;
        while (reader.Read())
        {
            var isEnd = reader.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray;
            if (needsComma && !isEnd)
            {
                output.Append((byte)',');
            }

            var start = (int)reader.TokenStartIndex;
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    var length = reader.ValueSpan.Length + 2;
                    output.Append(json.Slice(start, length));
                    output.Append((byte)':');
                    needsComma = false;
                    break;
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    output.Append(json[start]);
                    needsComma = false;
                    break;
                default:
                    output.Append(json[start..(int)reader.BytesConsumed]);
                    needsComma = true;
                    break;
            }
        }
    }
}
