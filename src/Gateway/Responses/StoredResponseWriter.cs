using System.Text.Json;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Responses;

/// <summary>Renders a stored response in a client's dialect: the same object as it was told at first.</summary>
internal static class StoredResponseWriter
{
    public static void Write(StoredResponse response, Dialect dialect, PooledBuffer output)
    {
        var envelope = response.Record.Envelope.Span;
        output.Append(envelope[..response.Record.OutputOffset]);
        var first = !dialect.InputMessagesInOutput || ResponseEnvelope.WriteItems(UserMessages(response.Turn), output, first: true);
        dialect.WriteOutput(Turn.Kept(response.Turn.Output), output, first);
        var rest = envelope[response.Record.OutputOffset..];
        if (dialect != Dialect.OpenAi && FindUsage(rest) is { Length: > 0 } usage)
        {
            output.Append(rest[..usage.Start]);
            var reader = new UsageReader();
            reader.Read(rest.Slice(usage.Start, usage.Length));
            dialect.WriteUsage(reader.Usage, output);
            rest = rest[(usage.Start + usage.Length)..];
        }

        output.Append(rest);
    }

    /// <summary>The response was made in the background.</summary>
    public static bool IsBackground(StoredResponse response)
    {
        using var envelope = JsonDocument.Parse(response.Record.Envelope, new JsonDocumentOptions { MaxDepth = 1024 });
        return envelope.RootElement.TryGetProperty("background"u8, out var background) && background.ValueKind == JsonValueKind.True;
    }

    private static List<ReadOnlyMemory<byte>> UserMessages(Turn turn) => [.. Turn.Kept(turn.Input).Where(json =>
    {
        var item = ItemTable.View(json);
        return item.Kind == ItemKind.Message && ItemTable.RoleIs(item, "user"u8);
    })];

    /// <summary>Where the usage object stands behind the output; length 0 when it is null. The envelope writes it right there.</summary>
    private static Item.Slice FindUsage(ReadOnlySpan<byte> rest)
    {
        ReadOnlySpan<byte> before = "],\"usage\":"u8;
        if (!rest.StartsWith(before) || rest[before.Length] != '{')
        {
            return default;
        }

        var reader = new Utf8JsonReader(rest[before.Length..]);
        reader.Read();
        reader.Skip();
        return new Item.Slice(before.Length, (int)reader.BytesConsumed);
    }
}
