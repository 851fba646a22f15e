using System.Collections.Concurrent;
using System.Net;
using Gateway.Upstream;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Health;
using Yarp.ReverseProxy.Model;

namespace Gateway.Tests.Upstream;

public sealed class HealthProbesTests
{
    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    public async Task Probes_ServerErrors_TakeTheLastOneOutTooAndAnAnswerBringsItBack(int status)
    {
        await using var server = await ProbedServer.StartAsync();
        await using var host = await StartAsync(server);
        Assert.Single(Available(host));

        server.Status = status;
        for (var i = 0; i < 4; i++)
        {
            await server.ProbedAsync(_time);
        }

        await Until.TrueAsync(() => Available(host).Length == 0);
        var before = server.Chats;
        await using (var reply = await host.SendAsync())
        {
            // At once and without trying.
            Assert.Equal(("upstream_unavailable", 503), (reply.Error!.Code, reply.Error.Status));
            Assert.NotNull(reply.Error.RetryAfter);
            Assert.Equal(before, server.Chats);
        }

        server.Status = 200;
        await server.ProbedAsync(_time);
        await Until.TrueAsync(() => Available(host).Length == 1);
        Assert.NotEqual(0, Available(host)[0].RampFrom);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(404)]
    [InlineData(429)]
    public async Task Probes_AnyOtherAnswer_IsAlive(int status)
    {
        await using var server = await ProbedServer.StartAsync(status);
        await using var host = await StartAsync(server);

        for (var i = 0; i < 4; i++)
        {
            await server.ProbedAsync(_time);
        }

        Assert.Single(Available(host));
    }

    [Theory]
    [InlineData(null, "/v1/models")]
    [InlineData("health", "/v1/health")]
    [InlineData("/health", "/health")]
    public async Task Probes_AskWithTheUpstreamsCredentialsBelowTheBaseOrTheRoot(string? path, string expected)
    {
        await using var server = await ProbedServer.StartAsync();
        await using var host = await StartAsync(server, path);

        await server.ProbedAsync(_time);

        Assert.Equal((expected, "Bearer probe-key"), server.Probes.First());
    }

    [Fact]
    public async Task Probes_OneOfTwoIsDown_ItGetsNoCalls()
    {
        await using var sick = await ProbedServer.StartAsync(500);
        await using var well = await ProbedServer.StartAsync();
        await using var host = await StartAsync([sick.Address, well.Address]);
        for (var i = 0; i < 3; i++)
        {
            await sick.ProbedAsync(_time);
        }

        await Until.TrueAsync(() => Available(host).Length == 1);
        for (var i = 0; i < 6; i++)
        {
            await using var reply = await host.SendAsync();
            Assert.Equal(UpstreamFailure.None, reply.Failure);
        }

        Assert.Equal((0, 6), (sick.Chats, well.Chats));
    }

    [Fact]
    public async Task ProbingCompleted_ThreeFailuresInARow_TakeItOutAndOneAnswerBringsItBack()
    {
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Refusing());
        var health = new RecordedHealth();
        var probes = new HealthProbes(host.Get<UpstreamRegistry>(), host.Get<DestinationPicker>(), health);
        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        var destination = cluster.DestinationsState.AllDestinations[0];

        foreach (var status in (int?[])[503, null, 200, null, 500, 502, 404])
        {
            using var response = status is { } code ? new HttpResponseMessage((HttpStatusCode)code) : null;
            probes.ProbingCompleted(cluster, [new DestinationProbingResult(destination, response, response is null ? new HttpRequestException() : null)]);
        }

        Assert.Equal([null, null, DestinationHealth.Healthy, null, null, DestinationHealth.Unhealthy, DestinationHealth.Healthy], health.Set);
    }

    private Task<UpstreamHost> StartAsync(ProbedServer server, string? path = null) => StartAsync([server.Address], path);

    private Task<UpstreamHost> StartAsync(string[] addresses, string? path = null)
    {
        var settings = UpstreamHost.Settings(addresses);
        settings["Gateway:Upstreams:main:ApiKey"] = "probe-key";
        if (path is null)
        {
            settings.Remove("Gateway:Upstreams:main:Health:Path");
        }
        else
        {
            settings["Gateway:Upstreams:main:Health:Path"] = path;
        }

        return UpstreamHost.StartAsync(settings, s => s.AddSingleton<TimeProvider>(_time));
    }

    private static DestinationStats[] Available(UpstreamHost host)
    {
        var picker = host.Get<DestinationPicker>();
        return [.. picker.CandidatesOf(host.Routes.Find("m")!).SelectMany(c => c.Available(picker))];
    }

    private sealed class RecordedHealth : IDestinationHealthUpdater
    {
        /// <summary>What was set after each round; null for nothing.</summary>
        public List<DestinationHealth?> Set { get; } = [];

        public void SetActive(ClusterState cluster, IEnumerable<NewActiveDestinationHealth> newHealthStates) =>
            Set.Add(newHealthStates.ToList() is [var one] ? one.NewActiveHealth : null);

        public void SetPassive(ClusterState cluster, DestinationState destination, DestinationHealth newHealth, TimeSpan reactivationPeriod) =>
            throw new NotSupportedException();
    }

    /// <summary>A server that answers probes with a status and chats with an empty object.</summary>
    private sealed class ProbedServer : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private int _status = 200;
        private int _chats;
        private int _seen;

        private ProbedServer(WebApplication app) => _app = app;

        public string Address => $"{_app.Urls.First()}/v1";

        public int Status
        {
            get => Volatile.Read(ref _status);
            set => Volatile.Write(ref _status, value);
        }

        public int Chats => Volatile.Read(ref _chats);

        public ConcurrentQueue<(string Path, string Key)> Probes { get; } = new();

        public static async Task<ProbedServer> StartAsync(int status = 200)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            var app = builder.Build();
            var server = new ProbedServer(app) { Status = status };
            app.Run(server.AnswerAsync);
            await app.StartAsync();
            return server;
        }

        /// <summary>Lets the clock go on until the next probe comes; the first one comes with the start.</summary>
        public async Task ProbedAsync(FakeTimeProvider time)
        {
            _seen++;
            await Until.TrueAsync(() =>
            {
                if (Probes.Count < _seen)
                {
                    time.Advance(TimeSpan.FromSeconds(10));
                }

                return Probes.Count >= _seen;
            });
        }

        public async ValueTask DisposeAsync()
        {
            using var now = new CancellationTokenSource();
            await now.CancelAsync();
            await _app.StopAsync(now.Token);
            await _app.DisposeAsync();
        }

        private async Task AnswerAsync(HttpContext context)
        {
            if (HttpMethods.IsGet(context.Request.Method))
            {
                context.Response.StatusCode = Status;
                Probes.Enqueue((context.Request.Path.Value!, context.Request.Headers.Authorization.ToString()));
                return;
            }

            Interlocked.Increment(ref _chats);
            await context.Response.WriteAsync("{}");
        }
    }
}
