using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using Gateway.Testing;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>What administrators see of upstreams and of the configuration, where, and that nobody else does.</summary>
public sealed class AdminViewTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Secret = "Zx9Qw7Rk";

    [Fact]
    public async Task Upstreams_TellProfileModelsAndDestinations()
    {
        await UseOwnGatewayAsync(
            ("Gateway:Admin:Keys:0", "root"), ("Gateway:Upstreams:main:ApiKey", Secret), ("Gateway:Upstreams:main:Headers:x-team", Secret), ("Gateway:Upstreams:main:Health:Path", ""),
            ("Gateway:Upstreams:main:ProfileOptions:system_merge", "leading"), ("Gateway:Upstreams:main:ProfileOptions:extra_body:secret", Secret));
        await CreateAsync("""{"input":"Hi"}""");

        var list = (await GetAsync("/admin/upstreams", "root")).AssertOk();

        var upstream = list.Each("data").Single();
        Assert.Equal(("list", "upstream", "main"), (list.Text("object"), upstream.Text("object"), upstream.Text("name")));
        Assert.Equal(("generic", "leading"), (upstream.Text("profile.name"), upstream.Text("profile.settings.system_merge")));
        Assert.Equal(["system_merge", "extra_body"], upstream.GetProperty("profile").Each("configured").Select(key => key.GetString()).OrderDescending());
        Assert.Equal(JsonValueKind.Null, upstream.GetProperty("probe").ValueKind);
        Assert.Equal([GatewayFixture.Model], upstream.Each("models").Select(model => model.GetString()));
        var destination = upstream.Each("destinations").Single();
        Assert.Equal(Upstream.Address.AbsoluteUri, destination.Text("address"));
        Assert.Equal(("unknown", 0, 0, true), (
            destination.Text("health"), destination.GetProperty("in_flight").GetInt32(), destination.GetProperty("failures").GetInt32(),
            destination.GetProperty("available").GetBoolean()));
        Assert.DoesNotContain(Secret, list.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Upstreams_SeveralServeAModel_EachNamesIt()
    {
        await UseOwnGatewayAsync(
            ("Gateway:Admin:Keys:0", "root"), ("Gateway:Upstreams:other:Address", Upstream.Address.AbsoluteUri), ("Gateway:Upstreams:other:Profile", "generic"),
            ("Gateway:Upstreams:other:Models:0", GatewayFixture.Model));

        var upstreams = (await GetAsync("/admin/upstreams", "root")).AssertOk().Each("data").ToList();

        Assert.All(upstreams, upstream => Assert.Equal([GatewayFixture.Model], upstream.Each("models").Select(model => model.GetString())));
    }

    [Fact]
    public async Task Upstreams_CountFailuresAndWhatIsInFlight()
    {
        await UseOwnGatewayAsync(("Gateway:Admin:Keys:0", "root"));
        Upstream.Enqueue(ChatScript.Of(503, "{}"));
        (await PostAsync(WithModel("""{"input":"Hi"}"""))).AssertError(503, "upstream_unavailable", null, "server_error");
        var hold = new ChatScript { Steps = [new HoldStep()] };
        Upstream.Enqueue(hold);
        var open = OpenStreamAsync("""{"input":"Hi"}""");
        await hold.Hold.Reached.WaitAsync(Cancellation);

        var destination = (await GetAsync("/admin/upstreams", "root")).AssertOk().Each("data").Single().Each("destinations").Single();
        hold.Hold.Release();
        (await open).Dispose();

        Assert.Equal((1, 1), (destination.GetProperty("in_flight").GetInt32(), destination.GetProperty("failures").GetInt32()));
    }

    [Fact]
    public async Task Upstreams_TellHowManyRequestsWait()
    {
        await UseOwnGatewayAsync(
            ("Gateway:Admin:Keys:0", "root"), ("Gateway:Upstreams:main:MaxConcurrentRequests", "1"), ("Gateway:Upstreams:main:MaxQueued", "7"));
        var hold = new ChatScript { Steps = [new HoldStep()] };
        Upstream.Enqueue(hold);
        var open = OpenStreamAsync("""{"input":"Hi"}""");
        await hold.Hold.Reached.WaitAsync(Cancellation);
        var waiting = CreateAsync("""{"input":"Hi"}""");
        await Gateway.Metrics.WaitForSumAsync("gateway.upstream.queued", 1);

        Assert.Equal((1, 7), await LoadAsync());

        hold.Hold.Release();
        (await open).Dispose();
        await waiting;
        Assert.Equal((0, 7), await LoadAsync());

        async Task<(int, int)> LoadAsync()
        {
            var load = (await GetAsync("/admin/upstreams", "root")).AssertOk().Each("data").Single().GetProperty("load");
            return (load.GetProperty("queued").GetInt32(), load.GetProperty("max_queued").GetInt32());
        }
    }

    [Fact]
    public async Task Upstreams_TellPlaceAndWhatIsLeftAlone()
    {
        await UseOwnGatewayAsync(
            ("Gateway:Admin:Keys:0", "root"), ("Gateway:Upstreams:main:Health:Path", ""), ("Gateway:Upstreams:main:Priority", "2"),
            ("Gateway:Upstreams:main:Weight", "3"), ("Gateway:Upstreams:main:MaxConcurrentRequests", "4"));
        for (var i = 0; i < 3; i++)
        {
            Upstream.Enqueue(ChatScript.Of(503, "{}"));
            (await PostAsync(WithModel("""{"input":"Hi"}"""))).AssertError(503, "upstream_unavailable", null, "server_error");
        }

        var upstream = (await GetAsync("/admin/upstreams", "root")).AssertOk().Each("data").Single();

        Assert.Equal((2, 3, 4), (
            upstream.GetProperty("priority").GetInt32(), upstream.GetProperty("weight").GetInt32(), upstream.GetProperty("max_concurrent_requests").GetInt32()));
        var destination = upstream.Each("destinations").Single();
        Assert.Equal((1, 0), (destination.GetProperty("ejections").GetInt32(), destination.GetProperty("spared_seconds").GetInt32()));
        Assert.InRange(destination.GetProperty("left_alone_seconds").GetInt32(), 1, 10);
    }

    [Fact]
    public async Task Upstreams_Probed_TellWhatWasFoundOut()
    {
        var server = Own(await RecordedServer.StartAsync("tgi"));
        await UseGatewayAsync(new TestGatewayOptions
        {
            Upstreams = new Dictionary<string, Uri> { ["tgi"] = new(server.Address) },
            Settings = new Dictionary<string, string> { ["Gateway:Admin:Keys:0"] = "root", ["Gateway:Probing:Enabled"] = "true" },
        });

        var upstream = await ProbedAsync();

        Assert.Equal(("tgi", "3.3.4"), (upstream.Text("probe.kind"), upstream.Text("probe.version")));
        Assert.Equal(("tgi", "none"), (upstream.Text("profile.name"), upstream.Text("profile.settings.json_schema")));
        Assert.Equal(server.Expected["learned"]!.ToJsonString(), upstream.GetProperty("probe").GetProperty("learned").GetRawText());
        Assert.Equal(server.Expected["capabilities"]!.ToJsonString(), upstream.GetProperty("probe").GetProperty("capabilities").GetRawText());
        Assert.Equal(7, upstream.GetProperty("probe").GetProperty("calls").GetInt32());
    }

    [Fact]
    public async Task Configuration_HidesSecrets()
    {
        await UseOwnGatewayAsync(
            ("Gateway:Admin:Keys:0", "root" + Secret), ("Gateway:Tenants:a:Keys:0", "a" + Secret), ("Gateway:Upstreams:main:ApiKey", Secret),
            ("Gateway:Tools:Servers:s:Url", $"https://s.example/{Secret}"), ("Gateway:Tools:Servers:s:ApiKey", Secret));

        var view = (await GetAsync("/admin/configuration", "root" + Secret)).AssertOk();

        Assert.Equal("configuration", view.Text("object"));
        Assert.Equal(("[hidden]", "generic"), (view.Text("gateway.Upstreams.main.ApiKey"), view.Text("gateway.Upstreams.main.Profile")));
        Assert.Equal("https://s.example", view.Text("gateway.Tools.Servers.s.Url"));
        Assert.DoesNotContain(Secret, view.GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/admin/upstreams")]
    [InlineData("/admin/configuration")]
    public async Task Views_WithoutAnAdministratorsKey_Are401(string path)
    {
        await UseOwnGatewayAsync(("Gateway:Admin:Keys:0", "root"), ("Gateway:Tenants:a:Keys:0", "key-a"));

        foreach (var key in (string?[])[null, "key-a", "Root"])
        {
            (await GetAsync(path, key)).AssertError(401, "invalid_api_key", null);
        }

        Assert.Equal(3, Gateway.Logs.All.Count(log => log.EventId.Id == 8003));
    }

    [Theory]
    [InlineData("/admin/upstreams")]
    [InlineData("/admin/configuration")]
    public async Task Views_NoKeysConfigured_AreNoRoutes(string path)
    {
        await UseOwnGatewayAsync();

        Assert.Equal(404, (int)(await GetAsync(path, "any")).Status);
    }

    [Theory]
    [InlineData("urls", "http://127.0.0.1:0")]
    [InlineData("Kestrel:Endpoints:Main:Url", "http://127.0.0.1:0")]
    public async Task Port_OfItsOwn_HasTheAdministratorsRoutesAndNoOthers(string where, string address)
    {
        var port = FreePort();
        await UseOwnGatewayAsync((where, address), ("Gateway:Admin:Keys:0", "root"), ("Gateway:Admin:Port", $"{port}"));
        using var admin = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        admin.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "root");

        Assert.NotEqual(port, Gateway.BaseAddress.Port);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(admin, "/admin/upstreams"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(admin, "/health/live"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(admin, "/metrics"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(admin, "/v1/models"));
        (await GetAsync("/admin/upstreams", "root")).AssertError(404, "unknown_url", null);
        (await DeleteAsync("/admin/tenants/default", "root")).AssertError(404, "unknown_url", null);
        (await GetAsync("/v1/models")).AssertOk();
        // The port in a header proves nothing.
        (await SendAsync(HttpMethod.Get, "/admin/upstreams", null, "root", ("Host", $"127.0.0.1:{port}"))).AssertError(404, "unknown_url", null);
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var response = await client.GetAsync(new Uri(path, UriKind.Relative), Cancellation);
        return response.StatusCode;
    }

    /// <summary>A port that was free a moment ago.</summary>
    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private async Task<JsonElement> ProbedAsync()
    {
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (true)
        {
            var upstream = (await GetAsync("/admin/upstreams", "root")).AssertOk().Each("data").Single();
            if (upstream.Text("probe.status") == "complete")
            {
                return upstream;
            }

            await polls.WaitForNextTickAsync(Cancellation);
        }
    }
}
