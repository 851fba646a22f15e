using System.Globalization;
using System.Text;

namespace Gateway.Protocol.Responses;

/// <summary>Reads events as <see cref="ResponseEventStream"/> renders them, <c>type</c> first.</summary>
public static class EventJson
{
    private static ReadOnlySpan<byte> Head => "{\"type\":\""u8;

    /// <summary>The event's <c>type</c>.</summary>
    /// <exception cref="InvalidDataException">It is no event.</exception>
    public static ReadOnlyMemory<byte> TypeUtf8Of(ReadOnlyMemory<byte> json)
    {
        var length = json.Span.StartsWith(Head) ? json.Span[Head.Length..].IndexOf((byte)'"') : -1;
        return length > 0 ? json.Slice(Head.Length, length) : throw new InvalidDataException("A stored event is damaged.");
    }

    /// <summary>The event ends the response.</summary>
    public static bool IsTerminal(ReadOnlyMemory<byte> json)
    {
        var type = TypeUtf8Of(json).Span;
        return type.SequenceEqual("response.completed"u8) || type.SequenceEqual("response.incomplete"u8) || type.SequenceEqual("response.failed"u8);
    }

    internal static string TypeOf(ReadOnlyMemory<byte> json) => Encoding.ASCII.GetString(TypeUtf8Of(json).Span);

    /// <summary>The event's <c>output_index</c>, or null when it is about the response as a whole.</summary>
    internal static int? OutputIndexOf(ReadOnlyMemory<byte> json) =>
        JsonView.Member(json, "output_index"u8) is { IsEmpty: false } index
            ? int.Parse(index.Span, NumberStyles.None, CultureInfo.InvariantCulture)
            : null;
}
