using System.Text.Json;
using Gateway.Protocol.Translation;
using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>
/// What the gateway must remember about a turn and no client sees: the upstream's own ids of tool calls, which some models want back to the
/// letter (chat-completions ids such as <c>functions.get_weather:0</c>).
/// </summary>
internal static class TurnNotes
{
    /// <summary>The notes of a new turn; empty when there is nothing to remember.</summary>
    public static ReadOnlyMemory<byte> Write(IReadOnlyList<RoundCall> calls)
    {
        if (!calls.Any(DiffersUpstream))
        {
            return default;
        }

        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("call_ids"u8);
            foreach (var call in calls.Where(DiffersUpstream))
            {
                writer.WriteString(call.CallId, call.UpstreamId);
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    /// <summary>The upstream's call ids of a whole chain, by the ids the client knows; null when there are none.</summary>
    public static IReadOnlyDictionary<string, string>? ReadCallIds(Chain? chain)
    {
        Dictionary<string, string>? ids = null;
        foreach (var turn in chain?.Turns ?? [])
        {
            if (turn.Private.IsEmpty)
            {
                continue;
            }

            using var notes = JsonDocument.Parse(turn.Private);
            if (notes.RootElement.TryGetProperty("call_ids", out var callIds))
            {
                ids ??= new Dictionary<string, string>(StringComparer.Ordinal);
                foreach (var callId in callIds.EnumerateObject())
                {
                    ids[callId.Name] = callId.Value.GetString()!;
                }
            }
        }

        return ids;
    }

    private static bool DiffersUpstream(RoundCall call) => call.UpstreamId is not null && call.UpstreamId != call.CallId;
}
