using System.Text.Json;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Translation;

/// <summary>Reads <c>content</c> as a string or as an array of parts, and <c>reasoning_details</c>.</summary>
internal static class ContentReader
{
    /// <summary>Hands text on through the tag scanner; parts of type <c>thinking</c> are reasoning as they are.</summary>
    public static void Read(ReadOnlySpan<byte> json, ITextReceiver receiver, PooledBuffer scratch, ref char pendingSurrogate, ReasoningTagScanner tags)
    {
        if (json[0] == '"')
        {
            var text = JsonText.Unescape(json, scratch, ref pendingSurrogate);
            if (!text.IsEmpty)
            {
                PushText(text, receiver, tags);
            }

            return;
        }

        var reader = new Utf8JsonReader(json, ChatChunkReader.Options);
        reader.Read();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                ReadPart(ref reader, json, receiver, scratch, tags);
            }
            else
            {
                reader.Skip();
            }
        }
    }

    /// <summary>Hands on the <c>text</c> (or <c>summary</c>) of each detail.</summary>
    public static void ReadReasoningDetails(ReadOnlySpan<byte> json, ITextReceiver receiver, PooledBuffer scratch)
    {
        var reader = new Utf8JsonReader(json, ChatChunkReader.Options);
        reader.Read();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var wanted = reader.Is("text"u8) || reader.Is("summary"u8);
                var text = ReadString(ref reader, json, scratch);
                if (wanted && !text.IsEmpty)
                {
                    receiver.OnReasoning(text);
                }
            }
        }
    }

    private static void ReadPart(
        ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ITextReceiver receiver, PooledBuffer scratch, ReasoningTagScanner tags)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("text"u8))
            {
                var text = ReadString(ref reader, json, scratch);
                if (!text.IsEmpty)
                {
                    PushText(text, receiver, tags);
                }
            }
            else if (reader.Is("thinking"u8))
            {
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                var type = reader.TokenType;
                reader.Skip();
                var value = json[start..(int)reader.BytesConsumed];
                if (type == JsonTokenType.StartArray)
                {
                    ReadReasoningDetails(value, receiver, scratch);
                }
                else if (type == JsonTokenType.String && value.Length > 2)
                {
                    receiver.OnReasoning(JsonText.Unescape(value, scratch));
                }
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    private static void PushText(ReadOnlySpan<byte> text, ITextReceiver receiver, ReasoningTagScanner tags)
    {
        if (tags.IsPassThrough)
        {
            receiver.OnText(text);
        }
        else
        {
            tags.Push(text, receiver);
        }
    }

    private static ReadOnlySpan<byte> ReadString(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, PooledBuffer scratch)
    {
        reader.Read();
        var start = (int)reader.TokenStartIndex;
        if (reader.TokenType == JsonTokenType.String)
        {
            return JsonText.Unescape(json[start..(int)reader.BytesConsumed], scratch);
        }

        reader.Skip();
        return default;
    }
}
