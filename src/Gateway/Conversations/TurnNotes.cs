using System.Text.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>The notes of a turn as they are stored beside its items: JSON with a member for each kind of note that there is.</summary>
internal static class TurnNotes
{
    /// <summary>The notes of a new turn; empty when there is nothing to remember.</summary>
    public static ReadOnlyMemory<byte> Write(CallNotes notes)
    {
        if (notes.IsEmpty)
        {
            return default;
        }

        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            if (notes.UpstreamIds.Count > 0)
            {
                writer.WriteStartObject("call_ids"u8);
                foreach (var (id, upstreamId) in notes.UpstreamIds)
                {
                    writer.WriteString(id, upstreamId);
                }

                writer.WriteEndObject();
            }

            if (notes.Hidden.Count > 0)
            {
                writer.WriteStartObject("hidden"u8);
                foreach (var (id, hidden) in notes.Hidden)
                {
                    writer.WriteStartArray(id);
                    writer.WriteStringValue(hidden.Name);
                    writer.WriteStringValue(hidden.Arguments);
                    writer.WriteStringValue(hidden.Output);
                    writer.WriteEndArray();
                }

                writer.WriteEndObject();
            }

            WriteIds(writer, "round_starts"u8, notes.RoundStarts);
            WriteIds(writer, "abandoned"u8, notes.Abandoned);

            if (notes.Lists.Count > 0)
            {
                writer.WriteStartObject("lists"u8);
                foreach (var (id, filter) in notes.Lists)
                {
                    WriteFilter(writer, id, filter);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private static void WriteIds(Utf8JsonWriter writer, ReadOnlySpan<byte> kind, HashSet<string> ids)
    {
        if (ids.Count == 0)
        {
            return;
        }

        writer.WriteStartArray(kind);
        foreach (var id in ids)
        {
            writer.WriteStringValue(id);
        }

        writer.WriteEndArray();
    }

    private static void WriteFilter(Utf8JsonWriter writer, string id, McpToolFilter? filter)
    {
        writer.WriteStartObject(id);
        if (filter?.Names is { } names)
        {
            writer.WriteStartArray("names"u8);
            foreach (var name in names)
            {
                writer.WriteStringValue(name);
            }

            writer.WriteEndArray();
        }

        if (filter?.ReadOnly is { } readOnly)
        {
            writer.WriteBoolean("read_only"u8, readOnly);
        }

        writer.WriteEndObject();
    }

    private static McpToolFilter ReadFilter(JsonElement filter) => new(
        filter.TryGetProperty("names"u8, out var names) ? [.. names.EnumerateArray().Select(static name => name.GetString()!)] : null,
        filter.TryGetProperty("read_only"u8, out var readOnly) ? readOnly.GetBoolean() : null);

    /// <summary>The notes of a turn without those of one of its items. A kind that a newer version wrote is left as it is.</summary>
    public static ReadOnlyMemory<byte> Without(ReadOnlyMemory<byte> json, in Item item)
    {
        if (json.IsEmpty)
        {
            return json;
        }

        using var document = JsonDocument.Parse(json);
        string[] ids = [item.Id, item.CallId];
        var left = false;
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var kind in document.RootElement.EnumerateObject())
            {
                left |= WriteWithout(writer, kind, ids);
            }

            writer.WriteEndObject();
        }

        return left ? buffer.ToArray() : default;
    }

    /// <summary>Writes a kind of notes without those of some ids. False when none is left, and nothing was written.</summary>
    private static bool WriteWithout(Utf8JsonWriter writer, JsonProperty kind, string[] ids)
    {
        switch (kind.Name)
        {
            case "call_ids" or "hidden" or "lists":
                var notes = kind.Value.EnumerateObject().Where(note => !ids.Contains(note.Name)).ToList();
                if (notes.Count > 0)
                {
                    writer.WriteStartObject(kind.Name);
                    notes.ForEach(note => note.WriteTo(writer));
                    writer.WriteEndObject();
                }

                return notes.Count > 0;
            case "round_starts" or "abandoned":
                var noted = kind.Value.EnumerateArray().Where(id => !ids.Contains(id.GetString())).ToList();
                if (noted.Count > 0)
                {
                    writer.WriteStartArray(kind.Name);
                    noted.ForEach(id => id.WriteTo(writer));
                    writer.WriteEndArray();
                }

                return noted.Count > 0;
            default:
                kind.WriteTo(writer);
                return true;
        }
    }

    /// <summary>The notes of a whole history.</summary>
    public static CallNotes Read(IReadOnlyList<Turn> turns)
    {
        var notes = new CallNotes();
        foreach (var turn in turns)
        {
            if (!turn.Private.IsEmpty)
            {
                Read(turn.Private, notes);
            }
        }

        return notes;
    }

    private static void Read(ReadOnlyMemory<byte> json, CallNotes notes)
    {
        using var document = JsonDocument.Parse(json);
        foreach (var kind in document.RootElement.EnumerateObject())
        {
            // A kind that a newer version wrote is left alone.
            switch (kind.Name)
            {
                case "call_ids":
                    foreach (var id in kind.Value.EnumerateObject())
                    {
                        notes.Add(id.Name, id.Value.GetString());
                    }

                    break;
                case "hidden":
                    foreach (var id in kind.Value.EnumerateObject())
                    {
                        notes.Add(id.Name, null, new HiddenCall(id.Value[0].GetString()!, id.Value[1].GetString()!, id.Value[2].GetString()!));
                    }

                    break;
                case "lists":
                    foreach (var id in kind.Value.EnumerateObject())
                    {
                        notes.Lists[id.Name] = ReadFilter(id.Value);
                    }

                    break;
                case "round_starts":
                    notes.RoundStarts.UnionWith(kind.Value.EnumerateArray().Select(static id => id.GetString()!));
                    break;
                case "abandoned":
                    notes.Abandoned.UnionWith(kind.Value.EnumerateArray().Select(static id => id.GetString()!));
                    break;
            }
        }
    }
}
