using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;

namespace Chart.Tests;

/// <summary>Helm takes the chart, and Kubernetes would take what it makes, for every file of values.</summary>
public sealed class ManifestTests
{
    /// <summary>Envoy Gateway's kinds are in no package of schemas; <see cref="RouteTests"/> looks at the one that is used.</summary>
    private const string WithoutSchema = "gateway.envoyproxy.io/v1alpha1";

    public static TheoryData<string> Cases => [.. Manifests.Cases];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Lint_Strict_HasNothingToSay(string name)
    {
        var result = await Helm.RunAsync("lint", "--strict", Folders.Chart, "--values", Helm.ValuesOf(name));

        Assert.Contains("1 chart(s) linted, 0 chart(s) failed", result.OutputOfSuccess(), StringComparison.Ordinal);
        Assert.DoesNotContain("[WARNING]", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Objects_OfEveryCase_FitTheirSchemas()
    {
        var all = await Manifests.AllAsync();

        Assert.Equal([$"production: {WithoutSchema} BackendTrafficPolicy gw-responses-gateway: has no schema"], await ComplaintsAsync(all));
    }

    [Fact]
    public async Task Objects_WithMistakes_DoNotFit()
    {
        var manifests = await Manifests.OfAsync("production");
        var deployment = manifests.Workload().DeepClone().AsObject();
        deployment.At("spec", "template", "spec")!["containers"]![0]!["lifecycel"] = new JsonObject();
        var route = manifests.One("HTTPRoute").DeepClone().AsObject();
        route.At("spec")!["hostnames"] = "api.example.com";
        var monitor = manifests.One("ServiceMonitor").DeepClone().AsObject();
        monitor.At("spec", "endpoints")![0]!["intervall"] = "15s";

        var complaints = await ComplaintsAsync([("", deployment), ("", route), ("", monitor)]);

        Assert.Collection(
            complaints,
            one => Assert.EndsWith("/spec/template/spec/containers/0/lifecycel is not known", one, StringComparison.Ordinal),
            two => Assert.Contains("/spec/hostnames must be array", two, StringComparison.Ordinal),
            three => Assert.EndsWith("/spec/endpoints/0/intervall is not known", three, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Objects_OfKubernetesItself_AreReadStrictly(string name)
    {
        var manifests = await Manifests.OfAsync(name);
        string[] foreign = ["gateway.networking.k8s.io", "gateway.envoyproxy.io", "monitoring.coreos.com", "traefik.io"];
        var documents = manifests.Text.Split("\n---\n").Where(text => !foreign.Any(group => text.Contains($"apiVersion: {group}/", StringComparison.Ordinal)));

        var objects = KubernetesYaml.LoadAllFromString(string.Join("\n---\n", documents), strict: true);

        Assert.Equal(manifests.Objects.Count(o => !foreign.Contains(o.ApiVersion().Split('/')[0])), objects.Count);
    }

    [Fact]
    public async Task Package_HoldsWhatTheChartNeeds()
    {
        using var folder = new Gateway.Testing.TemporaryFolder();

        var result = await Helm.RunAsync("package", Folders.Chart, "--destination", folder.Path);

        result.OutputOfSuccess();
        var shown = await Helm.RunAsync("template", "gw", Directory.GetFiles(folder.Path).Single(), "--set", "config.Gateway.AllowAnonymous=true,metrics.prometheusRule.enabled=true");
        Assert.Contains("alert: GatewayDown", shown.OutputOfSuccess(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Notes_OfEveryCase_NameTheServiceAndNoSecret()
    {
        foreach (var name in Manifests.Cases)
        {
            var result = await Helm.RunAsync("install", "gw", Folders.Chart, "--namespace", "apps", "--dry-run=client", "--values", Helm.ValuesOf(name));

            var notes = result.OutputOfSuccess().Split("\nNOTES:\n")[1];
            Assert.Matches("http://(gw-responses-gateway|responses)\\.apps:", notes);
            Assert.DoesNotContain("-in-clear", notes, StringComparison.Ordinal);
            // The built-in model is not there beside a configured one.
            Assert.Equal(Yaml.Parse(await File.ReadAllTextAsync(Helm.ValuesOf(name), TestContext.Current.CancellationToken)).Single().At("config", "Gateway", "Upstreams") is null, notes.Contains("\"model\":\"demo\"", StringComparison.Ordinal));
        }
    }

    private static async Task<IReadOnlyList<string>> ComplaintsAsync(IEnumerable<(string Case, JsonObject Object)> objects)
    {
        var input = new JsonArray([.. objects.Select(o => new JsonObject { ["case"] = o.Case, ["object"] = o.Object.DeepClone() })]);
        var result = await Command.RunAsync("node", ["validate.mjs"], Folders.Node, input.ToJsonString());
        return JsonSerializer.Deserialize<string[]>(result.OutputOfSuccess())!;
    }
}
