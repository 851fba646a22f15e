using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>
/// Writes the Chat Completions request for a Responses request and its context. What is sent is the least that every server of the
/// profile's kind takes: members that were not asked for are left out.
/// </summary>
public static partial class ChatRequestWriter
{
    private const string TemplateArguments = "chat_template_kwargs";

    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
#if !DEBUG
        SkipValidation = true,
#endif
    };

    /// <summary>Writes the body. The same <paramref name="chat"/> always gives the same bytes.</summary>
    /// <returns>The error to answer with when something in the context can not be sent; nothing has been written then.</returns>
    public static ApiError? Write(ChatRequest chat, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(chat);
        ArgumentNullException.ThrowIfNull(output);
        var settings = ChatSettings.Of(chat);
        var assembler = new MessageAssembler(chat);
        if (assembler.Assemble(SystemSuffix(chat, settings), out var messages) is { } error)
        {
            return error;
        }

        using var writer = new Utf8JsonWriter(output, WriterOptions);
        var body = new BodyWriter(writer, chat.Profile);
        writer.WriteStartObject();
        writer.WriteString("model"u8, chat.Model);
        writer.WritePropertyName("messages"u8);
        WriteMessages(writer, messages, chat.Profile);
        WriteTools(body, chat, settings, assembler.HasCalls);
        WriteSampling(body, chat);
        WriteReasoningEffort(body, chat, settings);
        WriteFormat(body, chat, settings);
        WriteIdentity(body, chat);
        if (chat.Stream)
        {
            writer.WriteBoolean("stream"u8, true);
            if (chat.Profile.StreamOptions && body.Begin("stream_options"))
            {
                writer.WriteStartObject();
                writer.WriteBoolean("include_usage"u8, true);
                writer.WriteEndObject();
            }
        }

        WriteExtras(body, chat, settings);
        writer.WriteEndObject();
        writer.Flush();
        return null;
    }

    private static void WriteSampling(BodyWriter body, ChatRequest chat)
    {
        var request = chat.Request;
        if (chat.MaxOutputTokens is { } limit
            && body.Begin(chat.Profile.MaxTokensField == MaxTokensField.MaxTokens ? "max_tokens" : "max_completion_tokens"))
        {
            body.Writer.WriteNumberValue(limit);
        }

        WriteDecimal(body, "temperature", request.Temperature);
        WriteDecimal(body, "top_p", request.TopP);
        WriteDecimal(body, "presence_penalty", request.PresencePenalty);
        WriteDecimal(body, "frequency_penalty", request.FrequencyPenalty);
        var wantsTop = request.TopLogprobs > 0;
        if ((wantsTop || request.Include.HasFlag(Includes.Logprobs)) && body.Begin("logprobs"))
        {
            body.Writer.WriteBooleanValue(true);
        }

        if (wantsTop && body.Begin("top_logprobs"))
        {
            body.Writer.WriteNumberValue(request.TopLogprobs.GetValueOrDefault());
        }
    }

    private static void WriteDecimal(BodyWriter body, string name, double? value)
    {
        if (value is { } number && body.Begin(name))
        {
            body.Writer.WriteNumberValue(number);
        }
    }

    private static void WriteReasoningEffort(BodyWriter body, ChatRequest chat, ChatSettings settings)
    {
        if (chat.Profile.ReasoningEffort == ReasoningEffort.ReasoningEffort && settings.Effort is { } effort && body.Begin("reasoning_effort"))
        {
            body.Writer.WriteStringValue(NearestEffort(effort, chat.Profile.ReasoningEfforts));
        }

        if (chat.Profile.Verbosity == Forwarding.Forward && chat.Request.Verbosity is { } verbosity && body.Begin("verbosity"))
        {
            body.Writer.WriteStringValue(verbosity);
        }
    }

    /// <summary>The effort that the server knows and that is nearest to what was asked for; the lower one of two.</summary>
    private static string NearestEffort(string effort, IReadOnlyList<string> known)
    {
        var wanted = Array.IndexOf(SettingsParser.Efforts, effort);
        var best = effort;
        var bestDistance = int.MaxValue;
        foreach (var candidate in known)
        {
            var distance = Math.Abs(Array.IndexOf(SettingsParser.Efforts, candidate) - wanted);
            if (distance < bestDistance)
            {
                best = candidate;
                bestDistance = distance;
            }
        }

        return best;
    }

    private static void WriteIdentity(BodyWriter body, ChatRequest chat)
    {
        if (chat.Profile.Identity == Forwarding.Drop)
        {
            return;
        }

        WriteText(body, "user", chat.Request.User);
        WriteText(body, "safety_identifier", chat.Request.SafetyIdentifier);
        WriteText(body, "prompt_cache_key", chat.Request.PromptCacheKey);
    }

    private static void WriteText(BodyWriter body, string name, string? value)
    {
        if (value is not null && body.Begin(name))
        {
            body.Writer.WriteStringValue(value);
        }
    }

    /// <summary>The client's extra members, then the profile's, which win.</summary>
    private static void WriteExtras(BodyWriter body, ChatRequest chat, ChatSettings settings)
    {
        var profile = chat.Profile;
        ReadOnlyMemory<byte> clientArguments = default;
        if (profile.ExtraParameters == Forwarding.Forward)
        {
            foreach (var (name, value) in chat.Request.ExtraParameters)
            {
                if (name == TemplateArguments)
                {
                    clientArguments = value;
                }
                else if (body.Begin(name))
                {
                    body.Writer.WriteRawValue(value.Span, skipInputValidation: true);
                }
            }
        }

        WriteTemplateArguments(body, profile, clientArguments, settings.Effort);
        foreach (var (name, value) in profile.ExtraBody)
        {
            if (name != TemplateArguments && !profile.DropParams.Contains(name))
            {
                body.Writer.WritePropertyName(name);
                WriteNode(body.Writer, value);
            }
        }
    }

    /// <summary>
    /// The arguments of the chat template are one object from three sides: whether to think at all, the client's, and the profile's,
    /// each over the one before it.
    /// </summary>
    private static void WriteTemplateArguments(BodyWriter body, RouteProfile profile, ReadOnlyMemory<byte> client, string? effort)
    {
        var own = profile.ExtraBody[TemplateArguments] as JsonObject;
        var setsThinking = profile.ReasoningEffort == ReasoningEffort.EnableThinking && effort is not null;
        if ((own is null && !setsThinking && client.IsEmpty) || profile.DropParams.Contains(TemplateArguments))
        {
            return;
        }

        var merged = new JsonObject();
        if (setsThinking)
        {
            merged["enable_thinking"] = effort != "none";
        }

        foreach (var member in JsonView.Members(client))
        {
            merged[System.Text.Encoding.UTF8.GetString(JsonView.Unescape(member.Name.ToArray()).Span)] = JsonNode.Parse(member.Value.Span);
        }

        foreach (var (name, value) in own ?? [])
        {
            merged[name] = value?.DeepClone();
        }

        body.Writer.WritePropertyName(TemplateArguments);
        merged.WriteTo(body.Writer);
    }

    private static void WriteNode(Utf8JsonWriter writer, JsonNode? value)
    {
        if (value is null)
        {
            writer.WriteNullValue();
        }
        else
        {
            value.WriteTo(writer);
        }
    }

    /// <summary>Writes members of the body, unless the profile drops them or sets them itself.</summary>
    private readonly struct BodyWriter(Utf8JsonWriter writer, RouteProfile profile)
    {
        public Utf8JsonWriter Writer { get; } = writer;

        /// <summary>Writes the name of a member. False when it must not be sent, and then nothing is written.</summary>
        public bool Begin(string name)
        {
            if (profile.ExtraBody.ContainsKey(name) || profile.DropParams.Contains(name))
            {
                return false;
            }

            Writer.WritePropertyName(name);
            return true;
        }
    }
}
