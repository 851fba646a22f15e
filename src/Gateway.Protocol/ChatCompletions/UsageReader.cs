using System.Text.Json;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.ChatCompletions;

/// <summary>
/// Reads the usage that servers send under many names. Non-integers are floored and negatives count as 0. Several reports of one stream are
/// merged: the last one counts, and a detail that it lacks is kept from an earlier one.
/// </summary>
public sealed class UsageReader
{
    /// <summary>More than any server counts; sums of a few of them stay far from overflow.</summary>
    private const long MaxCount = 1L << 53;

    private long _input;
    private long _cached;
    private long _cacheWrite;
    private long _output;
    private long _reasoning;
    private long _total;

    /// <summary>A usage object with a count of input or output was read.</summary>
    public bool HasUsage { get; private set; }

    public Usage Usage => new(_input, Math.Min(_cached, _input), _cacheWrite, _output, _reasoning, Math.Max(_total, _input + _output));

    /// <summary>Reads a <c>usage</c> object of the Chat Completions or the Responses API.</summary>
    public void Read(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, ChatChunkReader.Options);
        reader.Read();
        _total = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("prompt_tokens"u8) || reader.Is("input_tokens"u8))
            {
                _input = ReadCount(ref reader);
                HasUsage = true;
            }
            else if (reader.Is("completion_tokens"u8) || reader.Is("output_tokens"u8))
            {
                _output = ReadCount(ref reader);
                HasUsage = true;
            }
            else if (reader.Is("total_tokens"u8))
            {
                _total = ReadCount(ref reader);
            }
            else if (reader.Is("prompt_cache_hit_tokens"u8) || reader.Is("cached_tokens"u8)
                || reader.Is("cache_read_input_tokens"u8))
            {
                _cached = Math.Max(_cached, ReadCount(ref reader));
            }
            else if (reader.Is("cache_creation_input_tokens"u8))
            {
                _cacheWrite = Math.Max(_cacheWrite, ReadCount(ref reader));
            }
            else if (reader.Is("reasoning_tokens"u8))
            {
                _reasoning = Math.Max(_reasoning, ReadCount(ref reader));
            }
            else if (reader.Is("prompt_tokens_details"u8) || reader.Is("input_tokens_details"u8)
                || reader.Is("completion_tokens_details"u8) || reader.Is("output_tokens_details"u8))
            {
                ReadDetails(ref reader);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    /// <summary>Reads llama.cpp's <c>timings</c>: <c>cache_n</c> are the cached tokens.</summary>
    public void ReadTimings(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, ChatChunkReader.Options);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("cache_n"u8))
            {
                _cached = Math.Max(_cached, ReadCount(ref reader));
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    private void ReadDetails(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.Is("cached_tokens"u8))
            {
                _cached = Math.Max(_cached, ReadCount(ref reader));
            }
            else if (reader.Is("reasoning_tokens"u8))
            {
                _reasoning = Math.Max(_reasoning, ReadCount(ref reader));
            }
            else if (reader.Is("cache_write_tokens"u8))
            {
                _cacheWrite = Math.Max(_cacheWrite, ReadCount(ref reader));
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    private static long ReadCount(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var value) && value is > 0 and <= MaxCount)
        {
            return (long)value;
        }

        reader.Skip();
        return 0;
    }
}
