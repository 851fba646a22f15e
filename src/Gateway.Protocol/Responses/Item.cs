using System.Text;

namespace Gateway.Protocol.Responses;

/// <summary>
/// A view of one input or output item: its raw JSON, its kind, and where its id and call id stand in it. Items are validated once, by
/// <see cref="ItemTable"/>, and never parsed into records or serialised again, so that members the gateway does not know survive.
/// </summary>
public readonly struct Item
{
    private readonly Slice _id;
    private readonly Slice _callId;

    /// <param name="json">The item's JSON object.</param>
    /// <param name="kind">The item's kind.</param>
    /// <param name="id">Where the text of the <c>id</c> string stands in <paramref name="json"/>, without its quotes; empty when absent.</param>
    /// <param name="callId">Likewise for <c>call_id</c>.</param>
    public Item(ReadOnlyMemory<byte> json, ItemKind kind, Slice id, Slice callId)
    {
        Json = json;
        Kind = kind;
        _id = id;
        _callId = callId;
    }

    /// <summary>The item as UTF-8 JSON, as it came.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    public ItemKind Kind { get; }

    /// <summary>The escaped text of the <c>id</c> member; empty when the item has none.</summary>
    public ReadOnlySpan<byte> IdUtf8 => _id.Of(Json.Span);

    /// <summary>The escaped text of the <c>call_id</c> member; empty when the item has none.</summary>
    public ReadOnlySpan<byte> CallIdUtf8 => _callId.Of(Json.Span);

    /// <summary><see cref="CallIdUtf8"/> as memory.</summary>
    internal ReadOnlyMemory<byte> CallIdMemory => Json.Slice(_callId.Start, _callId.Length);

    public bool HasId => _id.Length > 0;

    /// <summary>The id, escapes resolved; empty when the item has none.</summary>
    public string Id => Encoding.UTF8.GetString(JsonView.Unescape(Json.Slice(_id.Start, _id.Length)).Span);

    /// <summary>The call id, escapes resolved; empty when the item has none.</summary>
    public string CallId => Encoding.UTF8.GetString(JsonView.Unescape(CallIdMemory).Span);

    /// <summary>A part of an item's JSON by position.</summary>
    public readonly record struct Slice(int Start, int Length)
    {
        public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> json) => json.Slice(Start, Length);
    }
}
