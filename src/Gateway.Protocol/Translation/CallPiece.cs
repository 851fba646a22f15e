using System.Buffers;
using System.Text.Json;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Translation;

/// <summary>One element of a chunk's <c>tool_calls</c>: empty strings are absent, and members of the wrong type are ignored.</summary>
internal ref struct CallPiece
{
    /// <summary>What a client's call id may consist of.</summary>
    public static readonly SearchValues<char> IdCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    /// <summary>The <c>index</c>, or -1.</summary>
    public int Index;

    public string Id;

    public string Name;

    /// <summary>Raw JSON: a string token, or an object; empty when absent.</summary>
    public ReadOnlySpan<byte> Arguments;

    /// <summary>Reads the object at the reader's position.</summary>
    public static CallPiece Read(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        var piece = new CallPiece { Index = -1, Id = string.Empty, Name = string.Empty };
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("function"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.StartObject)
                {
                    ReadFunction(ref reader, json, ref piece);
                }
                else
                {
                    reader.Skip();
                }
            }
            else
            {
                ReadMember(ref reader, json, ref piece);
            }
        }

        return piece;
    }

    private static void ReadFunction(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref CallPiece piece)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadMember(ref reader, json, ref piece);
        }
    }

    private static void ReadMember(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref CallPiece piece)
    {
        if (reader.Is("index"u8))
        {
            reader.Read();
            piece.Index = reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var index) && index >= 0 ? index : -1;
            reader.Skip();
        }
        else if (reader.Is("id"u8))
        {
            piece.Id = ReadText(ref reader, json);
        }
        else if (reader.Is("name"u8))
        {
            piece.Name = ReadText(ref reader, json);
        }
        else if (reader.Is("arguments"u8))
        {
            reader.Read();
            var type = reader.TokenType;
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            piece.Arguments = type is JsonTokenType.String or JsonTokenType.StartObject ? json[start..(int)reader.BytesConsumed] : default;
        }
        else
        {
            reader.Read();
            reader.Skip();
        }
    }

    private static string ReadText(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        reader.Read();
        var start = (int)reader.TokenStartIndex;
        if (reader.TokenType == JsonTokenType.String)
        {
            return JsonText.ToText(json[start..(int)reader.BytesConsumed]);
        }

        reader.Skip();
        return string.Empty;
    }
}
