using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Gateway.Testing;
using Gateway.Upstream;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy;

namespace Gateway.Tests.Upstream;

public sealed class UpstreamConnectionTests
{
    [Fact]
    public async Task CaFile_IsTheOnlyTrust()
    {
        using var authority = TestCertificates.MakeAuthority();
        using var other = TestCertificates.MakeAuthority();
        using var certificate = TestCertificates.Make(authority);
        await using var server = await StartTlsAsync(certificate);
        var address = $"{server.Urls.First()}/v1";
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, authority.ExportCertificatePem());
            Assert.Equal(UpstreamFailure.None, await TryAsync(address, file));

            await File.WriteAllTextAsync(file, other.ExportCertificatePem());
            Assert.Equal(UpstreamFailure.Connect, await TryAsync(address, file));
            Assert.Equal(UpstreamFailure.Connect, await TryAsync(address, null));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task ConnectTimeout_EndsTheWaitForAServerThatDoesNotAccept()
    {
        // A full accept queue: the system leaves further connections unanswered.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        var fillers = new List<Socket>();
        for (var i = 0; i < 4; i++)
        {
            var filler = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
            _ = filler.ConnectAsync(full.LocalEndPoint!).ContinueWith(_ => { }, TaskScheduler.Default);
            fillers.Add(filler);
        }

        await using var server = await FakeServer.AnswerAsync(200, "{}");
        var settings = UpstreamHost.Settings($"http://127.0.0.1:{((IPEndPoint)full.LocalEndPoint!).Port}/v1", server.Address);
        settings["Gateway:Upstreams:main:ConnectTimeout"] = "00:00:00.200";
        await using var host = await UpstreamHost.StartAsync(settings);

        for (var i = 0; i < 2; i++)
        {
            await using var reply = await host.SendAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(5));
            Assert.Equal(UpstreamFailure.None, reply.Failure);
        }

        fillers.ForEach(f => f.Dispose());
    }

    [Fact]
    public async Task Health_DestinationThatRefuses_IsLeftAloneButNotTheLastOne()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Refusing(), server.Address);

        for (var i = 0; i < 4; i++)
        {
            await using var reply = await host.SendAsync();
        }

        var stats = host.Get<DestinationPicker>().CandidatesOf(host.Routes.Find("m")!)[0].Available(host.Get<DestinationPicker>());
        Assert.Equal([0, 1], stats.Select(s => s.Ejections).Order());
        await server.DisposeAsync();
        await using var failed = await host.SendAsync();
        await using var again = await host.SendAsync();
        Assert.Equal([UpstreamFailure.Connect, UpstreamFailure.Connect], [failed.Failure, again.Failure]);
    }

    [Fact]
    public async Task Metrics_CountAttemptsByOutcome()
    {
        var counted = new Dictionary<string, long>();
        using var listener = new MeterListener();
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        var refusing = UpstreamHost.Refusing();
        await using var host = await UpstreamHost.StartAsync(refusing, server.Address);
        var factory = host.Get<IMeterFactory>();
        listener.InstrumentPublished = (instrument, l) =>
        {
            // Meters of other tests' hosts have the same name.
            if (instrument.Meter.Name == "Gateway" && ReferenceEquals(instrument.Meter.Scope, factory))
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var key = instrument.Name;
            foreach (var tag in tags)
            {
                key += $" {tag.Value}";
            }

            lock (counted)
            {
                counted[key] = counted.GetValueOrDefault(key) + value;
            }
        });
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) =>
        {
            lock (counted)
            {
                counted[instrument.Name] = counted.GetValueOrDefault(instrument.Name) + (value > 0 ? 1 : 0);
            }
        });
        listener.Start();

        for (var i = 0; i < 2; i++)
        {
            await using var reply = await host.SendAsync();
        }

        Assert.Equal(1, counted["gateway.upstream.requests main connect"]);
        Assert.Equal(2, counted["gateway.upstream.requests main ok"]);
        Assert.Equal(0, counted[$"gateway.upstream.in_flight main {server.Address}"]);
        Assert.Equal(1, counted["gateway.upstream.retries main within"]);
        Assert.Equal(1, counted[$"gateway.upstream.ejections main {refusing} connect"]);
        Assert.Equal(2, counted["gateway.upstream.time_to_headers"]);
    }

    [Theory]
    [InlineData("too long")]
    [InlineData("")]
    public async Task Passthrough_ServerAnswersBeforeItHasReadTheRequest_IsNoSignOfSickness(string answer)
    {
        using var authority = TestCertificates.MakeAuthority();
        using var certificate = TestCertificates.Make(authority);
        using var folder = new TemporaryFolder();
        var asked = 0;
        await using var server = await StartTlsAsync(certificate, context =>
        {
            asked++;
            Assert.True(HttpProtocol.IsHttp2(context.Request.Protocol));
            context.Response.StatusCode = StatusCodes.Status413PayloadTooLarge;
            return context.Response.WriteAsync(answer);
        });
        var file = Path.Combine(folder.Path, "ca.pem");
        await File.WriteAllTextAsync(file, authority.ExportCertificatePem());
        var settings = UpstreamHost.Settings($"{server.Urls.First()}/v1");
        settings["Gateway:Upstreams:main:CaFile"] = file;
        await using var host = await UpstreamHost.StartAsync(settings);
        // More than Kestrel takes of a request that nobody reads.
        var body = $$"""{"model":"m","input":"{{new string('x', 8 * 1024 * 1024)}}"}""";

        using var response = await host.Client.PostAsync("/v1/embeddings", new StringContent(body, Encoding.UTF8, "application/json"));

        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, answer), (response.StatusCode, await response.Content.ReadAsStringAsync()));
        Assert.Equal(1, asked);
        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        Assert.Equal(0, host.Get<DestinationPicker>().Stats("main", cluster.DestinationsState.AllDestinations[0]).Ejections);
    }

    [Fact]
    public async Task Passthrough_ServersCloseWhileARequestIsSent_AreNotTakenOutByThatOne()
    {
        // As small servers do with a body over their limit: they close what they will not read.
        await using var first = new ClosingServer();
        await using var second = new ClosingServer();
        await using var host = await UpstreamHost.StartAsync(first.Address, second.Address);
        var body = $$"""{"model":"m","input":"{{new string('x', 16 * 1024 * 1024)}}"}""";

        using var response = await host.Client.PostAsync("/v1/embeddings", new StringContent(body, Encoding.UTF8, "application/json"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        var picker = host.Get<DestinationPicker>();
        Assert.All(cluster.DestinationsState.AllDestinations, destination => Assert.Equal((1, 0), Counted(picker.Stats("main", destination))));

        static (int, int) Counted(DestinationStats stats) => (stats.Failures, stats.Ejections);
    }

    private static async Task<UpstreamFailure> TryAsync(string address, string? caFile)
    {
        var settings = UpstreamHost.Settings(address);
        settings["Gateway:Upstreams:main:CaFile"] = caFile;
        await using var host = await UpstreamHost.StartAsync(settings);
        await using var reply = await host.SendAsync();
        return reply.Failure;
    }

    private static async Task<WebApplication> StartTlsAsync(X509Certificate2 certificate, RequestDelegate? answer = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.UseHttps(certificate)));
        var app = builder.Build();
        app.Run(answer ?? (context => context.Response.WriteAsync("{}")));
        await app.StartAsync();
        return app;
    }

    /// <summary>A server that resets each connection once it has seen the beginning of a request.</summary>
    private sealed class ClosingServer : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Task _loop;

        public ClosingServer()
        {
            _listener.Start();
            _loop = ServeAsync();
        }

        public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/v1";

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await _loop;
        }

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await _listener.AcceptTcpClientAsync();
                    await client.GetStream().ReadExactlyAsync(new byte[1024]);
                    client.LingerState = new LingerOption(true, 0);
                }
            }
            catch (SocketException)
            {
                // Stopped.
            }
        }
    }
}
