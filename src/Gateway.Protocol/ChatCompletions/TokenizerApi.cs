using System.Buffers;
using System.Text.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.ChatCompletions;

/// <summary>
/// The endpoints by which servers count the tokens of a prompt (upstream reference, section 12). They stand at the server's root, beside its
/// <c>/v1</c>, and take members of a Chat Completions request.
/// </summary>
public static class TokenizerApi
{
    /// <summary>Where llama.cpp counts the prompt that <c>/apply-template</c> made of the messages.</summary>
    public const string TextPath = "/tokenize";

    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The path below the server's root that takes messages.</summary>
    public static string PathOf(Tokenizer tokenizer) => tokenizer switch
    {
        Tokenizer.Llamacpp => "/apply-template",
        Tokenizer.Tgi => "/chat_tokenize",
        Tokenizer.Litellm => "/utils/token_counter",
        _ => "/tokenize",
    };

    /// <summary>
    /// The server's tokenizer sees everything that the prompt holds. None of them counts images, audio or files as the model does, and LiteLLM's
    /// is not given tools.
    /// </summary>
    /// <param name="tokenizer">The server's tokenizer.</param>
    /// <param name="chat">The Chat Completions request.</param>
    public static bool CanCount(Tokenizer tokenizer, ReadOnlyMemory<byte> chat) =>
        tokenizer != Tokenizer.None
        && (tokenizer != Tokenizer.Litellm || JsonView.Member(chat, "tools"u8).IsEmpty)
        && !PromptSize.HasOtherThanText(chat);

    /// <summary>Writes the request that is sent to <see cref="PathOf"/>.</summary>
    /// <param name="tokenizer">The server's tokenizer.</param>
    /// <param name="chat">The Chat Completions request whose prompt is to be counted.</param>
    /// <param name="output">Takes the JSON.</param>
    public static void Write(Tokenizer tokenizer, ReadOnlyMemory<byte> chat, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        using var writer = new Utf8JsonWriter(output, WriterOptions);
        writer.WriteStartObject();
        foreach (var member in JsonView.Members(chat))
        {
            if (IsOfPrompt(tokenizer, member))
            {
                writer.WritePropertyName(member.Name);
                writer.WriteRawValue(member.Value.Span, skipInputValidation: true);
            }
        }

        if (tokenizer == Tokenizer.Vllm)
        {
            writer.WriteBoolean("add_generation_prompt"u8, true);
        }

        writer.WriteEndObject();
    }

    /// <summary>Writes llama.cpp's second request, from the answer to the first. False when that answer holds no prompt.</summary>
    public static bool TryWriteText(ReadOnlyMemory<byte> answer, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (!TryReadPrompt(answer, out var prompt))
        {
            return false;
        }

        using var writer = new Utf8JsonWriter(output, WriterOptions);
        writer.WriteStartObject();
        writer.WritePropertyName("content"u8);
        writer.WriteRawValue(prompt.Span, skipInputValidation: true);

        // As its chat completions tokenize a prompt.
        writer.WriteBoolean("add_special"u8, true);
        writer.WriteBoolean("parse_special"u8, true);
        writer.WriteEndObject();
        return true;
    }

    /// <summary>Reads the count out of any of these servers' answers: its number, or else how many tokens are listed. Null when there is neither.</summary>
    public static TokenCount? Read(ReadOnlySpan<byte> answer)
    {
        int? count = null, listed = null, window = null;
        var reader = new Utf8JsonReader(answer, new JsonReaderOptions { MaxDepth = JsonView.MaxDepth });
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return null;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("count"u8) || reader.ValueTextEquals("total_tokens"u8))
                {
                    count = ReadNumber(ref reader) ?? count;
                }
                else if (reader.ValueTextEquals("max_model_len"u8))
                {
                    window = ReadNumber(ref reader) ?? window;
                }
                else if (reader.ValueTextEquals("tokens"u8) || reader.ValueTextEquals("tokenize_response"u8))
                {
                    listed = ReadLength(ref reader) ?? listed;
                }
                else
                {
                    reader.Read();
                    reader.Skip();
                }
            }
        }
        catch (JsonException)
        {
            return null;
        }

        return (count ?? listed) is { } tokens ? new TokenCount(tokens, window) : null;
    }

    /// <summary>What decides about the prompt; the rest decides about the answer.</summary>
    private static bool IsOfPrompt(Tokenizer tokenizer, JsonView.MemberView member)
    {
        if (member.Is("model"u8) || member.Is("messages"u8))
        {
            return true;
        }

        if (tokenizer == Tokenizer.Litellm)
        {
            return false;
        }

        return member.Is("tools"u8) || member.Is("chat_template_kwargs"u8) || member.Is("chat_template"u8) || member.Is("reasoning_effort"u8)
            || (tokenizer != Tokenizer.Vllm && member.Is("tool_choice"u8))
            || (tokenizer is Tokenizer.Llamacpp or Tokenizer.Tgi && member.Is("response_format"u8))
            || (tokenizer == Tokenizer.Llamacpp && (member.Is("parallel_tool_calls"u8) || member.Is("reasoning_format"u8)));
    }

    private static bool TryReadPrompt(ReadOnlyMemory<byte> answer, out ReadOnlyMemory<byte> prompt)
    {
        try
        {
            prompt = JsonView.Member(answer, "prompt"u8);
            return JsonView.IsString(prompt);
        }
        catch (JsonException)
        {
            prompt = default;
            return false;
        }
    }

    private static int? ReadNumber(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var number) && number >= 0)
        {
            return number;
        }

        reader.Skip();
        return null;
    }

    private static int? ReadLength(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return null;
        }

        var length = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            reader.Skip();
            length++;
        }

        return length;
    }
}
