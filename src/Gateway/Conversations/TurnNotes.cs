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

            if (notes.RoundStarts.Count > 0)
            {
                writer.WriteStartArray("round_starts"u8);
                foreach (var id in notes.RoundStarts)
                {
                    writer.WriteStringValue(id);
                }

                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    /// <summary>The notes of a turn without those of one of its items.</summary>
    public static ReadOnlyMemory<byte> Without(ReadOnlyMemory<byte> json, in Item item)
    {
        if (json.IsEmpty)
        {
            return json;
        }

        var notes = new CallNotes();
        Read(json, notes);
        foreach (var id in (string[])[item.Id, item.CallId])
        {
            notes.UpstreamIds.Remove(id);
            notes.Hidden.Remove(id);
            notes.RoundStarts.Remove(id);
        }

        return Write(notes);
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
                case "round_starts":
                    notes.RoundStarts.UnionWith(kind.Value.EnumerateArray().Select(static id => id.GetString()!));
                    break;
            }
        }
    }
}
