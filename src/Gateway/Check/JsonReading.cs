using System.Text.Json;

namespace Gateway.Check;

/// <summary>Reads JSON of which nothing is known: what is not there, or is something else, is undefined or null, never an error.</summary>
internal static class JsonReading
{
    /// <summary>The member at the end of the path; undefined when it is not there.</summary>
    public static JsonElement At(this JsonElement json, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty(name, out json))
            {
                return default;
            }
        }

        return json;
    }

    /// <summary>A text; null also for one that is no Unicode, half of a surrogate pair for one.</summary>
    public static string? Text(this JsonElement json, params ReadOnlySpan<string> path)
    {
        try
        {
            return json.At(path) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    public static long? Number(this JsonElement json, params ReadOnlySpan<string> path) =>
        json.At(path) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var value) ? value : null;

    public static bool? Truth(this JsonElement json, params ReadOnlySpan<string> path) => json.At(path).ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    public static IReadOnlyList<JsonElement> List(this JsonElement json, params ReadOnlySpan<string> path) =>
        json.At(path) is { ValueKind: JsonValueKind.Array } array ? [.. array.EnumerateArray()] : [];

    /// <summary>The JSON of a text; undefined when it is none.</summary>
    public static JsonElement Parse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return JsonElement.Parse(utf8);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    /// <summary>A text as JSON, in its quotes.</summary>
    public static string Quote(string text) => $"\"{JsonEncodedText.Encode(text)}\"";
}
