using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Chart.Tests;

/// <summary>
/// The executable starts with exactly what the chart gives a container: its files, its environment, its arguments. It gets ready, makes a
/// response, and knows every key.
/// </summary>
public sealed class GatewayStartTests : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _started = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Embedded_ServesItsTenantWithItsUpstreamsKey()
    {
        var upstream = await StartUpstreamAsync();
        upstream.RequiredKey = "upstream-secret-in-clear";
        var manifests = await Manifests.OfAsync("embedded");
        using var pod = new MountedPod(manifests, manifests.Workload(), null, Host("http://vllm.models.svc:8000/v1", upstream));

        var gateway = await StartAsync(pod);

        var response = await RespondAsync(gateway, "fast", "tenant-secret-in-clear");
        Assert.Equal("completed", response.Text("status"));
        Assert.Equal("qwen3-8b", upstream.LastCall.Body["model"]!.ToString());
        Assert.Equal(HttpStatusCode.Unauthorized, (await PostAsync(gateway, "fast", "another")).StatusCode);
        Assert.True(Directory.EnumerateFiles(pod.Folder("/data")).Any(), "Nothing is stored on the volume.");
        await EndAsync(gateway);
    }

    [Fact]
    public async Task Anonymous_ServesEveryoneWithTheBuiltInModel()
    {
        var manifests = await Manifests.OfAsync("anonymous");
        Assert.Equal("true", JsonNode.Parse(manifests.One("ConfigMap").Text("data", "appsettings.json")!).Text("Gateway", "AllowAnonymous"));
        using var pod = new MountedPod(manifests, manifests.Workload());

        var gateway = await StartAsync(pod);

        Assert.Equal("completed", (await RespondAsync(gateway, "demo", null)).Text("status"));
        await EndAsync(gateway);
    }

    [Fact]
    public async Task Production_KeepsInRedisWithAPasswordFromAFile()
    {
        var upstream = await StartUpstreamAsync();
        upstream.RequiredKey = "key-of-the-upstream";
        var redis = Keep(await RedisProcess.StartAsync("--requirepass", "password-of-redis"));
        var manifests = await Manifests.OfAsync("production");
        var secrets = new Dictionary<string, IReadOnlyDictionary<string, string>>
        {
            ["vllm"] = new Dictionary<string, string> { ["api-key"] = "key-of-the-upstream" },
            ["redis-auth"] = new Dictionary<string, string> { ["password"] = "password-of-redis" },
            ["acme-key"] = new Dictionary<string, string> { ["sha256"] = "key-of-acme" },
        };
        using var pod = new MountedPod(manifests, manifests.Workload(), secrets, Host("http://vllm.models.svc:8000/v1", upstream), ("redis.data.svc:6379", redis.EndPoint));

        var gateway = await StartAsync(pod);

        var first = await RespondAsync(gateway, "qwen3-8b", "key-of-acme");
        using var get = new HttpRequestMessage(HttpMethod.Get, $"/v1/responses/{first.Text("id")}");
        get.Headers.Authorization = new("Bearer", "key-of-acme");
        using var stored = await gateway.Client.SendAsync(get, Cancellation);
        Assert.Equal(HttpStatusCode.OK, stored.StatusCode);
        Assert.Contains("gateway_open_streams", await gateway.Client.GetStringAsync("/metrics", Cancellation), StringComparison.Ordinal);
        await EndAsync(gateway);
    }

    /// <summary>The hook of "helm test", with the arguments and the key that the chart gives it, against the gateway that the chart starts.</summary>
    [Fact]
    public async Task Test_PassesAgainstWhatTheChartStarts()
    {
        var upstream = await StartUpstreamAsync();
        var redis = Keep(await RedisProcess.StartAsync("--requirepass", "password-of-redis"));
        var manifests = await Manifests.OfAsync("production", "test.only={health,models,basic,chain}");
        var secrets = new Dictionary<string, IReadOnlyDictionary<string, string>>
        {
            ["vllm"] = new Dictionary<string, string> { ["api-key"] = "key-of-the-upstream" },
            ["redis-auth"] = new Dictionary<string, string> { ["password"] = "password-of-redis" },
            ["acme-key"] = new Dictionary<string, string> { ["sha256"] = "key-of-acme", ["clear"] = "key-of-acme" },
        };
        upstream.Default = request => (ChatAnswer.Say("Hello.") with { Usage = new ChatUsage(request["messages"]!.ToJsonString().Length, 7) }).For(request);
        using var pod = new MountedPod(manifests, manifests.Workload(), secrets, Host("http://vllm.models.svc:8000/v1", upstream), ("redis.data.svc:6379", redis.EndPoint));
        var gateway = await StartAsync(pod);
        using var hook = new MountedPod(manifests, manifests.One("Pod", "-check"), secrets, ("http://gw-responses-gateway:8080", gateway.BaseAddress.AbsoluteUri));

        var (exitCode, output) = await hook.RunAsync(Cancellation);

        Assert.True(exitCode == 0, output);
        Assert.Contains("4 pass, 0 limited, 0 fail, 0 skipped", output, StringComparison.Ordinal);
        Assert.DoesNotContain("key-of-acme", output, StringComparison.Ordinal);
        await EndAsync(gateway);
    }

    [Fact]
    public async Task ExistingSecret_IsReadOverTheConfiguration_AndAgainWhenItChanges()
    {
        var upstream = await StartUpstreamAsync();
        var manifests = await Manifests.OfAsync("existing-secret");
        var secrets = new Dictionary<string, IReadOnlyDictionary<string, string>>
        {
            ["gateway-secrets"] = new Dictionary<string, string> { ["gateway.json"] = Keys("first-key") },
        };
        using var pod = new MountedPod(manifests, manifests.Workload(), secrets, Host("http://vllm.models.svc:8000/v1", upstream));
        var gateway = await StartAsync(pod);
        await RespondAsync(gateway, "qwen3-8b", "first-key");

        pod.Change("/etc/gateway/secret", "gateway.json", Keys("second-key"));
        await gateway.PrintedAsync("Tenants and policies were reloaded", Cancellation);

        await RespondAsync(gateway, "qwen3-8b", "second-key");
        Assert.Equal(HttpStatusCode.Unauthorized, (await PostAsync(gateway, "qwen3-8b", "first-key")).StatusCode);

        await EndAsync(gateway);

        static string Keys(string key) => """{"Gateway":{"Tenants":{"acme":{"Keys":["KEY"]}}}}""".Replace("KEY", key, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Trial_RunsCodeInThePythonTool_AndKeepsInTheChartsRedis()
    {
        var manifests = await Manifests.OfAsync("trial");
        var upstream = await StartUpstreamAsync();
        var redis = Keep(await TrialRedis.StartAsync(manifests));
        var tool = Keep(await PythonToolProcess.StartAsync(manifests));
        var service = manifests.One("Service", "-python-tool");
        using var pod = new MountedPod(
            manifests,
            manifests.Workload(),
            null,
            Host("http://vllm.models.svc:8000/v1", upstream),
            ("gw-responses-gateway-redis:6379", redis.EndPoint),
            ($"http://{service.Name()}:{service.List("spec", "ports").Single().Text("port")}/mcp", tool.Endpoint));
        var gateway = await StartAsync(pod);
        // What the upstream is asked to find out what it takes must not get these answers.
        await gateway.PrintedAsync("\"EventId\":3050", Cancellation);
        upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_1", "code_interpreter", """{"code":"6 * 7"}""")), ChatAnswer.Say("Done."));

        var response = await RespondAsync(gateway, "qwen3-8b", "tenant-secret-in-clear", new JsonObject { ["type"] = "code_interpreter", ["container"] = new JsonObject { ["type"] = "auto" } });

        Assert.Equal(["code_interpreter_call completed", "message completed"], response.List("output").Select(item => $"{item.Text("type")} {item.Text("status")}"));
        Assert.Contains("42", upstream.LastCall.Messages[^1]!["content"]!.ToString(), StringComparison.Ordinal);
        Assert.NotEqual("0", await redis.AskAsync("redis-secret-in-clear", "DBSIZE"));
        await EndAsync(gateway);
    }

    [Fact]
    public async Task TrialRedis_WantsItsPassword_KeepsEverything_AndStopsByItself()
    {
        await using var redis = await TrialRedis.StartAsync(await Manifests.OfAsync("trial"));

        Assert.StartsWith("NOAUTH", await redis.AskAsync(null, "PING"), StringComparison.Ordinal);
        Assert.Equal("PONG", await redis.AskAsync("redis-secret-in-clear", "PING"));
        Assert.Contains("noeviction", await redis.AskAsync("redis-secret-in-clear", "CONFIG", "GET", "maxmemory-policy"), StringComparison.Ordinal);
        Assert.Contains("yes", await redis.AskAsync("redis-secret-in-clear", "CONFIG", "GET", "appendonly"), StringComparison.Ordinal);
        Assert.Contains((256 * 1024 * 1024).ToString(System.Globalization.CultureInfo.InvariantCulture), await redis.AskAsync("redis-secret-in-clear", "CONFIG", "GET", "maxmemory"), StringComparison.Ordinal);
        Assert.Equal(0, await redis.TerminateAsync());
    }

    [Fact]
    public async Task TrialRedis_WithoutItsPassword_DoesNotStart()
    {
        var manifests = await Manifests.OfAsync("trial");

        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await using var redis = await TrialRedis.StartAsync(manifests, pod => File.Delete(Path.Combine(pod.Folder("/etc/redis-password"), "password")));
        });
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var started in Enumerable.Reverse(_started))
        {
            await started.DisposeAsync();
        }
    }

    private static (string From, string To) Host(string address, ScriptedUpstream upstream) => (address, upstream.Address.AbsoluteUri);

    /// <summary>Starts the gateway and waits until it has reported.</summary>
    private async Task<GatewayProcess> StartAsync(MountedPod pod)
    {
        var gateway = Keep(await GatewayProcess.StartAsync(pod.GatewayStart()));
        await gateway.PrintedAsync("  address", Cancellation);
        using var ready = await gateway.Client.GetAsync("/health/ready", Cancellation);
        Assert.True(ready.IsSuccessStatusCode, gateway.Output);
        return gateway;
    }

    /// <summary>Stops the gateway as Kubernetes does, and looks through all that it logged: it knew every key and had no error.</summary>
    private static async Task EndAsync(GatewayProcess gateway)
    {
        await gateway.SignalAsync("TERM");
        Assert.Equal(0, await gateway.ExitAsync(Cancellation));
        Assert.Contains("\"LogLevel\":\"Information\"", gateway.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("is not known and has no effect", gateway.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\"LogLevel\":\"Error\"", gateway.Output, StringComparison.Ordinal);
    }

    private static async Task<JsonNode> RespondAsync(GatewayProcess gateway, string model, string? key, params JsonNode[] tools)
    {
        using var response = await PostAsync(gateway, model, key, tools);
        var body = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True(response.IsSuccessStatusCode, $"{body}\n{gateway.Output}");
        return JsonNode.Parse(body)!;
    }

    private static async Task<HttpResponseMessage> PostAsync(GatewayProcess gateway, string model, string? key, params JsonNode[] tools)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = JsonContent.Create(new { model, input = "Hello", tools }) };
        request.Headers.Authorization = key is null ? null : new("Bearer", key);
        return await gateway.Client.SendAsync(request, Cancellation);
    }

    private async Task<ScriptedUpstream> StartUpstreamAsync()
    {
        var upstream = Keep(await ScriptedUpstream.StartAsync());
        upstream.Models = ["qwen3-8b"];
        return upstream;
    }

    private T Keep<T>(T started)
        where T : IAsyncDisposable
    {
        _started.Add(started);
        return started;
    }
}
