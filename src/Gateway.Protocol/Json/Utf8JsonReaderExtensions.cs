using System.Text.Json;

namespace Gateway.Protocol.Json;

/// <summary>Reading JSON that models and their servers wrote.</summary>
internal static class Utf8JsonReaderExtensions
{
    /// <summary>
    /// Whether the name or string at the reader's position is <paramref name="text"/>, escapes resolved.
    /// <see cref="Utf8JsonReader.ValueTextEquals(ReadOnlySpan{byte})"/> throws when half a surrogate pair is in it; here it only differs.
    /// </summary>
    public static bool Is(this scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> text) =>
        reader.ValueIsEscaped ? JsonText.EscapedEquals(reader.ValueSpan, text) : reader.ValueSpan.SequenceEqual(text);
}
