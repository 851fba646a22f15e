using System.Net.Http.Json;
using System.Text.Json;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Store;

/// <summary>What a test has at hand that needs two replicas over one Redis of its own.</summary>
public abstract class SharedRedisTest : IAsyncLifetime
{
    private protected ScriptedUpstream Upstream { get; private set; } = null!;

    private protected RedisProcess Redis { get; private set; } = null!;

    private protected TestGateway One { get; private set; } = null!;

    private protected TestGateway Two { get; private set; } = null!;

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public virtual async ValueTask InitializeAsync()
    {
        Upstream = await ScriptedUpstream.StartAsync();
        Redis = await RedisProcess.StartAsync();
        var options = GatewayFixture.OptionsFor(Upstream, ("Gateway:Tools:AllowedHosts:0", "127.0.0.1")) with
        {
            Redis = Redis.EndPoint + ",abortConnect=false,connectTimeout=1000,syncTimeout=1000,asyncTimeout=1000",
        };
        One = await TestGateway.StartAsync(options);
        Two = await TestGateway.StartAsync(options);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Two.DisposeAsync();
        await One.DisposeAsync();
        await Redis.DisposeAsync();
        await Upstream.DisposeAsync();
    }

    private protected static async Task<Reply> PostAsync(TestGateway gateway, string json)
    {
        using var response = await gateway.Client.PostAsJsonAsync(
            "/v1/responses", JsonElement.Parse($"{{\"model\":\"{GatewayFixture.Model}\",{json.TrimStart()[1..]}"), Cancellation);
        return await Reply.ReadAsync(response);
    }

    private protected static async Task<Reply> GetAsync(TestGateway gateway, string id)
    {
        using var response = await gateway.Client.GetAsync("/v1/responses/" + id, Cancellation);
        return await Reply.ReadAsync(response);
    }
}
