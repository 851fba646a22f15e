using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Chart.Tests;

/// <summary>YAML as JSON, by the rules of Kubernetes: plain scalars are numbers, truth values or null where they look like it.</summary>
internal static class Yaml
{
    /// <summary>The documents of a stream that are not empty.</summary>
    public static IReadOnlyList<JsonObject> Parse(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return [.. stream.Documents.Select(document => Convert(document.RootNode)).OfType<JsonObject>()];
    }

    /// <summary>YAML as one line of JSON, with a space behind what separates.</summary>
    public static string InOneLine(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return Convert(stream.Documents[0].RootNode)!.ToJsonString().Replace(",\"", ", \"", StringComparison.Ordinal).Replace(":", ": ", StringComparison.Ordinal);
    }

    private static JsonNode? Convert(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(pair => KeyValuePair.Create(((YamlScalarNode)pair.Key).Value!, Convert(pair.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(Convert)]),
        YamlScalarNode { Style: ScalarStyle.Plain, Value: var value } => Plain(value ?? string.Empty),
        YamlScalarNode scalar => JsonValue.Create(scalar.Value),
        _ => throw new InvalidOperationException($"{node.NodeType} is not expected in a manifest."),
    };

    private static JsonValue? Plain(string value) => value switch
    {
        "" or "~" or "null" => null,
        "true" => JsonValue.Create(true),
        "false" => JsonValue.Create(false),
        // 0440 is 288: Kubernetes reads YAML 1.1.
        ['0', _, ..] when value.All(char.IsAsciiDigit) => JsonValue.Create(System.Convert.ToInt64(value, 8)),
        _ when long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
        // Not "infinity", which double would take.
        [>= '0' and <= '9' or '-' or '.', ..] when double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => JsonValue.Create(number),
        _ => JsonValue.Create(value),
    };
}
