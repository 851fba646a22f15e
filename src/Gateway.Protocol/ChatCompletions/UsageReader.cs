using System.Text.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.ChatCompletions;

/// <summary>
/// Reads the usage that servers send under many names. Non-integers are floored and negatives count as 0. Several reports of one stream are
/// merged: the last one counts, and a detail that it lacks is kept from an earlier one.
/// </summary>
public sealed class UsageReader
{
    private long _input;
    private long _cached;
    private long _cacheWrite;
    private long _output;
    private long _reasoning;
    private long _total;

    /// <summary>A usage object was read.</summary>
    public bool HasUsage { get; private set; }

    public Usage Usage => new(_input, Math.Min(_cached, _input), _cacheWrite, _output, _reasoning, Math.Max(_total, _input + _output));

    /// <summary>Reads a <c>usage</c> object of the Chat Completions or the Responses API.</summary>
    public void Read(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        HasUsage = true;
        _total = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("prompt_tokens"u8) || reader.ValueTextEquals("input_tokens"u8))
            {
                _input = ReadCount(ref reader);
            }
            else if (reader.ValueTextEquals("completion_tokens"u8) || reader.ValueTextEquals("output_tokens"u8))
            {
                _output = ReadCount(ref reader);
            }
            else if (reader.ValueTextEquals("total_tokens"u8))
            {
                _total = ReadCount(ref reader);
            }
            else if (reader.ValueTextEquals("prompt_cache_hit_tokens"u8) || reader.ValueTextEquals("cached_tokens"u8)
                || reader.ValueTextEquals("cache_read_input_tokens"u8))
            {
                _cached = Math.Max(_cached, ReadCount(ref reader));
            }
            else if (reader.ValueTextEquals("cache_creation_input_tokens"u8))
            {
                _cacheWrite = Math.Max(_cacheWrite, ReadCount(ref reader));
            }
            else if (reader.ValueTextEquals("reasoning_tokens"u8))
            {
                _reasoning = Math.Max(_reasoning, ReadCount(ref reader));
            }
            else if (reader.ValueTextEquals("prompt_tokens_details"u8) || reader.ValueTextEquals("input_tokens_details"u8)
                || reader.ValueTextEquals("completion_tokens_details"u8) || reader.ValueTextEquals("output_tokens_details"u8))
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
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("cache_n"u8))
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
            if (reader.ValueTextEquals("cached_tokens"u8))
            {
                _cached = Math.Max(_cached, ReadCount(ref reader));
            }
            else if (reader.ValueTextEquals("reasoning_tokens"u8))
            {
                _reasoning = Math.Max(_reasoning, ReadCount(ref reader));
            }
            else if (reader.ValueTextEquals("cache_write_tokens"u8))
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
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var value) && value is > 0 and < long.MaxValue)
        {
            return (long)value;
        }

        reader.Skip();
        return 0;
    }
}
