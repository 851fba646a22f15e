using System.Text.Json.Nodes;

namespace Chart.Tests;

/// <summary>Ways through a manifest.</summary>
internal static class ManifestExtensions
{
    public static string Kind(this JsonObject o) => o.Text("kind")!;

    public static string Name(this JsonObject o) => o.Text("metadata", "name")!;

    public static string ApiVersion(this JsonObject o) => o.Text("apiVersion")!;

    /// <summary>What stands at a path; null when there is nothing.</summary>
    public static JsonNode? At(this JsonNode? node, params IEnumerable<string> path) =>
        path.Aggregate(node, (current, key) => (current as JsonObject)?[key]);

    public static string? Text(this JsonNode? node, params IEnumerable<string> path) => node.At(path)?.ToString();

    public static IReadOnlyList<JsonObject> List(this JsonNode? node, params IEnumerable<string> path) =>
        node.At(path) is JsonArray list ? [.. list.OfType<JsonObject>()] : [];

    /// <summary>The pod that an object is or makes; null when it makes none.</summary>
    public static JsonNode? Pod(this JsonObject o) => o.Kind() == "Pod" ? o : o.At("spec", "template");

    public static IReadOnlyList<JsonObject> Containers(this JsonNode pod) => [.. pod.List("spec", "initContainers"), .. pod.List("spec", "containers")];

    /// <summary>Whether labels have all that a selector's <c>matchLabels</c> ask for.</summary>
    public static bool Matches(this JsonNode? matchLabels, JsonNode? labels) =>
        matchLabels is JsonObject { Count: > 0 } wanted && wanted.All(label => labels.Text(label.Key) == label.Value?.ToString());

    /// <summary>Every text in a tree.</summary>
    public static IEnumerable<string> Texts(this JsonNode? node) => node switch
    {
        JsonObject map => map.SelectMany(pair => pair.Value.Texts().Prepend(pair.Key)),
        JsonArray list => list.SelectMany(item => item.Texts()),
        JsonValue value => [value.ToString()],
        _ => [],
    };
}
