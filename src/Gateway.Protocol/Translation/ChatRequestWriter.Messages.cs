using System.Buffers;
using System.Text.Json;

namespace Gateway.Protocol.Translation;

public static partial class ChatRequestWriter
{
    private static readonly string[] RoleNames = ["system", "developer", "user", "assistant", "tool"];

    private static void WriteMessages(Utf8JsonWriter writer, List<Message> messages, RouteProfile profile)
    {
        // Joined texts are put together here before they are written as one string.
        var scratch = new ArrayBufferWriter<byte>(1024);
        writer.WriteStartArray();
        foreach (var message in messages)
        {
            writer.WriteStartObject();
            writer.WriteString("role"u8, RoleNames[(int)message.Role]);
            if (message.Role == MessageRole.Tool)
            {
                writer.WriteString("tool_call_id"u8, message.ToolCallId);
            }

            WriteContent(writer, message, profile, scratch);
            WriteReasoning(writer, message, profile, scratch);
            WriteCalls(writer, message);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteContent(Utf8JsonWriter writer, Message message, RouteProfile profile, ArrayBufferWriter<byte> scratch)
    {
        var thinks = profile.ReasoningIn == ReasoningIn.ThinkTags && message.Reasoning is not null && profile.ReasoningTags.Count >= 2;
        if (message.Role == MessageRole.Assistant && !message.HasContent && !thinks)
        {
            switch (profile.EmptyAssistantContent)
            {
                case EmptyAssistantContent.Null:
                    writer.WriteNull("content"u8);
                    break;
                case EmptyAssistantContent.Empty:
                    writer.WriteString("content"u8, ""u8);
                    break;
            }

            return;
        }

        writer.WritePropertyName("content"u8);
        if (!message.IsTextOnly || (message.Role == MessageRole.Tool && profile.ToolContent == ToolContent.Parts && message.HasContent))
        {
            WriteParts(writer, message.Content);
            return;
        }

        scratch.ResetWrittenCount();
        scratch.Write("\""u8);
        if (thinks)
        {
            scratch.Write(MessageContent.Escape(profile.ReasoningTags[0]).Span);
            Join(scratch, message.Reasoning ?? []);
            scratch.Write(MessageContent.Escape(profile.ReasoningTags[1]).Span);
            scratch.Write(message.HasContent ? MessageContent.LineBreak.Span : []);
        }

        Join(scratch, message.Content);
        scratch.Write("\""u8);
        writer.WriteRawValue(scratch.WrittenSpan, skipInputValidation: true);
    }

    private static void WriteReasoning(Utf8JsonWriter writer, Message message, RouteProfile profile, ArrayBufferWriter<byte> scratch)
    {
        if (message.Reasoning is null || profile.ReasoningIn is not (ReasoningIn.Reasoning or ReasoningIn.ReasoningContent))
        {
            return;
        }

        writer.WritePropertyName(profile.ReasoningIn == ReasoningIn.Reasoning ? "reasoning"u8 : "reasoning_content"u8);
        scratch.ResetWrittenCount();
        scratch.Write("\""u8);
        Join(scratch, message.Reasoning);
        scratch.Write("\""u8);
        writer.WriteRawValue(scratch.WrittenSpan, skipInputValidation: true);
    }

    private static void Join(ArrayBufferWriter<byte> output, List<MessagePart> texts)
    {
        foreach (var part in texts)
        {
            output.Write(part.Value.Span);
        }
    }

    private static void WriteCalls(Utf8JsonWriter writer, Message message)
    {
        if (message.Calls is null)
        {
            return;
        }

        writer.WriteStartArray("tool_calls"u8);
        foreach (var call in message.Calls)
        {
            writer.WriteStartObject();
            writer.WriteString("id"u8, call.Id);
            writer.WriteString("type"u8, "function"u8);
            writer.WriteStartObject("function"u8);
            WriteEscaped(writer, "name"u8, call.Name);
            WriteEscaped(writer, "arguments"u8, call.Arguments);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteParts(Utf8JsonWriter writer, List<MessagePart> parts)
    {
        writer.WriteStartArray();
        foreach (var part in parts)
        {
            if (part.Kind == MessagePartKind.Separator)
            {
                continue;
            }

            writer.WriteStartObject();
            WritePart(writer, part);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WritePart(Utf8JsonWriter writer, MessagePart part)
    {
        switch (part.Kind)
        {
            case MessagePartKind.Image:
                writer.WriteString("type"u8, "image_url"u8);
                writer.WriteStartObject("image_url"u8);
                WriteEscaped(writer, "url"u8, part.Value);
                if (part.Extra.Length > 0)
                {
                    WriteEscaped(writer, "detail"u8, part.Extra);
                }

                writer.WriteEndObject();
                break;
            case MessagePartKind.File:
                writer.WriteString("type"u8, "file"u8);
                writer.WriteStartObject("file"u8);
                if (part.Extra.Length > 0)
                {
                    WriteEscaped(writer, "filename"u8, part.Extra);
                }

                WriteEscaped(writer, "file_data"u8, part.Value);
                writer.WriteEndObject();
                break;
            case MessagePartKind.Audio:
                writer.WriteString("type"u8, "input_audio"u8);
                writer.WritePropertyName("input_audio"u8);
                writer.WriteRawValue(part.Value.Span, skipInputValidation: true);
                break;
            case MessagePartKind.Video:
                writer.WriteString("type"u8, "video_url"u8);
                writer.WriteStartObject("video_url"u8);
                WriteEscaped(writer, "url"u8, part.Value);
                writer.WriteEndObject();
                break;
            default:
                writer.WriteString("type"u8, "text"u8);
                WriteEscaped(writer, "text"u8, part.Value);
                break;
        }
    }

    /// <summary>Writes text that is escaped already, as it stands in the item it comes from.</summary>
    private static void WriteEscaped(Utf8JsonWriter writer, ReadOnlySpan<byte> name, ReadOnlyMemory<byte> escaped)
    {
        var quoted = ArrayPool<byte>.Shared.Rent(escaped.Length + 2);
        quoted[0] = (byte)'"';
        escaped.Span.CopyTo(quoted.AsSpan(1));
        quoted[escaped.Length + 1] = (byte)'"';
        writer.WritePropertyName(name);
        writer.WriteRawValue(quoted.AsSpan(0, escaped.Length + 2), skipInputValidation: true);
        ArrayPool<byte>.Shared.Return(quoted);
    }
}
