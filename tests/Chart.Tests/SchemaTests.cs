using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gateway.Hosting;
using Gateway.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Chart.Tests;

/// <summary><c>values.schema.json</c>, <c>values.yaml</c> and the gateway's options tell the same.</summary>
public sealed partial class SchemaTests
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public async Task Schema_OfTheConfiguration_IsThatOfTheOptions()
    {
        using var store = new TemporaryFolder();
        await using var app = GatewayApplication.Build([$"--Gateway:Store:Path={store.Path}"], builder => builder.Logging.ClearProviders());
        var schema = JsonNode.Parse(Folders.ReadChart("values.schema.json"))!.AsObject();

        schema["$defs"]!["gateway"] = ConfigurationSchema.Of(app.Services.GetServices<KnownSection>());

        Generated.Check("values.schema.json", schema.ToJsonString(Indented) + "\n");
    }

    [Fact]
    public void Schema_KnowsEveryValue_AndNoOthers()
    {
        var schema = JsonNode.Parse(Folders.ReadChart("values.schema.json"))!.AsObject();
        var values = Yaml.Parse(Folders.ReadChart("values.yaml")).Single();

        // Helm adds "global" by itself.
        Assert.Equal(values.Select(pair => pair.Key).Append("global").Order(), schema["properties"]!.AsObject().Select(pair => pair.Key).Order());
        Assert.Empty(Differences(schema, schema, values, string.Empty));
    }

    /// <summary>The shipped settings with their examples, as values: each key that the gateway ships can be set through the chart.</summary>
    [Fact]
    public async Task Settings_ThatAreShipped_AreTakenAsValues()
    {
        var json = Examples().Replace(await File.ReadAllTextAsync(Path.Combine(Folders.Root, "appsettings.json")), string.Empty);
        json = MissingComma().Replace(Comments().Replace(json, string.Empty), ",");
        var settings = JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { AllowTrailingCommas = true })!.AsObject();
        var gateway = settings["Gateway"]!.AsObject();
        gateway["Hosting"]!.AsObject().Remove("DrainTimeout");
        gateway["Store"]!.AsObject().Remove("Path");
        gateway["Store"]!.AsObject().Remove("RedisPasswordFile");
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "values.json");
        await File.WriteAllTextAsync(file, new JsonObject { ["config"] = settings }.ToJsonString());

        var result = await Helm.TemplateAsync("--values", file);

        Assert.Contains("kind: Deployment", result.OutputOfSuccess(), StringComparison.Ordinal);
    }

    [Fact]
    public void Chart_IsMadeForThisVersion()
    {
        var chart = Yaml.Parse(Folders.ReadChart("Chart.yaml")).Single();

        Assert.Equal(Version().Match(File.ReadAllText(Path.Combine(Folders.Root, "Directory.Build.props"))).Groups[1].Value, chart.Text("appVersion"));
    }

    /// <summary>Places where one of the two has a key that the other has not.</summary>
    private static IEnumerable<string> Differences(JsonNode root, JsonNode schema, JsonNode? value, string place)
    {
        if (schema.Text("$ref") is { } reference)
        {
            schema = reference.Split('/').Skip(1).Aggregate(root, (node, key) => node[key]!);
        }

        if (schema["properties"] is not JsonObject properties || schema["additionalProperties"]?.ToString() != "false" || value is not JsonObject map)
        {
            return [];
        }

        // Optional members of Kubernetes' own shapes, and the gateway's, whose defaults are not the chart's to tell.
        var missing = place is "/resources" or "/redis/trial/resources" or "/pythonTool/resources" || place.StartsWith("/probes/", StringComparison.Ordinal) || place.StartsWith("/config/", StringComparison.Ordinal)
            ? []
            : properties.Select(pair => pair.Key).Except([.. map.Select(pair => pair.Key), .. place.Length == 0 ? ["global"] : Array.Empty<string>()]);
        return map.Select(pair => pair.Key).Except(properties.Select(pair => pair.Key)).Concat(missing).Select(key => $"{place}/{key}")
            .Concat(map.Where(pair => properties.ContainsKey(pair.Key)).SelectMany(pair => Differences(root, properties[pair.Key]!, pair.Value, $"{place}/{pair.Key}")));
    }

    [GeneratedRegex(@"(?<=^ *)// +(?=""\w+"": |\})", RegexOptions.Multiline)]
    private static partial Regex Examples();

    [GeneratedRegex(@"(?<=^|\s)//.*$", RegexOptions.Multiline)]
    private static partial Regex Comments();

    [GeneratedRegex(@"(?<=[""\]\}\w])(?=\s*\n\s*"")")]
    private static partial Regex MissingComma();

    [GeneratedRegex("<Version>([^<]+)</Version>")]
    private static partial Regex Version();
}
