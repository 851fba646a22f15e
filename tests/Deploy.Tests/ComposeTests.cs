using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Deploy.Tests;

/// <summary>The compose file keeps the rules, and what it says of the gateway starts one.</summary>
public sealed partial class ComposeTests
{
    /// <summary>Services whose images have no program that could ask them how they are.</summary>
    private static readonly string[] CannotBeAsked = ["collector"];

    private static readonly JsonObject File = Yaml.Read("deploy/compose.yaml");

    private static IEnumerable<(string Name, JsonObject Service)> Services => File["services"]!.AsObject().Select(service => (service.Key, service.Value!.AsObject()));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Services_AreThoseOfOneMachine() =>
        Assert.Equal(["collector", "gateway-1", "gateway-2", "grafana", "llama", "prometheus", "proxy", "redis"], Services.Select(service => service.Name).Order());

    [Fact]
    public void Images_HaveAVersion() => Assert.All(Services, service => Assert.Matches(@"^[\w./-]+:(server-b\d+|v?\d+\.\d+(\.\d+)?(-alpine)?)$", (string)service.Service["image"]!));

    [Fact]
    public void Services_AreLookedAfter() => Assert.All(Services, service =>
    {
        Assert.Equal("unless-stopped", (string?)service.Service["restart"]);
        Assert.Contains("no-new-privileges:true", Yaml.Texts(service.Service["security_opt"]));
        Assert.Equal(!CannotBeAsked.Contains(service.Name), service.Service["healthcheck"]?["test"] is not null);
    });

    [Fact]
    public void Ports_AreOfThisMachineOnly()
    {
        var ports = Services.SelectMany(service => Yaml.Texts(service.Service["ports"])).ToArray();

        Assert.Equal(2, ports.Length);
        Assert.All(ports, port => Assert.StartsWith("127.0.0.1:", port, StringComparison.Ordinal));
    }

    [Fact]
    public void References_LeadSomewhere() => Assert.All(Services, service =>
    {
        Assert.Empty(Yaml.Texts(service.Service["networks"]).Except(Yaml.Texts(File["networks"])));
        Assert.NotEmpty(Yaml.Texts(service.Service["networks"]));
        Assert.Empty(Yaml.Texts(service.Service["depends_on"]).Except(Services.Select(other => other.Name)));
        foreach (var source in Yaml.Texts(service.Service["volumes"]).Select(volume => volume.Split(':')[0]))
        {
            Assert.True(source.StartsWith("./", StringComparison.Ordinal) ? Path.Exists(Path.Combine(Repository.Root, "deploy", source)) : File["volumes"]!.AsObject().ContainsKey(source), source);
        }
    });

    [Fact]
    public void DependenciesOnHealth_AreOnServicesThatTellIt()
    {
        var needed = Services.SelectMany(service => service.Service["depends_on"] as JsonObject ?? []).Where(need => (string?)need.Value!["condition"] == "service_healthy").Select(need => need.Key).Distinct();

        Assert.All(needed, name => Assert.NotNull(File["services"]![name]!["healthcheck"]));
    }

    [Fact]
    public void Gateway_IsAskedAsItsImageSays() =>
        Assert.Equal(["CMD", .. new ContainerFile("deploy/Dockerfile").HealthCheck], Yaml.Texts(File["services"]!["gateway-1"]!["healthcheck"]!["test"]));

    [Fact]
    public void Gateway_IsStoppedNoSoonerThanItsDrain()
    {
        var gateway = File["services"]!["gateway-1"]!;
        var drain = TimeSpan.Parse((string)gateway["environment"]!["Gateway__Hosting__DrainTimeout"]!, System.Globalization.CultureInfo.InvariantCulture);

        Assert.InRange(Seconds(gateway["stop_grace_period"]) - drain.TotalSeconds, 10, 60);
        Assert.InRange(Seconds(File["services"]!["proxy"]!["stop_grace_period"]) - drain.TotalSeconds, 10, 60);
        Assert.Equal("true", (string?)gateway["read_only"]);
        Assert.Equal(["ALL"], Yaml.Texts(gateway["cap_drop"]));
    }

    [Fact]
    public void Secrets_AreMadeByTheStartScript_AndNoneIsWrittenDown()
    {
        var required = Required().Matches(Repository.Read("deploy/compose.yaml")).Select(match => match.Groups["name"].Value).Distinct().Order();
        var made = Made().Matches(Repository.Read("deploy/up.sh")).Select(match => match.Groups["name"].Value).Order();

        Assert.Equal(["GATEWAY_API_KEY", "GATEWAY_SECRET_KEY", "GRAFANA_PASSWORD"], required);
        Assert.Equal(required, made);
        Assert.Contains("/deploy/.env", Repository.Read(".gitignore").Split('\n'));
    }

    [Fact]
    public async Task Scripts_AreBash()
    {
        foreach (var script in Repository.Files("*.sh", "deploy"))
        {
            await Tool.SucceedAsync("bash", ["-n", script]);
            Assert.True(System.IO.File.GetUnixFileMode(Path.Combine(Repository.Root, script)).HasFlag(UnixFileMode.UserExecute), script);
            Assert.Contains("set -euo pipefail", Repository.Read(script), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Redis_NeverEvictsAndPersists()
    {
        var command = string.Join(' ', Yaml.Texts(File["services"]!["redis"]!["command"]));

        Assert.Contains("--maxmemory-policy noeviction", command, StringComparison.Ordinal);
        Assert.Contains("--appendonly yes", command, StringComparison.Ordinal);
    }

    /// <summary>The environment of the file, with the file's hosts on this machine, starts a gateway that serves its one tenant over that Redis.</summary>
    [Theory(Timeout = 60_000)]
    [InlineData("gateway-1")]
    [InlineData("gateway-2")]
    public async Task Environment_OfTheGateway_StartsIt(string service)
    {
        await using var redis = await RedisProcess.StartAsync("--maxmemory-policy", "noeviction");
        await using var upstream = await ScriptedUpstream.StartAsync();
        using var folder = new TemporaryFolder();
        var key = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
        var hosts = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["llama:8080"] = upstream.Address.Authority,
            ["redis:6379"] = redis.EndPoint,
            ["collector:4317"] = "127.0.0.1:1",
            ["/data"] = folder.Path,
        };
        var start = new ProcessStartInfo("dotnet", [typeof(TestGateway).Assembly.Location.Replace("Gateway.Testing.dll", "gateway.dll", StringComparison.Ordinal), "--urls", "http://127.0.0.1:0"]) { WorkingDirectory = folder.Path };
        var image = new ContainerFile("deploy/Dockerfile").Environment.Where(variable => variable.Name != "ASPNETCORE_HTTP_PORTS");
        var composed = File["services"]![service]!["environment"]!.AsObject().Select(variable => (Name: variable.Key, Value: (string)variable.Value!));
        foreach (var (name, value) in image.Concat(composed))
        {
            start.Environment[name] = Variable().Replace(hosts.Aggregate(value, (text, host) => text.Replace(host.Key, host.Value, StringComparison.Ordinal)), match => match.Groups["name"].Value switch
            {
                "GATEWAY_API_KEY" => key,
                "GATEWAY_SECRET_KEY" => Convert.ToBase64String(new byte[32]),
                _ => throw new InvalidOperationException($"Who sets {match.Value}?"),
            });
        }

        await using var gateway = await GatewayProcess.StartAsync(start);

        Assert.Equal(HttpStatusCode.Unauthorized, (await CreateAsync(gateway, null).WaitAsync(TestContext.Current.CancellationToken)).Status);
        var (status, body) = await CreateAsync(gateway, key);
        Assert.True(status == HttpStatusCode.OK, body + gateway.Output);
        Assert.Contains("Hello from the scripted model.", body, StringComparison.Ordinal);
        Assert.Contains("\"store\":true", body, StringComparison.Ordinal);
        // Kept in the Redis of the file, not beside it; no key of the file is unknown to the gateway.
        Assert.Empty(Directory.EnumerateFiles(folder.Path, "*.db", SearchOption.AllDirectories));
        Assert.DoesNotContain("Unknown", gateway.Output, StringComparison.OrdinalIgnoreCase);
    }

    private static async Task<(HttpStatusCode Status, string Body)> CreateAsync(GatewayProcess gateway, string? key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses")
        {
            Content = new StringContent("""{"model":"scripted","input":"Hello"}""", Encoding.UTF8, "application/json"),
        };
        request.Headers.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);
        using var response = await gateway.Client.SendAsync(request, Cancellation);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Cancellation));
    }

    private static double Seconds(JsonNode? duration) => double.Parse(((string)duration!).TrimEnd('s'), System.Globalization.CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\$\{(?<name>\w+):\?")]
    private static partial Regex Required();

    [GeneratedRegex(@"echo ""(?<name>[A-Z_]+)=")]
    private static partial Regex Made();

    [GeneratedRegex(@"\$\{(?<name>\w+)[^}]*\}")]
    private static partial Regex Variable();
}
