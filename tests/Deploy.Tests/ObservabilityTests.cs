using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gateway.Testing;

namespace Deploy.Tests;

/// <summary>Dashboards and alerts are valid, ask for metrics and labels that the gateway has, and the alerts come when they should.</summary>
public sealed partial class ObservabilityTests(ObservedGateway gateway) : IClassFixture<ObservedGateway>
{
    private const string Folder = "deploy/observability";

    /// <summary>Labels that come from Prometheus itself, or from its operator.</summary>
    private static readonly string[] OfPrometheus = ["job", "instance", "namespace", "service", "le"];

    public static TheoryData<string> Dashboards => [.. Repository.Files("*.json", Folder + "/dashboards")];

    [Fact]
    public async Task Rules_AreValid() => Assert.Contains("rules found", await Tool.SucceedAsync("promtool", ["check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"], Folder), StringComparison.Ordinal);

    [Fact]
    public async Task Rules_FireWhenTheyShould() => await Tool.SucceedAsync("promtool", ["test", "rules", "alerts.test.yaml"], Folder);

    [Fact]
    public void EveryAlert_IsTriedOut_AndSaysWhatItMeans()
    {
        var alerts = Yaml.Read(Folder + "/alerts.yaml")["groups"]!.AsArray().SelectMany(group => group!["rules"]!.AsArray()).ToArray();
        var fired = Yaml.Read(Folder + "/alerts.test.yaml")["tests"]!.AsArray().SelectMany(test => test!["alert_rule_test"]!.AsArray())
            .Where(test => test!["exp_alerts"] is not null).Select(test => (string)test!["alertname"]!);

        Assert.Equal(alerts.Select(alert => (string)alert!["alert"]!).Order(), fired.Distinct().Order());
        Assert.All(alerts, alert =>
        {
            Assert.Contains((string)alert!["labels"]!["severity"]!, (string[])["critical", "warning"]);
            Assert.NotEmpty((string)alert["annotations"]!["summary"]!);
            Assert.NotEmpty((string)alert["annotations"]!["description"]!);
        });
    }

    [Fact]
    public async Task Configuration_OfPrometheus_IsValid() => await Tool.SucceedAsync("promtool", ["check", "config", "prometheus.yaml"], Folder);

    [Fact]
    public void Configuration_ScrapesWhatComposeRuns()
    {
        var services = Yaml.Texts(Yaml.Read("deploy/compose.yaml")["services"]);
        var targets = Yaml.Read(Folder + "/prometheus.yaml")["scrape_configs"]!.AsArray()
            .SelectMany(job => job!["static_configs"]!.AsArray()).SelectMany(config => Yaml.Texts(config!["targets"])).Select(target => target.Split(':')[0]).ToArray();

        Assert.Empty(targets.Except(services));
        Assert.Empty(services.Where(service => service.StartsWith("gateway", StringComparison.Ordinal)).Except(targets));
    }

    [Theory]
    [MemberData(nameof(Dashboards))]
    public async Task Dashboard_IsCompleteAndItsQueriesAreValid(string path)
    {
        var dashboard = JsonNode.Parse(Repository.Read(path))!;
        var panels = Panels(dashboard).ToArray();

        Assert.Equal(panels.Length, panels.Select(panel => (int)panel["id"]!).Distinct().Count());
        Assert.All(panels, panel =>
        {
            Assert.NotEmpty((string)panel["title"]!);
            Assert.NotEmpty((string)panel["description"]!);
            Assert.NotEmpty((string)panel["fieldConfig"]!["defaults"]!["unit"]!);
            Assert.All(panel["targets"]!.AsArray(), target => Assert.Equal("${datasource}", (string)target!["datasource"]!["uid"]!));
        });
        // Each query as a rule: promtool parses it as Prometheus would.
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "queries.yaml");
        var rules = Queries(dashboard).Select((query, i) => $"  - {{ record: 'q{i}', expr: {JsonSerializer.Serialize(Plain(query))} }}\n");
        await File.WriteAllTextAsync(file, "groups: [{ name: queries, rules: [\n" + string.Join(",\n", rules.Select(rule => rule.Trim().TrimStart('-'))) + "] }]\n", TestContext.Current.CancellationToken);
        await Tool.SucceedAsync("promtool", ["check", "rules", file]);
    }

    [Fact]
    public void Dashboards_AreToldApart()
    {
        var ids = Dashboards.Select(row => (string)JsonNode.Parse(Repository.Read(row.Data))!["uid"]!).ToArray();

        Assert.Equal(4, ids.Distinct().Count());
    }

    [Fact]
    public void Metrics_ThatAreAskedFor_Exist()
    {
        var exported = gateway.Metrics;
        var asked = AllQueries().SelectMany(MetricsIn).Distinct().ToArray();

        Assert.Contains("gateway_responses_total", asked);
        Assert.Empty(asked.Except(exported).Except(["up"]));
    }

    [Fact]
    public void Metrics_OfTheGateway_AreAllShown()
    {
        var shown = Dashboards.SelectMany(row => Queries(JsonNode.Parse(Repository.Read(row.Data))!)).SelectMany(MetricsIn).Select(Family).ToHashSet();

        Assert.DoesNotContain(gateway.Instruments, instrument => !shown.Contains(Family(instrument.Name)));
    }

    [Fact]
    public void Labels_ThatAreAskedFor_Exist()
    {
        var asked = AllQueries().SelectMany(LabelsByMetric).Distinct().ToArray();
        // What has not been measured yet has the labels that the operator is told of.
        var told = MarkdownTable.Rows(Repository.Read("docs/operations.md")).Where(row => row.Heading == "Metrics")
            .Join(gateway.Instruments, row => row.Cells[0].Trim('`'), instrument => instrument.Instrument, (row, instrument) => (instrument.Name, Tags: row.Cells[2]))
            .SelectMany(row => Tag().Matches(Words().Replace(row.Tags, string.Empty)).Select(tag => (row.Name, Label: tag.Groups["tag"].Value.Replace('.', '_'))))
            .ToLookup(pair => pair.Name, pair => pair.Label);

        Assert.Contains(("gateway_responses_total", "gateway_response_status"), asked);
        Assert.DoesNotContain(asked, pair => !OfPrometheus.Contains(pair.Label)
            && !(gateway.Labels.Contains(pair.Metric) ? gateway.Labels[pair.Metric] : told[Family(pair.Metric)]).Contains(pair.Label));
    }

    [Fact]
    public void Spelling_OfInstruments_IsThatOfTheEndpoint()
    {
        // What the gateway has measured so far is at /metrics under the name that this test gives it.
        var measured = gateway.Instruments.Where(instrument => gateway.Text.Contains($"# HELP {instrument.Name} ", StringComparison.Ordinal)).ToArray();

        Assert.InRange(measured.Length, 15, 100);
        var unknown = HelpLine().Matches(gateway.Text).Select(match => match.Groups["name"].Value).Where(name => name.StartsWith("ga", StringComparison.Ordinal) || name.StartsWith("gen", StringComparison.Ordinal));
        Assert.Empty(unknown.Except(gateway.Instruments.Select(instrument => instrument.Name)));
    }

    [Fact]
    public void Histograms_OfSeconds_TellMillisecondsApart()
    {
        var first = gateway.Instruments.Where(instrument => instrument.Name.EndsWith("_seconds", StringComparison.Ordinal))
            .Select(instrument => (instrument.Name, Bound: Regex.Match(gateway.Text, $"{instrument.Name}_bucket{{[^}}]*le=\"([0-9.]+)\"")))
            .Where(histogram => histogram.Bound.Success)
            .Select(histogram => (histogram.Name, double.Parse(histogram.Bound.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)))
            .ToArray();

        Assert.NotEmpty(first);
        Assert.DoesNotContain(first, histogram => histogram.Item2 is 0 or > 0.02);
    }

    [Fact]
    public void Instruments_AreAllInOperations()
    {
        var told = MarkdownTable.Rows(Repository.Read("docs/operations.md")).Where(row => row.Heading == "Metrics").Select(row => row.Cells[0].Trim('`')).ToArray();

        Assert.Equal(gateway.Instruments.Select(instrument => instrument.Instrument).Order(), told.Order());
    }

    [Theory]
    [InlineData("sum by (a, b) (rate(x_total{c=\"1\", d!~\"x|y\"}[5m])) > 0.5 * 4096", "x_total")]
    [InlineData("histogram_quantile(0.99, sum by (le) (rate(y_bucket[1h] offset 1d))) or vector(0) unless on () x", "y_bucket x")]
    [InlineData("max(z) == 1 unless z offset 10m and z", "z")]
    public void Metrics_OfQueries_AreFound(string query, string metrics) => Assert.Equal(metrics, string.Join(' ', MetricsIn(query).Distinct()));

    [Theory]
    [InlineData("sum by (a, b) (rate(x_total{c=\"1\", d!~\"x|y\"}[5m])) / y > 1", "x_total.a x_total.b x_total.c x_total.d")]
    [InlineData("max by (a) (x) or sum by (b) (y{c=\"1\"} unless y offset 5m)", "x.a y.b y.c")]
    public void Labels_OfQueries_AreFoundByMetric(string query, string labels) =>
        Assert.Equal(labels, string.Join(' ', LabelsByMetric(query).Select(pair => $"{pair.Metric}.{pair.Label}").Distinct().Order(StringComparer.Ordinal)));

    private static IEnumerable<JsonNode> Panels(JsonNode dashboard) => dashboard["panels"]!.AsArray().Where(panel => (string)panel!["type"]! != "row").Select(panel => panel!);

    private static IEnumerable<string> Queries(JsonNode dashboard) => Panels(dashboard).SelectMany(panel => panel["targets"]!.AsArray()).Select(target => (string)target!["expr"]!);

    private static IEnumerable<string> AllQueries() => Dashboards.SelectMany(row => Queries(JsonNode.Parse(Repository.Read(row.Data))!))
        .Concat(Yaml.Read(Folder + "/alerts.yaml")["groups"]!.AsArray().SelectMany(group => group!["rules"]!.AsArray()).Select(rule => (string)rule!["expr"]!));

    /// <summary>A query with Grafana's variables put in.</summary>
    private static string Plain(string query) => query.Replace("$__rate_interval", "5m", StringComparison.Ordinal);

    private static IEnumerable<string> MetricsIn(string query) => Word().Matches(Braces().Replace(Grouping().Replace(Plain(query), " "), " "))
        .Select(match => match.Value).Where(word => !OfTheLanguage().IsMatch(word));

    /// <summary>Each label with the metric that must have it: by what a metric is selected, and by what the metrics of a group are grouped.</summary>
    private static IEnumerable<(string Metric, string Label)> LabelsByMetric(string query) =>
        Selector().Matches(query).SelectMany(selector => Matcher().Matches(selector.Groups["matchers"].Value).Select(label => (selector.Groups["metric"].Value, label.Groups["label"].Value)))
            .Concat(Group().Matches(query).SelectMany(grouped =>
                from metric in MetricsIn(grouped.Groups["of"].Value)
                from label in Word().Matches(grouped.Groups["labels"].Value)
                select (metric, label.Value)));

    /// <summary>A histogram's series are one metric.</summary>
    private static string Family(string metric) => Series().Replace(metric, string.Empty);

    [GeneratedRegex(@"\b(?<metric>[a-z_]\w*)\{(?<matchers>[^}]*)\}")]
    private static partial Regex Selector();

    /// <summary>What is grouped goes to the parenthesis that closes it.</summary>
    [GeneratedRegex(@"\bby \((?<labels>[^)]*)\)\s*\((?<of>(?>[^()]+|(?<open>\()|(?<-open>\)))*)(?(open)(?!))\)")]
    private static partial Regex Group();

    /// <summary>The words that a label may have, behind its name in the table.</summary>
    [GeneratedRegex(":[^;]*")]
    private static partial Regex Words();

    [GeneratedRegex("`(?<tag>[a-z_.]+)`")]
    private static partial Regex Tag();

    [GeneratedRegex(@"\b(by|on) \((?<labels>[^)]*)\)")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]|\boffset \w+")]
    private static partial Regex Braces();

    [GeneratedRegex(@"(?<label>\w+)\s*(=~|!~|!=|=)")]
    private static partial Regex Matcher();

    [GeneratedRegex(@"\b[a-z_][a-z0-9_]*\b")]
    private static partial Regex Word();

    [GeneratedRegex("^(sum|max|min|rate|increase|max_over_time|histogram_quantile|vector|or|and|unless|offset)$")]
    private static partial Regex OfTheLanguage();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Series();

    [GeneratedRegex(@"(?m)^# HELP (?<name>\w+) ")]
    private static partial Regex HelpLine();
}
