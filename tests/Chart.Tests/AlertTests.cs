using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Chart.Tests;

/// <summary>The rules that the chart brings are about metrics that the gateway has.</summary>
public sealed partial class AlertTests
{
    [Fact]
    public async Task Rule_HoldsTheFileAsItIs()
    {
        var rule = (await Manifests.OfAsync("production")).One("PrometheusRule");

        Assert.True(JsonNode.DeepEquals(Yaml.Parse(Folders.ReadChart("files/alerts.yaml")).Single()["groups"], rule.At("spec", "groups")));
    }

    /// <summary>Helm reads no file outside of the chart, so the chart has a copy of the rules; all copies in the repository are one.</summary>
    [Fact]
    public void Rules_InTheRepository_AreTheSameEverywhere()
    {
        var copies = ((string[])["deploy", "helm"])
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Folders.Root, folder), "alerts.yaml", SearchOption.AllDirectories))
            .Select(File.ReadAllText);

        Assert.Single(copies.Distinct());
    }

    [Fact]
    public void Metrics_OfTheRules_AreTheGateways()
    {
        var known = Directory.EnumerateFiles(Path.Combine(Folders.Root, "src", "Gateway"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => Instrument().Matches(File.ReadAllText(file)))
            .SelectMany(match => PrometheusNames(match.Groups["kind"].Value, match.Groups["name"].Value, match.Groups["unit"].Value))
            .ToHashSet(StringComparer.Ordinal);
        var used = Yaml.Parse(Folders.ReadChart("files/alerts.yaml")).Single().List("groups").SelectMany(group => group.List("rules"))
            .SelectMany(rule => Metric().Matches(Labels().Replace(rule.Text("expr")!, string.Empty)).Select(match => match.Value)).ToHashSet(StringComparer.Ordinal);

        Assert.Contains("gateway_open_streams", known);
        Assert.Contains("gateway_responses_total", used);
        Assert.Empty(used.Except(known));
    }

    /// <summary>As OpenTelemetry's exporter spells them.</summary>
    private static IEnumerable<string> PrometheusNames(string kind, string name, string unit)
    {
        var spelled = name.Replace('.', '_') + (unit == "s" ? "_seconds" : string.Empty);
        return kind switch
        {
            "Counter" => [spelled + "_total"],
            "Histogram" => [spelled + "_bucket", spelled + "_count", spelled + "_sum"],
            _ => [spelled],
        };
    }

    [GeneratedRegex(@"Create(?<kind>Counter|Histogram|UpDownCounter|ObservableGauge)(<\w+>)?\(\s*""(?<name>[a-z_.]+)""(, ""(?<unit>[^""]*)"")?")]
    private static partial Regex Instrument();

    [GeneratedRegex(@"\{[^}]*\}|(by|on|without) \([^)]*\)")]
    private static partial Regex Labels();

    [GeneratedRegex(@"\b(gateway|gen_ai)_[a-z_]+\b")]
    private static partial Regex Metric();
}
