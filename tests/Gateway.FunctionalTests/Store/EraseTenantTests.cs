using System.Text;
using Gateway.Store;
using Gateway.Testing.Redis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Gateway.FunctionalTests.Store;

/// <summary>Administrators erase tenants; nobody else does.</summary>
public sealed class EraseTenantTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Mark = "Hq3Vx9Tn";
    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task Erase_Tenant_IsGoneAndOthersStay(string store)
    {
        await StartAsync(store, ("Gateway:Admin:Keys:0", "root"));
        var first = (await CreateAsync($$"""{"input":"Hi {{Mark}}"}""", "key-a")).Text("id")!;
        var second = (await CreateAsync($$"""{"input":"More","previous_response_id":"{{first}}"}""", "key-a")).Text("id")!;
        var other = (await CreateAsync("""{"input":"Hi"}""", "key-ab")).Text("id")!;

        var erased = (await DeleteAsync("/admin/tenants/a", "root")).AssertOk();
        var again = (await DeleteAsync("/admin/tenants/a", "root")).AssertOk();

        // Two records, a log, and the index with its list of days; or two rows of responses, a log and two turns.
        Assert.Equal("""{"object":"tenant","tenant":"a","deleted":true,"responses":2,"entries":5}""", erased.GetRawText());
        Assert.Equal("""{"object":"tenant","tenant":"a","deleted":true,"responses":0,"entries":0}""", again.GetRawText());
        foreach (var id in (string[])[first, second])
        {
            (await GetAsync("/v1/responses/" + id, "key-a")).AssertError(404, null, null);
            (await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{id}}"}"""), "key-a")).AssertError(400, "previous_response_not_found", "previous_response_id");
        }

        Assert.Empty((await GetAsync("/v1/responses", "key-a")).AssertOk().Each("data"));
        (await GetAsync("/v1/responses/" + other, "key-ab")).AssertOk();
        Assert.Single((await GetAsync("/v1/responses", "key-ab")).AssertOk().Each("data"));
        if (store == "sqlite")
        {
            Assert.DoesNotContain(Files(), file => file.Contains(Mark, StringComparison.Ordinal));
        }

        var told = Gateway.Logs.All.Where(log => log.Category == "Gateway.Admin.EraseTenant").Select(log => log.Message).ToArray();
        Assert.Equal(4, told.Length);
        Assert.StartsWith("Erasing tenant 'a' (request req_", told[0], StringComparison.Ordinal);
        Assert.EndsWith(", key Gateway:Admin:Keys:0).", told[0], StringComparison.Ordinal);
        Assert.StartsWith("Erased tenant 'a': 2 responses, 5 entries in all (request req_", told[1], StringComparison.Ordinal);
        Assert.DoesNotContain(told, line => line.Contains("root", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Erase_WithoutAnAdministratorsKey_Is401AndErasesNothing()
    {
        await StartAsync("sqlite", ("Gateway:Admin:Keys:0", "root"));
        var id = (await CreateAsync("""{"input":"Hi"}""", "key-a")).Text("id")!;

        foreach (var key in (string?[])[null, "key-a", "key-ab", "Root", "roo"])
        {
            (await DeleteAsync("/admin/tenants/a", key)).AssertError(401, "invalid_api_key", null);
        }

        (await GetAsync("/v1/responses/" + id, "key-a")).AssertOk();
        (await GetAsync("/v1/responses", "root")).AssertError(401, "invalid_api_key", null);
    }

    [Fact]
    public async Task Erase_NoKeysConfigured_IsNoRoute()
    {
        await StartAsync("sqlite");

        (await DeleteAsync("/admin/tenants/a")).AssertError(401, "invalid_api_key", null);
        Assert.Equal(404, (int)(await DeleteAsync("/admin/tenants/a", "key-a")).Status);
    }

    [Theory]
    [InlineData("A")]
    [InlineData("a*")]
    [InlineData("%5Ba%5D")]
    [InlineData("a%7D")]
    public async Task Erase_NoNameOfATenant_Is400(string name)
    {
        await StartAsync("sqlite", ("Gateway:Admin:Keys:0", "root"));

        (await DeleteAsync("/admin/tenants/" + name, "root")).AssertError(400, "invalid_value", "tenant");
    }

    [Fact]
    public async Task Erase_StoreIsDown_Is503()
    {
        var redis = Own(await RedisProcess.StartAsync());
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Admin:Keys:0", "root"), ("Gateway:Store:CommandTimeout", "00:00:00.5")) with { Redis = redis.EndPoint });
        Gateway.AllowedErrors = log => log.Category.StartsWith("Gateway.", StringComparison.Ordinal);
        await redis.KillAsync();

        (await DeleteAsync("/admin/tenants/a", "root")).AssertError(503, "store_unavailable", null, "server_error");
    }

    private async Task StartAsync(string store, params (string Key, string Value)[] settings)
    {
        var redis = store == "redis" ? Own(await RedisProcess.StartAsync()) : null;
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(
            GatewayFixture.OptionsFor(Upstream, [("Gateway:Tenants:a:Keys:0", "key-a"), ("Gateway:Tenants:a.b:Keys:0", "key-ab"), .. settings]) with
            {
                Redis = redis?.EndPoint,
            });
    }

    /// <summary>Every file of the store, byte by byte as Latin-1; but not the lock, which nobody else may open.</summary>
    private List<string> Files()
    {
        var folder = Gateway.Services.GetRequiredService<IOptions<StoreOptions>>().Value.Path;
        return [.. Directory.GetFiles(folder).Where(path => Path.GetFileName(path) != "lock").Select(path =>
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(file, Encoding.Latin1);
            return reader.ReadToEnd();
        })];
    }
}
