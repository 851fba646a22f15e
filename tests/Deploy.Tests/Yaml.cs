using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Deploy.Tests;

/// <summary>YAML files as JSON: anchors and merge keys are put in, every scalar is a text.</summary>
internal static class Yaml
{
    public static JsonObject Read(string path) => Parse(Repository.Read(path));

    public static JsonObject Parse(string text)
    {
        var tree = new DeserializerBuilder().WithDuplicateKeyChecking().Build().Deserialize<object?>(new MergingParser(new Parser(new StringReader(text))));
        return (JsonObject)Convert(tree)!;
    }

    /// <summary>The texts of a list, of a single text, or of nothing.</summary>
    public static IEnumerable<string> Texts(JsonNode? node) => node switch
    {
        null => [],
        JsonArray list => list.Select(element => (string)element!),
        JsonObject map => map.Select(pair => pair.Key),
        _ => [(string)node!],
    };

    private static JsonNode? Convert(object? node) => node switch
    {
        null => null,
        IDictionary<object, object?> map => new JsonObject(map.Select(pair => KeyValuePair.Create((string)pair.Key, Convert(pair.Value)))),
        IEnumerable<object?> list => new JsonArray([.. list.Select(Convert)]),
        _ => JsonValue.Create((string)node),
    };
}
