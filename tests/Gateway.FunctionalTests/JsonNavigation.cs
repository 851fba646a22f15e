using System.Globalization;
using System.Text.Json;

namespace Gateway.FunctionalTests;

/// <summary>Reads a place in a JSON document by its path, as in the API's own <c>param</c> values: <c>output[0].content[0].text</c>.</summary>
internal static class JsonNavigation
{
    public static JsonElement At(this JsonElement json, string path) =>
        json.Find(path) ?? throw new Xunit.Sdk.XunitException($"'{path}' is missing in:\n{json.GetRawText()}");

    public static JsonElement? Find(this JsonElement json, string path)
    {
        foreach (var step in path.Replace("[", ".[", StringComparison.Ordinal).Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            if (step[0] == '[')
            {
                var index = int.Parse(step[1..^1], CultureInfo.InvariantCulture);
                if (json.ValueKind != JsonValueKind.Array || index >= json.GetArrayLength())
                {
                    return null;
                }

                json = json[index];
            }
            else if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty(step, out json))
            {
                return null;
            }
        }

        return json;
    }

    /// <summary>A string, or null where the JSON has null. Missing is an error.</summary>
    public static string? Text(this JsonElement json, string path) => json.At(path).GetString();

    public static int Number(this JsonElement json, string path) => json.At(path).GetInt32();

    public static IEnumerable<JsonElement> Each(this JsonElement json, string path) => json.At(path).EnumerateArray();

    /// <summary>The <c>type</c> of each element.</summary>
    public static IEnumerable<string?> Types(this JsonElement json, string path) => json.Each(path).Select(item => item.Text("type"));

    /// <summary>The texts of all message parts of a response, joined.</summary>
    public static string OutputText(this JsonElement response) => string.Concat(
        response.Each("output").Where(item => item.Text("type") == "message").SelectMany(item => item.Each("content")).Select(part => part.Find("text")?.GetString()));
}
