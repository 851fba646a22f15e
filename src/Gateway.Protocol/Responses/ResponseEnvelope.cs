using System.Text.Encodings.Web;
using System.Text.Json;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Responses;

/// <summary>
/// Renders the response object (Responses API reference, "The response object"): every key in every snapshot. What the request decides is
/// rendered once; what changes during the response's life is written around it.
/// </summary>
public sealed class ResponseEnvelope : IDisposable
{
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
    private readonly PooledBuffer _echo = new(2048);
    private readonly Dialect _dialect;

    /// <param name="dialect">The client's dialect.</param>
    /// <param name="id">The response's id.</param>
    /// <param name="createdAt">Unix seconds.</param>
    /// <param name="model">The model by the client's name.</param>
    /// <param name="request">The request that is echoed.</param>
    /// <param name="store">Whether the response is stored in fact: policy may say no where the request says yes.</param>
    /// <param name="maxToolCalls">The limit in force, or null.</param>
    public ResponseEnvelope(Dialect dialect, string id, long createdAt, string model, ResponsesRequest request, bool store, int? maxToolCalls)
    {
        _dialect = dialect;
        Id = id;
        CreatedAt = createdAt;
        IsStored = store;
        using var writer = new Utf8JsonWriter(_echo, WriterOptions);
        writer.WriteStartObject();
        WriteEcho(writer, model, request, store, maxToolCalls);
        writer.WriteEndObject();
    }

    /// <summary>The client's dialect.</summary>
    public Dialect Dialect => _dialect;

    public string Id { get; }

    public long CreatedAt { get; }

    public bool IsStored { get; }

    /// <summary>Appends the object as events show it.</summary>
    public void Write(ResponseState state, PooledBuffer output)
    {
        WriteHead(state, output, _dialect, Id);
        _dialect.WriteOutput(state.Output, output, first: true);
        WriteTail(state, output, _dialect);
    }

    /// <summary>
    /// Appends the object as a JSON body shows it: with the dialect's rule for ids, and with the request's user messages (in stored form) at
    /// the start of the output where the dialect wants them.
    /// </summary>
    public void WriteBody(ResponseState state, IReadOnlyList<ReadOnlyMemory<byte>> inputMessages, PooledBuffer output)
    {
        WriteHead(state, output, _dialect, _dialect.NullIdWhenNotStored && !IsStored ? null : Id);
        var first = true;
        if (_dialect.InputMessagesInOutput)
        {
            first = WriteItems(inputMessages, output, first);
        }

        _dialect.WriteOutput(state.Output, output, first);
        WriteTail(state, output, _dialect);
    }

    /// <summary>
    /// Appends the object as it is stored: in the openai dialect, with an empty <c>output</c>. Returns where in what was appended the items belong.
    /// </summary>
    public int WriteForStore(ResponseState state, PooledBuffer output)
    {
        var start = output.Length;
        WriteHead(state, output, Dialect.OpenAi, Id);
        var offset = output.Length - start;
        WriteTail(state, output, Dialect.OpenAi);
        return offset;
    }

    public void Dispose() => _echo.Dispose();

    /// <summary>Appends items with commas between them. Returns whether a further item would be the first.</summary>
    public static bool WriteItems(IReadOnlyList<ReadOnlyMemory<byte>> items, PooledBuffer output, bool first)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (!first)
            {
                output.Append((byte)',');
            }

            output.Append(items[i].Span);
            first = false;
        }

        return first;
    }

    private void WriteHead(ResponseState state, PooledBuffer output, Dialect dialect, string? id)
    {
        output.Append("{\"id\":"u8);
        output.AppendString(id);
        output.Append(",\"object\":\"response\",\"created_at\":"u8);
        output.Append(CreatedAt);
        output.Append(",\"status\":\""u8);
        output.Append(state.StatusText);
        output.Append("\",\"completed_at\":"u8);
        if (state.CompletedAt is { } completedAt)
        {
            output.Append(completedAt);
        }
        else
        {
            output.Append("null"u8);
        }

        output.Append(",\"error\":"u8);
        if (state.Error is { } error)
        {
            Dialect.WriteError(dialect.Translate(error), output);
        }
        else
        {
            output.Append("null"u8);
        }

        output.Append(",\"incomplete_details\":"u8);
        if (state.IncompleteReason is { } reason)
        {
            output.Append("{\"reason\":"u8);
            output.AppendString(reason);
            output.Append((byte)'}');
        }
        else
        {
            output.Append("null"u8);
        }

        output.Append(",\"output\":["u8);
    }

    private void WriteTail(ResponseState state, PooledBuffer output, Dialect dialect)
    {
        output.Append("],\"usage\":"u8);
        if (state.Usage is { } usage)
        {
            dialect.WriteUsage(usage, output);
        }
        else
        {
            output.Append("null"u8);
        }

        output.Append((byte)',');
        output.Append(_echo.WrittenSpan[1..]);
    }

    private static void WriteEcho(Utf8JsonWriter writer, string model, ResponsesRequest request, bool store, int? maxToolCalls)
    {
        writer.WriteBoolean("background"u8, request.Background);
        WriteText(writer, "instructions"u8, request.Instructions);
        WriteNumber(writer, "max_output_tokens"u8, request.MaxOutputTokens);
        WriteNumber(writer, "max_tool_calls"u8, maxToolCalls);
        writer.WriteString("model"u8, model);
        writer.WriteBoolean("parallel_tool_calls"u8, request.ParallelToolCalls ?? true);
        WriteText(writer, "previous_response_id"u8, request.PreviousResponseId);
        WriteReasoning(writer, request);
        WriteText(writer, "safety_identifier"u8, request.SafetyIdentifier);
        WriteText(writer, "prompt_cache_key"u8, request.PromptCacheKey);
        if (request.PromptCacheRetention is { } retention)
        {
            writer.WriteString("prompt_cache_retention"u8, retention);
        }

        // The tier really used: a self-hosted server has one.
        writer.WriteString("service_tier"u8, "default"u8);
        writer.WriteBoolean("store"u8, store);
        writer.WriteNumber("temperature"u8, request.Temperature ?? 1);
        writer.WriteNumber("top_p"u8, request.TopP ?? 1);
        writer.WriteNumber("presence_penalty"u8, request.PresencePenalty ?? 0);
        writer.WriteNumber("frequency_penalty"u8, request.FrequencyPenalty ?? 0);
        writer.WriteNumber("top_logprobs"u8, request.TopLogprobs ?? 0);
        WriteTextFormat(writer, request);
        WriteRaw(writer, "tool_choice"u8, request.ToolChoiceJson, "\"auto\""u8);
        WriteRaw(writer, "tools"u8, request.ToolsJson, "[]"u8);
        writer.WriteString("truncation"u8, request.TruncationAuto ? "auto"u8 : "disabled"u8);
        WriteText(writer, "user"u8, request.User);
        WriteRaw(writer, "metadata"u8, request.Metadata, "{}"u8);
        if (request.ConversationId is { } conversation)
        {
            writer.WriteStartObject("conversation"u8);
            writer.WriteString("id"u8, conversation);
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteNull("conversation"u8);
        }
    }

    private static void WriteReasoning(Utf8JsonWriter writer, ResponsesRequest request)
    {
        writer.WriteStartObject("reasoning"u8);
        WriteText(writer, "effort"u8, request.ReasoningEffort);
        WriteText(writer, "summary"u8, request.ReasoningSummary);
        if (request.ReasoningContext is { } context)
        {
            writer.WriteString("context"u8, context);
        }

        if (request.ReasoningMode is { } mode)
        {
            writer.WriteString("mode"u8, mode);
        }

        writer.WriteEndObject();
    }

    private static void WriteTextFormat(Utf8JsonWriter writer, ResponsesRequest request)
    {
        writer.WriteStartObject("text"u8);
        var format = request.TextFormat;
        writer.WriteStartObject("format"u8);
        switch (format.Kind)
        {
            case TextFormatKind.JsonSchema:
                writer.WriteString("type"u8, "json_schema"u8);
                WriteText(writer, "name"u8, format.Name);
                WriteText(writer, "description"u8, format.Description);
                WriteRaw(writer, "schema"u8, format.Schema, "{}"u8);
                writer.WriteBoolean("strict"u8, format.Strict ?? true);
                break;
            case TextFormatKind.JsonObject:
                writer.WriteString("type"u8, "json_object"u8);
                break;
            default:
                writer.WriteString("type"u8, "text"u8);
                break;
        }

        writer.WriteEndObject();
        writer.WriteString("verbosity"u8, request.Verbosity ?? "medium");
        writer.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter writer, ReadOnlySpan<byte> name, string? value)
    {
        if (value is null)
        {
            writer.WriteNull(name);
        }
        else
        {
            writer.WriteString(name, value);
        }
    }

    private static void WriteNumber(Utf8JsonWriter writer, ReadOnlySpan<byte> name, int? value)
    {
        if (value is { } number)
        {
            writer.WriteNumber(name, number);
        }
        else
        {
            writer.WriteNull(name);
        }
    }

    private static void WriteRaw(Utf8JsonWriter writer, ReadOnlySpan<byte> name, ReadOnlyMemory<byte> raw, ReadOnlySpan<byte> absent)
    {
        writer.WritePropertyName(name);
        writer.WriteRawValue(raw.IsEmpty ? absent : raw.Span, skipInputValidation: true);
    }
}
