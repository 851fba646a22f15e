using System.Text;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Store;

/// <summary>What a test has at hand that kills the built executable with SIGKILL and starts it again on the same store.</summary>
public abstract class RestartTest : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private TestRedis? _redis;

    private protected ScriptedUpstream Upstream { get; private set; } = null!;

    private protected GatewayProcess Gateway { get; private set; } = null!;

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public virtual async ValueTask InitializeAsync() => Upstream = await ScriptedUpstream.StartAsync();

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Gateway is not null)
        {
            await Gateway.DisposeAsync();
        }

        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }

        await Upstream.DisposeAsync();
        _folder.Dispose();
    }

    private protected async Task RestartAsync(string store)
    {
        await Gateway.KillAsync();
        await Gateway.DisposeAsync();
        await StartAsync(store);
    }

    /// <summary>Starts the gateway on a store: <c>sqlite</c> or <c>redis</c>.</summary>
    private protected async Task StartAsync(string store)
    {
        if (store == "redis")
        {
            _redis ??= await TestRedis.StartAsync();
        }

        // A key of a tenant made for this test, since a Redis may be shared.
        var tenant = "t" + Path.GetFileName(_folder.Path)[^6..].ToLowerInvariant();
        Gateway = await GatewayProcess.StartAsync(
            GatewayFixture.OptionsFor(Upstream, ($"Gateway:Tenants:{tenant}:Keys:0", "key"), ("Gateway:Tools:AllowedHosts:0", "127.0.0.1")) with
            {
                StorePath = _folder.Path,
                Redis = _redis?.ConnectionString,
            });
        Gateway.Client.DefaultRequestHeaders.Authorization = new("Bearer", "key");
    }

    private protected async Task<ResponseStream> StreamAsync(string json)
    {
        using var request = Post($"{{\"stream\":true,{json.TrimStart()[1..]}");
        using var response = await Gateway.Client.SendAsync(request, Cancellation);
        return ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
    }

    private protected async Task<Reply> PostAsync(string json)
    {
        using var request = Post(json);
        using var response = await Gateway.Client.SendAsync(request, Cancellation);
        return await Reply.ReadAsync(response);
    }

    private protected async Task<Reply> GetAsync(string path)
    {
        using var response = await Gateway.Client.GetAsync(path, Cancellation);
        return await Reply.ReadAsync(response);
    }

    private protected async Task<Reply> PostToAsync(string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await Gateway.Client.PostAsync(path, content, Cancellation);
        return await Reply.ReadAsync(response);
    }

    private protected static HttpRequestMessage Post(string json) => new(HttpMethod.Post, "/v1/responses")
    {
        Content = new StringContent($"{{\"model\":\"{GatewayFixture.Model}\",{json.TrimStart()[1..]}", Encoding.UTF8, "application/json"),
    };
}
