using System.Text;
using System.Text.Json;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.ChatCompletions;

/// <summary>
/// The one reader of what Chat Completions servers send: chunks and whole completions, in every shape that is out there. A member of the
/// wrong type is ignored. One instance reads one answer.
/// </summary>
/// <remarks>
/// Most chunks of a stream differ from the one before only inside one string. The reader remembers what stood before and behind the text
/// of the last chunk that held nothing but text; a chunk with the same bytes around a text without quotes and backslashes is the same
/// chunk with another text, and needs no parsing.
/// </remarks>
public sealed class ChatChunkReader
{
    /// <summary>How a chunk is read, and every part of it: a part can not be deeper than the whole.</summary>
    internal static readonly JsonReaderOptions Options = new() { MaxDepth = 128 };

    private byte[] _around = [];
    private int _prefixLength;
    private int _suffixLength;
    private bool _textIsReasoning;

    /// <summary>Reads one chunk. False when it is not a JSON object.</summary>
    public bool TryRead(ReadOnlySpan<byte> json, out ChatChunk chunk)
    {
        if (TryReadLikeTheLast(json, out chunk))
        {
            return true;
        }

        if (!JsonText.IsUtf8(json))
        {
            // Parts of a chunk go to clients as they are, and those must be able to decode them.
            json = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(json));
        }

        var read = default(ChatChunk);
        try
        {
            var reader = new Utf8JsonReader(json, Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return false;
            }

            var top = default(TopLevel);
            ReadTop(ref reader, json, ref read, ref top);
            reader.Read();
            if (top.IsError(read.HasChoices))
            {
                read.Error = json;
            }
        }
        catch (JsonException)
        {
            return false;
        }

        Remember(json, in read);
        chunk = read;
        return true;
    }

    private bool TryReadLikeTheLast(ReadOnlySpan<byte> json, out ChatChunk chunk)
    {
        chunk = default;
        if (_prefixLength == 0 || json.Length <= _prefixLength + _suffixLength
            || !json.StartsWith(_around.AsSpan(0, _prefixLength)) || !json.EndsWith(_around.AsSpan(_prefixLength, _suffixLength)))
        {
            return false;
        }

        // With both quotes: the memory ends at the opening one and starts again at the closing one.
        var token = json[(_prefixLength - 1)..(json.Length - _suffixLength + 1)];
        var text = token[1..^1];
        if (JsonText.NeedsEscape(text) || !JsonText.IsUtf8(text))
        {
            return false;
        }

        chunk.HasChoices = true;
        if (_textIsReasoning)
        {
            chunk.Reasoning = token;
        }
        else
        {
            chunk.Content = token;
        }

        return true;
    }

    private void Remember(ReadOnlySpan<byte> json, in ChatChunk chunk)
    {
        var isReasoning = !chunk.Reasoning.IsEmpty;
        var text = isReasoning ? chunk.Reasoning : chunk.Content;
        var only = chunk.HasChoices && chunk.ToolCalls.IsEmpty && chunk.FunctionCall.IsEmpty && chunk.Refusal.IsEmpty && chunk.Logprobs.IsEmpty
            && chunk.FinishReason.IsEmpty && chunk.Usage.IsEmpty && chunk.Timings.IsEmpty && chunk.Error.IsEmpty && chunk.ReasoningDetails.IsEmpty
            && (isReasoning ? chunk.Content.IsEmpty : chunk.Reasoning.IsEmpty);
        if (!only || text.Length <= 2 || text[0] != '"' || !json.Overlaps(text, out var start))
        {
            return;
        }

        var prefix = json[..(start + 1)];
        var suffix = json[(start + text.Length - 1)..];
        if (_around.Length < prefix.Length + suffix.Length)
        {
            // With room to spare: servers that vary something else in each chunk (a counter, padding) come here each time.
            _around = new byte[(prefix.Length + suffix.Length) * 2];
        }

        prefix.CopyTo(_around);
        suffix.CopyTo(_around.AsSpan(prefix.Length));
        (_prefixLength, _suffixLength, _textIsReasoning) = (prefix.Length, suffix.Length, isReasoning);
    }

    private static void ReadTop(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref ChatChunk chunk, scoped ref TopLevel top)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("choices"u8))
            {
                reader.Read();
                ReadChoices(ref reader, json, ref chunk);
            }
            else if (reader.Is("usage"u8))
            {
                var usage = ReadValue(ref reader, json, JsonTokenType.StartObject);
                chunk.Usage = usage.IsEmpty ? chunk.Usage : usage;
            }
            else if (reader.Is("timings"u8))
            {
                chunk.Timings = ReadValue(ref reader, json, JsonTokenType.StartObject);
            }
            else if (reader.Is("error"u8))
            {
                reader.Read();
                top.Error = reader.TokenType is JsonTokenType.StartObject or JsonTokenType.String;
                reader.Skip();
            }
            else if (reader.Is("object"u8))
            {
                reader.Read();
                top.ObjectIsError = reader.TokenType == JsonTokenType.String && reader.Is("error"u8);
                reader.Skip();
            }
            else if (reader.Is("message"u8) || reader.Is("detail"u8))
            {
                reader.Read();
                top.Message = reader.TokenType is JsonTokenType.String or JsonTokenType.StartArray;
                reader.Skip();
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    private static void ReadChoices(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref ChatChunk chunk)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return;
        }

        chunk.HasChoices = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                var choice = default(ChatChunk);
                if (ReadChoice(ref reader, json, ref choice) == 0)
                {
                    choice.HasChoices = true;
                    choice.Usage = choice.Usage.IsEmpty ? chunk.Usage : choice.Usage;
                    choice.Timings = chunk.Timings;
                    chunk = choice;
                }
            }
            else
            {
                reader.Skip();
            }
        }
    }

    /// <summary>Reads one choice and returns its index.</summary>
    private static int ReadChoice(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref ChatChunk choice)
    {
        var index = 0;
        var hasDelta = false;
        ReadOnlySpan<byte> message = default;
        ReadOnlySpan<byte> text = default;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("delta"u8))
            {
                reader.Read();
                hasDelta |= reader.TokenType == JsonTokenType.StartObject;
                ReadDelta(ref reader, json, ref choice);
            }
            else if (reader.Is("message"u8))
            {
                message = ReadValue(ref reader, json, JsonTokenType.StartObject);
            }
            else if (reader.Is("finish_reason"u8))
            {
                // Some servers send an empty one with every chunk: that is none.
                var reason = ReadValue(ref reader, json, JsonTokenType.String);
                choice.FinishReason = reason.Length > 2 ? reason : default;
            }
            else if (reader.Is("text"u8))
            {
                text = ReadValue(ref reader, json, JsonTokenType.String);
            }
            else if (reader.Is("logprobs"u8))
            {
                reader.Read();
                ReadLogprobs(ref reader, json, ref choice);
            }
            else if (reader.Is("usage"u8))
            {
                // Moonshot: https://github.com/northes/go-moonshot/issues/17
                choice.Usage = ReadValue(ref reader, json, JsonTokenType.StartObject);
            }
            else if (reader.Is("index"u8))
            {
                reader.Read();
                index = reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var i) ? i : 0;
                reader.Skip();
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        // Some servers send with each delta the whole message so far: text of it would come again and again.
        if (!hasDelta && !message.IsEmpty)
        {
            var inMessage = new Utf8JsonReader(message, Options);
            inMessage.Read();
            ReadDelta(ref inMessage, message, ref choice);
        }

        choice.Content = text.Length > 2 ? text : choice.Content;
        return index;
    }

    private static void ReadDelta(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref ChatChunk choice)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        // Two names for the same reasoning may stand side by side: the first of this order that is there counts.
        var reasoningRank = int.MaxValue;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("content"u8))
            {
                choice.Content = ReadValue(ref reader, json, JsonTokenType.String, JsonTokenType.StartArray);
            }
            else if (reader.Is("tool_calls"u8))
            {
                choice.ToolCalls = ReadFilled(ref reader, json, JsonTokenType.StartArray, JsonTokenType.StartObject);
            }
            else if (reader.Is("refusal"u8))
            {
                choice.Refusal = ReadValue(ref reader, json, JsonTokenType.String);
            }
            else if (reader.Is("function_call"u8))
            {
                choice.FunctionCall = ReadFilled(ref reader, json, JsonTokenType.StartObject);
            }
            else if (reader.Is("reasoning_details"u8))
            {
                choice.ReasoningDetails = ReadFilled(ref reader, json, JsonTokenType.StartArray);
            }
            else
            {
                var rank = ReasoningRank(ref reader);
                var value = ReadValue(ref reader, json, JsonTokenType.String);
                if (rank < reasoningRank && value.Length > 2)
                {
                    reasoningRank = rank;
                    choice.Reasoning = value;
                }
            }
        }
    }

    private static int ReasoningRank(scoped ref Utf8JsonReader reader)
    {
        return reader.Is("reasoning"u8) ? 0
            : reader.Is("reasoning_content"u8) ? 1
            : reader.Is("reasoning_text"u8) ? 2
            : reader.Is("thinking"u8) ? 3
            : int.MaxValue;
    }

    private static void ReadLogprobs(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref ChatChunk choice)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("content"u8))
            {
                choice.Logprobs = ReadValue(ref reader, json, JsonTokenType.StartArray);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    /// <summary>Likewise of an array or an object. An empty one is none: some servers send one with every chunk.</summary>
    private static ReadOnlySpan<byte> ReadFilled(
        scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, JsonTokenType type, JsonTokenType other = JsonTokenType.None)
    {
        var value = ReadValue(ref reader, json, type, other);
        return value.IsEmpty || value[1..^1].Trim(" \t\r\n"u8).IsEmpty ? default : value;
    }

    /// <summary>The raw JSON of the property's value when its type is one of those; empty otherwise.</summary>
    private static ReadOnlySpan<byte> ReadValue(
        scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, JsonTokenType type, JsonTokenType other = JsonTokenType.None)
    {
        reader.Read();
        var wanted = reader.TokenType == type || (other != JsonTokenType.None && reader.TokenType == other);
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return wanted ? json[start..(int)reader.BytesConsumed] : default;
    }

    /// <summary>What the top level says about errors.</summary>
    private struct TopLevel
    {
        public bool Error;
        public bool ObjectIsError;
        public bool Message;

        public readonly bool IsError(bool hasChoices) => Error || ObjectIsError || (Message && !hasChoices);
    }
}
