using System.Buffers;
using System.Text.Json;

namespace Gateway.Upstream.Demo;

/// <summary>Writes the demo's answers as a Chat Completions server would.</summary>
internal static class DemoRendering
{
    public static byte[] Models(long created) => Write(w =>
    {
        w.WriteStartObject();
        w.WriteString("object", "list");
        w.WriteStartArray("data");
        w.WriteStartObject();
        w.WriteString("id", UpstreamReader.DemoName);
        w.WriteString("object", "model");
        w.WriteNumber("created", created);
        w.WriteString("owned_by", "gateway");
        w.WriteEndObject();
        w.WriteEndArray();
        w.WriteEndObject();
    });

    public static byte[] Error(string message) => Write(w =>
    {
        w.WriteStartObject();
        w.WriteStartObject("error");
        w.WriteString("message", message);
        w.WriteString("type", "invalid_request_error");
        w.WriteNull("param");
        w.WriteNull("code");
        w.WriteEndObject();
        w.WriteEndObject();
    });

    public static byte[] Completion(DemoAnswer answer, string id, long created) => Write(w =>
    {
        Begin(w, "chat.completion", id, created);
        w.WriteStartArray("choices");
        w.WriteStartObject();
        w.WriteNumber("index", 0);
        w.WriteStartObject("message");
        w.WriteString("role", "assistant");
        if (answer.Tool is { } tool)
        {
            w.WriteNull("content");
            WriteCall(w, id, tool, answer.Arguments);
        }
        else
        {
            w.WriteString("content", string.Concat(answer.Words));
        }

        w.WriteEndObject();
        w.WriteString("finish_reason", answer.FinishReason);
        w.WriteEndObject();
        w.WriteEndArray();
        WriteUsage(w, answer);
        w.WriteEndObject();
    });

    public static byte[] Events(DemoAnswer answer, string id, long created)
    {
        var events = new ArrayBufferWriter<byte>();
        AddChunk(w => w.WriteString("role", "assistant"), null);
        if (answer.Tool is { } tool)
        {
            // As servers do: the name first, then the arguments in pieces.
            AddChunk(w => WriteCall(w, id, tool, ""), null);
            foreach (var piece in answer.Arguments.Chunk(8))
            {
                AddChunk(w => WriteArguments(w, new string(piece)), null);
            }
        }

        foreach (var word in answer.Words)
        {
            AddChunk(w => w.WriteString("content", word), null);
        }

        AddChunk(_ => { }, answer.FinishReason);
        if (answer.IncludeUsage)
        {
            Add(w =>
            {
                Begin(w, "chat.completion.chunk", id, created);
                w.WriteStartArray("choices");
                w.WriteEndArray();
                WriteUsage(w, answer);
                w.WriteEndObject();
            });
        }

        events.Write("data: [DONE]\n\n"u8);
        return events.WrittenSpan.ToArray();

        void AddChunk(Action<Utf8JsonWriter> writeDelta, string? finishReason) => Add(w =>
        {
            Begin(w, "chat.completion.chunk", id, created);
            w.WriteStartArray("choices");
            w.WriteStartObject();
            w.WriteNumber("index", 0);
            w.WriteStartObject("delta");
            writeDelta(w);
            w.WriteEndObject();
            w.WriteString("finish_reason", finishReason);
            w.WriteEndObject();
            w.WriteEndArray();
            w.WriteEndObject();
        });

        void Add(Action<Utf8JsonWriter> write)
        {
            events.Write("data: "u8);
            events.Write(Write(write));
            events.Write("\n\n"u8);
        }
    }

    private static void Begin(Utf8JsonWriter writer, string kind, string id, long created)
    {
        writer.WriteStartObject();
        writer.WriteString("id", id);
        writer.WriteString("object", kind);
        writer.WriteNumber("created", created);
        writer.WriteString("model", UpstreamReader.DemoName);
    }

    private static void WriteCall(Utf8JsonWriter writer, string id, string tool, string arguments)
    {
        writer.WriteStartArray("tool_calls");
        writer.WriteStartObject();
        writer.WriteNumber("index", 0);
        writer.WriteString("id", $"call_{id}");
        writer.WriteString("type", "function");
        writer.WriteStartObject("function");
        writer.WriteString("name", tool);
        writer.WriteString("arguments", arguments);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndArray();
    }

    private static void WriteArguments(Utf8JsonWriter writer, string piece)
    {
        writer.WriteStartArray("tool_calls");
        writer.WriteStartObject();
        writer.WriteNumber("index", 0);
        writer.WriteStartObject("function");
        writer.WriteString("arguments", piece);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndArray();
    }

    private static void WriteUsage(Utf8JsonWriter writer, DemoAnswer answer)
    {
        writer.WriteStartObject("usage");
        writer.WriteNumber("prompt_tokens", answer.PromptTokens);
        writer.WriteNumber("completion_tokens", answer.CompletionTokens);
        writer.WriteNumber("total_tokens", answer.PromptTokens + answer.CompletionTokens);
        writer.WriteEndObject();
    }

    private static byte[] Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            write(writer);
        }

        return buffer.WrittenSpan.ToArray();
    }
}
