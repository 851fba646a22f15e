using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gateway.Protocol.Responses;

public static partial class ItemTable
{
    /// <summary>
    /// Views an item that was checked before, such as one of the chain: finds its kind, id and call id and stops reading as soon as it has
    /// them. Items written by <see cref="WriteWithId"/> have them in front.
    /// </summary>
    public static Item View(ReadOnlyMemory<byte> json)
    {
        ItemRow? row = null;
        var hasRole = false;
        Item.Slice id = default;
        Item.Slice callId = default;
        var start = json.Span;
        foreach (var member in JsonView.Members(json))
        {
            if (member.Is("type"u8))
            {
                // A newer version may have stored a type that this one does not know: that is no reference because it has an id.
                row = FindRow(member.Value) ?? (JsonView.IsString(member.Value) ? Row(ItemKind.Unknown) : null);
            }
            else if (member.Is("id"u8))
            {
                id = SliceOf(start, member.Value);
            }
            else if (member.Is("call_id"u8))
            {
                callId = SliceOf(start, member.Value);
            }
            else
            {
                hasRole |= member.Is("role"u8);
            }

            if (row is not null && id.Length > 0 && (callId.Length > 0 || !row.HasCallId))
            {
                break;
            }
        }

        row ??= Row(hasRole ? ItemKind.Message : id.Length > 0 ? ItemKind.ItemReference : ItemKind.Unknown);
        return Make(json, row, id, callId);
    }

    /// <summary>The user message that a string <c>input</c> stands for.</summary>
    public static Item UserMessage(string text) =>
        UserMessage(JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes);

    /// <summary>
    /// Writes the item as it is stored and listed: with an id, a type and, for messages, content as parts and a status. What the item has
    /// already stays as it is, its own id too unless <paramref name="keepId"/> is false.
    /// </summary>
    /// <param name="item">A checked item.</param>
    /// <param name="id">The id for an item that has none; plain ASCII without characters that JSON escapes.</param>
    /// <param name="output">Takes the JSON.</param>
    /// <param name="keepId">The item's own id, if any, goes before <paramref name="id"/>.</param>
    /// <param name="newIds">
    /// New ids of approval requests by their old ones: an <c>approval_request_id</c> that names such a request follows it. Null for none.
    /// </param>
    public static void WriteWithId(
        in Item item, string id, IBufferWriter<byte> output, bool keepId = true, IReadOnlyDictionary<string, string>? newIds = null)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentNullException.ThrowIfNull(output);
        if (item.Kind == ItemKind.Unknown)
        {
            output.Write(item.Json.Span);
            return;
        }

        output.Write("{\"id\":\""u8);
        if (item.HasId && keepId)
        {
            output.Write(item.IdUtf8);
        }
        else
        {
            Encoding.ASCII.GetBytes(id, output);
        }

        output.Write("\",\"type\":\""u8);
        output.Write(Row(item.Kind).TypeUtf8);
        output.Write("\""u8);

        // The older form of this output names the call by its own id: what it says stays when the id goes.
        var namesCallById = !keepId && item.Kind == ItemKind.LocalShellCallOutput && item.HasId && item.CallIdUtf8 == item.IdUtf8;
        if (namesCallById)
        {
            output.Write(",\"call_id\":\""u8);
            output.Write(item.IdUtf8);
            output.Write("\""u8);
        }

        var isMessage = item.Kind == ItemKind.Message;
        var isAssistant = isMessage && JsonView.TextEquals(JsonView.Member(item.Json, "role"u8), "assistant"u8);
        var hasStatus = false;
        foreach (var member in JsonView.Members(item.Json))
        {
            if (member.Is("id"u8) || member.Is("type"u8) || (namesCallById && member.Is("call_id"u8)))
            {
                continue;
            }

            if (isMessage && member.Is("status"u8))
            {
                // A null status would break clients that read the item back; it gets the usual one below.
                if (JsonView.IsNull(member.Value))
                {
                    continue;
                }

                hasStatus = true;
            }

            output.Write(",\""u8);
            output.Write(member.Name);
            output.Write("\":"u8);
            if (isMessage && member.Is("content"u8) && JsonView.IsString(member.Value))
            {
                WriteTextPart(output, member.Value.Span, isAssistant);
            }
            else if (newIds is not null && member.Is("approval_request_id"u8) && JsonView.Text(member.Value) is { } old && newIds.TryGetValue(old, out var newId))
            {
                output.Write("\""u8);
                Encoding.ASCII.GetBytes(newId, output);
                output.Write("\""u8);
            }
            else
            {
                output.Write(member.Value.Span);
            }
        }

        output.Write(isMessage && !hasStatus ? ",\"status\":\"completed\"}"u8 : "}"u8);
    }

    /// <summary>A user message of text that is escaped for JSON already.</summary>
    internal static Item UserMessage(ReadOnlySpan<byte> escapedText)
    {
        var output = new ArrayBufferWriter<byte>(escapedText.Length + 96);
        output.Write("{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\""u8);
        output.Write(escapedText);
        output.Write("\"}]}"u8);
        return new Item(output.WrittenMemory, ItemKind.Message, default, default);
    }

    private static void WriteTextPart(IBufferWriter<byte> output, ReadOnlySpan<byte> quotedText, bool isAssistant)
    {
        output.Write(isAssistant ? "[{\"type\":\"output_text\",\"text\":"u8 : "[{\"type\":\"input_text\",\"text\":"u8);
        output.Write(quotedText);
        output.Write(isAssistant ? ",\"annotations\":[],\"logprobs\":[]}]"u8 : "}]"u8);
    }

    private static Item Make(ReadOnlyMemory<byte> json, ItemRow row, Item.Slice id, Item.Slice callId)
    {
        // The older form of this one output answers the call whose id it carries.
        if (row.Kind == ItemKind.LocalShellCallOutput && callId.Length == 0)
        {
            callId = id;
        }

        return new Item(json, row.Kind, id, row.HasCallId ? callId : default);
    }

    /// <summary>Where the text of a raw string stands in the item; empty when it is no string.</summary>
    private static Item.Slice SliceOf(ReadOnlySpan<byte> json, ReadOnlyMemory<byte> value)
    {
        if (!JsonView.IsString(value) || !json.Overlaps(value.Span, out var offset))
        {
            return default;
        }

        return new Item.Slice(offset + 1, value.Length - 2);
    }
}
