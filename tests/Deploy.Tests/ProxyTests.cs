using System.Net;
using System.Text;
using Gateway.Testing;
using Gateway.Testing.Scripting;

namespace Deploy.Tests;

/// <summary>The proxy's configuration is valid, and what clients, operators and failures meet at it.</summary>
public sealed class ProxyTests : IAsyncLifetime
{
    private const string File = "deploy/proxy/haproxy.cfg";

    private ScriptedUpstream _upstream = null!;
    private TestGateway _one = null!;
    private ProxyProcess _proxy = null!;
    private HttpClient _client = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _upstream = await ScriptedUpstream.StartAsync();
        _one = await TestGateway.StartAsync(new TestGatewayOptions { Upstreams = new Dictionary<string, Uri> { ["main"] = _upstream.Address } });
        // The second replica is not there.
        _proxy = ProxyProcess.Start(File, _one.BaseAddress, new Uri($"http://127.0.0.1:{ProxyProcess.FreePort()}"));
        _client = new HttpClient { BaseAddress = _proxy.BaseAddress };
        await _proxy.ReadyAsync(1, Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _proxy.DisposeAsync();
        await _one.DisposeAsync();
        await _upstream.DisposeAsync();
    }

    [Fact]
    public async Task Configuration_IsValid()
    {
        // With names of containers that nobody knows here, as in a container that starts first.
        var output = await Tool.SucceedAsync("haproxy", ["-c", "-f", File]);

        Assert.Contains("Configuration file is valid", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Replicas_AreThoseOfTheComposeFile()
    {
        var services = Yaml.Texts(Yaml.Read("deploy/compose.yaml")["services"]).Where(service => service.StartsWith("gateway-", StringComparison.Ordinal));

        Assert.Equal(services, Repository.Read(File).Split('\n').Select(line => line.Trim().Split(' ')).Where(words => words[0] == "server").Select(words => words[1]));
    }

    [Theory]
    [InlineData("/metrics")]
    [InlineData("/health/ready")]
    [InlineData("/admin/tenants/default")]
    public async Task OperatorsPaths_AreNotForClients(string path)
    {
        using var answer = await _client.GetAsync(new Uri(path, UriKind.Relative), Cancellation);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.False(answer.Headers.Contains("x-request-id"));
    }

    [Fact]
    public async Task Status_IsThatOfTheReplicas()
    {
        using var client = new HttpClient { BaseAddress = _proxy.Status };

        using var healthy = await client.GetAsync(new Uri("/health", UriKind.Relative), Cancellation);
        Assert.Equal(HttpStatusCode.OK, healthy.StatusCode);
        using var other = await client.GetAsync(new Uri("/", UriKind.Relative), Cancellation);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, other.StatusCode);
    }

    [Fact(Timeout = 30_000)]
    public async Task Deltas_AreNotHeldBack()
    {
        var script = new ChatStream().Role().Text("Hel").Hold().Text("lo.").End();
        _upstream.Enqueue([script]);
        using var request = Post("\"stream\":true");
        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));

        // The model says no more before this has arrived.
        while (await reader.ReadLineAsync(TestContext.Current.CancellationToken) is { } line && !line.Contains("\"delta\":\"Hel\"", StringComparison.Ordinal))
        {
            Assert.DoesNotContain("response.completed", line, StringComparison.Ordinal);
        }

        script.Hold.Release();
        Assert.Contains("response.completed", await reader.ReadToEndAsync(Cancellation), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 4)]
    public async Task RefusedPost_IsMadeAgainOnlyWithAKeyThatMakesItOnce(bool hasKey, int attempts)
    {
        // Busy for good: what the gateway can not get it tells as 503, and the proxy may come again three times.
        _upstream.Default = _ => ChatScript.Of(503, """{"error":{"message":"Loading."}}""");
        using var request = Post("\"stream\":false");
        if (hasKey)
        {
            request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        }

        using var response = await _client.SendAsync(request, Cancellation);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(attempts, _one.Metrics.Of("gateway.errors").Count());
    }

    private static HttpRequestMessage Post(string member) => new(HttpMethod.Post, "/v1/responses")
    {
        Content = new StringContent($"{{\"model\":\"scripted\",\"input\":\"Hello\",{member}}}", Encoding.UTF8, "application/json"),
    };
}
