using System.Text;
using System.Text.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Tools;

namespace Gateway.Runs;

/// <summary>
/// The entries of a run's journal as they are stored: one JSON object each, its kind in <c>k</c>. A kind or member that a newer version wrote is
/// left alone.
/// </summary>
internal static class JournalEntry
{
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 1024 };

    public static ReadOnlyMemory<byte> List(string serverLabel, ReadOnlyMemory<byte> item) => Write("list", writer =>
    {
        writer.WriteString("label"u8, serverLabel);
        WriteRaw(writer, "item"u8, item);
    });

    public static ReadOnlyMemory<byte> Started(string call) => Write("start", writer => writer.WriteString("call"u8, call));

    public static ReadOnlyMemory<byte> Ended(string call, ServerCallResult result) => Write("end", writer =>
    {
        writer.WriteString("call"u8, call);
        writer.WriteString("end"u8, result.End.ToString());
        writer.WriteString("text"u8, result.Text);
        writer.WriteString("members"u8, result.Members.Span);
    });

    public static ReadOnlyMemory<byte> Round(RoundRecord round) => Write("round", writer =>
    {
        WriteItems(writer, "abandoned"u8, round.Abandoned);
        WriteItems(writer, "items"u8, round.Items);
        writer.WriteString("end"u8, round.Outcome.End.ToString());
        writer.WriteStartArray("calls"u8);
        foreach (var call in round.Outcome.Calls)
        {
            WriteCall(writer, call);
        }

        writer.WriteEndArray();
        if (round.Spent is { } spent)
        {
            writer.WriteStartArray("spent"u8);
            writer.WriteNumberValue(spent.InputTokens);
            writer.WriteNumberValue(spent.CachedTokens);
            writer.WriteNumberValue(spent.CacheWriteTokens);
            writer.WriteNumberValue(spent.OutputTokens);
            writer.WriteNumberValue(spent.ReasoningTokens);
            writer.WriteNumberValue(spent.TotalTokens);
            writer.WriteEndArray();
        }
    });

    /// <summary>Opens an entry. Its kind and members are read while it is not disposed.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static JsonDocument Open(ReadOnlyMemory<byte> entry)
    {
        try
        {
            return JsonDocument.Parse(entry, Options);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("A stored journal is damaged.", e);
        }
    }

    public static string KindOf(JsonElement entry) => entry.GetProperty("k"u8).GetString()!;

    public static string CallOf(JsonElement entry) => entry.GetProperty("call"u8).GetString()!;

    public static (string Label, ReadOnlyMemory<byte> Item) ReadList(JsonElement entry) =>
        (entry.GetProperty("label"u8).GetString()!, RawOf(entry.GetProperty("item"u8)));

    public static ServerCallResult ReadEnd(JsonElement entry) => new(
        Enum.Parse<ServerCallEnd>(entry.GetProperty("end"u8).GetString()!),
        entry.GetProperty("text"u8).GetString()!,
        Encoding.UTF8.GetBytes(entry.GetProperty("members"u8).GetString()!));

    public static RoundRecord ReadRound(JsonElement entry, IReadOnlyList<Tool> tools)
    {
        var calls = entry.GetProperty("calls"u8).EnumerateArray().Select(call => ReadCall(call, tools)).ToList();
        var spent = entry.TryGetProperty("spent"u8, out var counts) ? ReadUsage(counts) : (Usage?)null;
        var outcome = new RoundOutcome(Enum.Parse<RoundEnd>(entry.GetProperty("end"u8).GetString()!), null, calls, spent, 0);
        return new RoundRecord(ReadItems(entry.GetProperty("abandoned"u8)), ReadItems(entry.GetProperty("items"u8)), outcome, spent);
    }

    private static void WriteCall(Utf8JsonWriter writer, RoundCall call)
    {
        writer.WriteStartObject();
        if (call.Tool is { } tool)
        {
            writer.WriteString("tool"u8, tool.UpstreamName);
        }

        writer.WriteString("id"u8, call.CallId);
        if (call.UpstreamId is { } upstreamId)
        {
            writer.WriteString("upstream_id"u8, upstreamId);
        }

        if (call.Deferred is { } deferred)
        {
            writer.WriteString("name"u8, deferred.Name);
            writer.WriteString("arguments"u8, deferred.Arguments);
            writer.WriteBoolean("cut"u8, deferred.IsCut);
        }

        writer.WriteEndObject();
    }

    private static RoundCall ReadCall(JsonElement call, IReadOnlyList<Tool> tools)
    {
        var tool = call.TryGetProperty("tool"u8, out var name) ? tools.FirstOrDefault(candidate => candidate.UpstreamName == name.GetString()) : null;
        return new RoundCall(
            tool, call.GetProperty("id"u8).GetString()!, call.TryGetProperty("upstream_id"u8, out var upstreamId) ? upstreamId.GetString() : null)
        {
            Deferred = call.TryGetProperty("arguments"u8, out var arguments)
                ? new DeferredCall(call.GetProperty("name"u8).GetString()!, arguments.GetString()!, call.GetProperty("cut"u8).GetBoolean())
                : null,
        };
    }

    private static Usage ReadUsage(JsonElement counts) => new(
        counts[0].GetInt64(), counts[1].GetInt64(), counts[2].GetInt64(), counts[3].GetInt64(), counts[4].GetInt64(), counts[5].GetInt64());

    private static List<ReadOnlyMemory<byte>> ReadItems(JsonElement items) => [.. items.EnumerateArray().Select(RawOf)];

    private static ReadOnlyMemory<byte> RawOf(JsonElement element) => Encoding.UTF8.GetBytes(element.GetRawText());

    private static void WriteItems(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyList<ReadOnlyMemory<byte>> items)
    {
        writer.WriteStartArray(name);
        foreach (var item in items)
        {
            writer.WriteRawValue(item.Span, skipInputValidation: true);
        }

        writer.WriteEndArray();
    }

    private static void WriteRaw(Utf8JsonWriter writer, ReadOnlySpan<byte> name, ReadOnlyMemory<byte> json)
    {
        writer.WritePropertyName(name);
        writer.WriteRawValue(json.Span, skipInputValidation: true);
    }

    private static ReadOnlyMemory<byte> Write(string kind, Action<Utf8JsonWriter> members)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { MaxDepth = 1024 }))
        {
            writer.WriteStartObject();
            writer.WriteString("k"u8, kind);
            members(writer);
            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }
}
