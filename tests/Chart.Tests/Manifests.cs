using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace Chart.Tests;

/// <summary>What the chart makes of a file of values.</summary>
internal sealed record Manifests(string Case, string Text, IReadOnlyList<JsonObject> Objects)
{
    private static readonly ConcurrentDictionary<string, Task<Manifests>> Rendered = new(StringComparer.Ordinal);

    /// <summary>The names of the files in the chart's folder <c>ci</c>.</summary>
    public static IReadOnlyList<string> Cases { get; } =
        [.. Directory.EnumerateFiles(Path.Combine(Folders.Chart, "ci"), "*.yaml").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];

    /// <summary>Every object of every case.</summary>
    public static async Task<IReadOnlyList<(string Case, JsonObject Object)>> AllAsync()
    {
        var all = await Task.WhenAll(Cases.Select(name => OfAsync(name)));
        return [.. all.SelectMany(manifests => manifests.Objects.Select(o => (manifests.Case, o)))];
    }

    /// <param name="name">A file in the chart's folder <c>ci</c>, without its extension.</param>
    /// <param name="set">Values that differ, as <c>key=value</c>.</param>
    public static Task<Manifests> OfAsync(string name, params string[] set) =>
        Rendered.GetOrAdd(string.Join(' ', [name, .. set]), _ => RenderAsync(name, set));

    public JsonObject One(string kind, string suffix = "") =>
        Objects.Single(o => o.Kind() == kind && o.Name().EndsWith(suffix, StringComparison.Ordinal) && (suffix.Length > 0 || IsMain(o)));

    public IEnumerable<JsonObject> Of(string kind) => Objects.Where(o => o.Kind() == kind);

    /// <summary>The gateway's Deployment or StatefulSet.</summary>
    public JsonObject Workload() => Objects.Single(o => o.Kind() is "Deployment" or "StatefulSet" && IsMain(o));

    private static bool IsMain(JsonObject o) => o.Text("metadata", "labels", "app.kubernetes.io/component") is "gateway";

    private static async Task<Manifests> RenderAsync(string name, string[] set)
    {
        var result = await Helm.TemplateAsync(["--values", Helm.ValuesOf(name), .. set.SelectMany(value => (string[])["--set", value])]);
        var text = result.OutputOfSuccess();
        return new Manifests(name, text, Yaml.Parse(text));
    }
}
