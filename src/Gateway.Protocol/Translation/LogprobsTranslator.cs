using System.Text.Json;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Translation;

/// <summary>
/// Turns a chunk's <c>logprobs.content</c> into the two forms of the Responses API: that of a text part, with bytes, and that of a delta,
/// without. Log probabilities of text that is held back wait here for it.
/// </summary>
internal sealed class LogprobsTranslator : IDisposable
{
    private readonly PooledBuffer _part = new();
    private readonly PooledBuffer _delta = new();
    private readonly PooledBuffer _scratch = new(64);
    private readonly List<Place> _places = [];
    private Place _first;

    /// <summary>Token objects in the form of a part, with commas between them.</summary>
    public ReadOnlySpan<byte> Part => _part.WrittenSpan[_first.Part..];

    /// <summary>Token objects in the form of a delta, with commas between them.</summary>
    public ReadOnlySpan<byte> Delta => _delta.WrittenSpan[_first.Delta..];

    public void Clear()
    {
        _part.Clear();
        _delta.Clear();
        _places.Clear();
        _first = default;
    }

    /// <summary>Leaves the last tokens that make up so many bytes of text: those before are of reasoning or its tags, which have none.</summary>
    public void KeepLast(int textBytes)
    {
        var from = _places.Count;
        while (from > 0 && textBytes > 0)
        {
            textBytes -= _places[--from].TextBytes;
        }

        _first = from < _places.Count ? _places[from] : default;
    }

    /// <summary>Adds the tokens of a chunk. <paramref name="json"/> is a JSON array.</summary>
    public void Add(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, ChatChunkReader.Options);
        reader.Read();
        while (TryReadToken(ref reader, json, out var token))
        {
            Separate(_part);
            Separate(_delta);
            _places.Add(new Place(_part.Length, _delta.Length, CountTextBytes(token)));
            Write(_part, token, withBytes: true);
            Write(_delta, token, withBytes: false);
        }
    }

    public void Dispose()
    {
        _part.Dispose();
        _delta.Dispose();
        _scratch.Dispose();
    }

    private static void Separate(PooledBuffer output)
    {
        if (output.Length > 0)
        {
            output.Append((byte)',');
        }
    }

    private void Write(PooledBuffer output, Token token, bool withBytes)
    {
        WriteMembers(output, token, withBytes);
        output.Append(",\"top_logprobs\":["u8);
        var first = true;
        if (!token.Top.IsEmpty)
        {
            var reader = new Utf8JsonReader(token.Top, ChatChunkReader.Options);
            reader.Read();
            while (TryReadToken(ref reader, token.Top, out var top))
            {
                if (!first)
                {
                    output.Append((byte)',');
                }

                first = false;
                WriteMembers(output, top, withBytes);
                output.Append((byte)'}');
            }
        }

        output.Append("]}"u8);
    }

    private void WriteMembers(PooledBuffer output, Token token, bool withBytes)
    {
        output.Append("{\"token\":"u8);
        output.AppendString(token.Text.IsEmpty ? default : JsonText.Unescape(token.Text, _scratch));
        output.Append(",\"logprob\":"u8);
        output.Append(token.Logprob.IsEmpty ? "0"u8 : token.Logprob);
        if (withBytes)
        {
            output.Append(",\"bytes\":"u8);
            CompactJson.Write(token.Bytes.IsEmpty ? "[]"u8 : token.Bytes, output);
        }
    }

    /// <summary>Reads the next object of the array that the reader is in; what is no object is skipped.</summary>
    private static bool TryReadToken(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, out Token token)
    {
        token = default;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                token = ReadToken(ref reader, json);
                return true;
            }

            reader.Skip();
        }

        return false;
    }

    private static Token ReadToken(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        var token = default(Token);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isToken = reader.Is("token"u8);
            var isLogprob = reader.Is("logprob"u8);
            var isBytes = reader.Is("bytes"u8);
            var isTop = reader.Is("top_logprobs"u8);
            reader.Read();
            var type = reader.TokenType;
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            var value = json[start..(int)reader.BytesConsumed];
            if (isToken && type == JsonTokenType.String)
            {
                token.Text = value;
            }
            else if (isLogprob && type == JsonTokenType.Number)
            {
                token.Logprob = value;
            }
            else if (isBytes && type == JsonTokenType.StartArray)
            {
                token.Bytes = value;
            }
            else if (isTop && type == JsonTokenType.StartArray)
            {
                token.Top = value;
            }
        }

        return token;
    }

    /// <summary>The bytes of the token's text. A token that is a part of a character says them only by <c>bytes</c>.</summary>
    private int CountTextBytes(Token token)
    {
        if (token.Bytes.Length <= 2)
        {
            return token.Text.IsEmpty ? 0 : JsonText.Unescape(token.Text, _scratch).Length;
        }

        var count = 0;
        var reader = new Utf8JsonReader(token.Bytes, ChatChunkReader.Options);
        while (reader.Read())
        {
            count += reader.TokenType == JsonTokenType.Number ? 1 : 0;
        }

        return count;
    }

    /// <summary>Where a token begins in both forms, and how long its text is.</summary>
    private readonly record struct Place(int Part, int Delta, int TextBytes);

    /// <summary>One token's raw members.</summary>
    private ref struct Token
    {
        public ReadOnlySpan<byte> Text;
        public ReadOnlySpan<byte> Logprob;
        public ReadOnlySpan<byte> Bytes;
        public ReadOnlySpan<byte> Top;
    }
}
