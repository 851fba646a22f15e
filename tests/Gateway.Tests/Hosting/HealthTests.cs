using System.Net;
using System.Text.Json;
using Gateway.Telemetry;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Hosting;

public sealed class HealthTests
{
    private static readonly string[] WithKey = ["--Gateway:Tenants:a:Keys:0=k"];

    [Theory]
    [InlineData("/health/live")]
    [InlineData("/health/ready")]
    [InlineData("/metrics")]
    public async Task Get_OpenEndpointWithKeysConfigured_NeedsNoKey(string path)
    {
        await using var gateway = await RunningGateway.StartAsync(WithKey);

        using var answer = await gateway.Client.GetAsync(new Uri(path, UriKind.Relative));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Ready_AllPartsReady_ListsThem()
    {
        await using var gateway = await RunningGateway.StartAsync(
            configure: b => b.Services.AddSingleton<IReadinessPart>(new Part(new ReadinessState(true, "down", "It was reached before."))));

        using var answer = await gateway.Client.GetAsync(new Uri("/health/ready", UriKind.Relative));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("no-store", answer.Headers.CacheControl?.ToString());
        var body = await answer.Content.ReadAsStringAsync();
        Assert.StartsWith("""{"status":"ok","parts":{"process":{"ready":true,"status":"ok"},""", body, StringComparison.Ordinal);
        Assert.Contains("\"other\":" + """{"ready":true,"status":"down","detail":"It was reached before."}""", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ready_OnePartNotReady_Is503ButAlive()
    {
        await using var gateway = await RunningGateway.StartAsync(
            configure: b => b.Services.AddSingleton<IReadinessPart>(new Part(new ReadinessState(false, "starting"))));

        using var ready = await gateway.Client.GetAsync(new Uri("/health/ready", UriKind.Relative));
        using var live = await gateway.Client.GetAsync(new Uri("/health/live", UriKind.Relative));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        using var body = JsonDocument.Parse(await ready.Content.ReadAsStringAsync());
        Assert.Equal("starting", body.RootElement.GetProperty("parts").GetProperty("other").GetProperty("status").GetString());
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
    }

    [Fact]
    public async Task Head_Ready_HasNoBody()
    {
        await using var gateway = await RunningGateway.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Head, "/health/ready");

        using var answer = await gateway.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync());
    }

    private sealed class Part(ReadinessState state) : IReadinessPart
    {
        public string Name => "other";

        public ReadinessState Check() => state;
    }
}
