using System.Text;
using System.Text.Json.Nodes;
using Gateway.Testing.Mcp;
using Gateway.Tests.Upstream;
using Gateway.Tools.Mcp;
using ModelContextProtocol.AspNetCore;

namespace Gateway.Tests.Tools.Mcp;

/// <summary>Connections, lists and their times.</summary>
public sealed class McpClientPoolTests : IAsyncLifetime
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(1);

    private TestMcpServer _mcp = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _mcp = (await TestMcpServer.StartAsync()).Add(TestMcpTools.Echo, TestMcpTools.Add);

    public async ValueTask DisposeAsync() => await _mcp.DisposeAsync();

    [Theory]
    [InlineData(HttpServerSessionMode.Stateful, McpTransport.Http)]
    [InlineData(HttpServerSessionMode.Stateless, McpTransport.Http)]
    [InlineData(HttpServerSessionMode.Stateful, McpTransport.Sse)]
    internal async Task Call_EachKindOfServer_IsAnswered(HttpServerSessionMode mode, McpTransport transport)
    {
        await using var mcp = await TestMcpServer.StartAsync(new TestMcpServerOptions { SessionMode = mode });
        mcp.Add(TestMcpTools.Echo);
        await using var host = new McpPoolHost();
        var server = host.Server(transport == McpTransport.Sse ? mcp.SseEndpoint : mcp.Endpoint, transport);

        var listing = await host.Pool.ListToolsAsync(server, Cancellation);
        var outcome = await EchoAsync(host, server, "hello");

        Assert.Null(listing.Failure);
        Assert.Equal("echo", Assert.Single(listing.Tools).Name);
        Assert.Equal(("Echo: hello", false), (outcome.Text, outcome.IsError));
        Assert.Null(outcome.Failure);
        Assert.Equal("Echo: hello", Assert.IsType<ModelContextProtocol.Protocol.TextContentBlock>(Assert.Single(outcome.Result!.Content)).Text);
    }

    [Fact]
    public async Task Call_ServerThatOnlySpeaksSse_IsSpokenToSo()
    {
        await using var mcp = await TestMcpServer.StartAsync(new TestMcpServerOptions { StreamableHttp = false });
        mcp.Add(TestMcpTools.Echo);
        await using var host = new McpPoolHost();
        var server = host.Server(mcp.SseEndpoint, McpTransport.Http);

        Assert.Equal("Echo: hello", (await EchoAsync(host, server, "hello")).Text);
        host.Time.Advance(TimeSpan.FromMinutes(1));
        await host.ConnectionsAsync(0);
        var tried = mcp.Requests.Count(request => request is { HttpMethod: "POST", Path: "/sse" });
        Assert.Equal("Echo: again", (await EchoAsync(host, server, "again")).Text);

        // The second connection knows what the first found out.
        Assert.NotEqual(0, tried);
        Assert.Equal(tried, mcp.Requests.Count(request => request is { HttpMethod: "POST", Path: "/sse" }));
    }

    [Theory]
    [InlineData(HttpServerSessionMode.Stateful)]
    [InlineData(HttpServerSessionMode.Stateless)]
    public async Task Call_DeclaredAsSseButStreamable_IsSpokenToSo(HttpServerSessionMode mode)
    {
        await using var mcp = await TestMcpServer.StartAsync(new TestMcpServerOptions { LegacySse = false, SessionMode = mode });
        mcp.Add(TestMcpTools.Echo);
        await using var host = new McpPoolHost();

        Assert.Equal("Echo: hello", (await EchoAsync(host, host.Server(mcp.Endpoint, McpTransport.Sse), "hello")).Text);
    }

    [Fact]
    public async Task Connect_DeclaredAsSseButSilentThere_TriesTheOtherInHalfTheTime()
    {
        await using var raw = await RawMcpServer.StartAsync(async exchange =>
        {
            if (exchange.HttpMethod != "GET")
            {
                return false;
            }

            await exchange.OpenStreamAsync();
            await Until.TrueAsync(() => exchange.Context.RequestAborted.IsCancellationRequested);
            return true;
        });
        await using var host = new McpPoolHost();

        var listing = host.Pool.ListToolsAsync(host.Server(raw.Endpoint, McpTransport.Sse), Cancellation);
        await Until.TrueAsync(() => raw.Seen.Any(exchange => exchange.HttpMethod == "GET"));
        host.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal("tool", Assert.Single((await listing).Tools).Name);
    }

    [Fact]
    public async Task List_WrongPath_TellsTheStatusOfTheDeclaredTransport()
    {
        await using var host = new McpPoolHost();

        var listing = await host.Pool.ListToolsAsync(host.Server(new Uri(_mcp.Endpoint, "/nothing/here")), Cancellation);

        Assert.Equal(new McpFailure(McpFailureKind.Http, 404, "Http status code: 404 (Not Found)") { IsNotRun = true }, listing.Failure);
        Assert.Empty(listing.Tools);
    }

    [Fact]
    public async Task Requests_OfOneKey_ShareConnectionAndList()
    {
        await using var host = new McpPoolHost();

        for (var i = 0; i < 3; i++)
        {
            // A response makes its own description of the server.
            var server = host.Server(_mcp.Endpoint, headers: ("X-Key", "one"));
            Assert.Equal(2, (await host.Pool.ListToolsAsync(server, Cancellation)).Tools.Count);
            Assert.Equal("Echo: hi", (await EchoAsync(host, server, "hi")).Text);
        }

        Assert.Equal((1, 1, 3), (Count("initialize"), Count("tools/list"), _mcp.Calls.Count));
        Assert.Equal((1, 5), (Rents(host, "miss"), Rents(host, "hit")));
        Assert.All(_mcp.Requests, request => Assert.Equal("one", request.Headers["X-Key"]));
        Assert.All(_mcp.Of("initialize"), request => Assert.Equal("responses-gateway", (string?)request.Params!["clientInfo"]!["name"]));
    }

    [Fact]
    public async Task Requests_OfOtherTenantHeaderUrlOrScope_HaveConnectionsOfTheirOwn()
    {
        await using var host = new McpPoolHost(egress: egress => egress.AllowedHosts = ["127.0.0.0/8"]);
        var scope = host.TenantScope();
        McpServer[] servers =
        [
            host.Server(_mcp.Endpoint, headers: ("X-Key", "one")),
            host.Server(_mcp.Endpoint, tenant: "other", headers: ("X-Key", "one")),
            host.Server(_mcp.Endpoint, headers: ("X-Key", "two")),
            host.Server(_mcp.Endpoint, headers: [("X-Key", "one"), ("X-More", "two")]),
            host.Server(new Uri(_mcp.Endpoint, "?a=b"), headers: ("X-Key", "one")),
            new McpServer
            {
                Tenant = "acme", Label = "tools", Url = _mcp.Endpoint, Transport = McpTransport.Http, Headers = [new("X-Key", "one")], Egress = scope,
            },
        ];

        foreach (var server in servers.Concat(servers))
        {
            Assert.Null((await host.Pool.ListToolsAsync(server, Cancellation)).Failure);
        }

        Assert.Equal((servers.Length, servers.Length), (Count("initialize"), Count("tools/list")));
    }

    [Fact]
    public async Task List_Older_IsReadAgainOnTheSameConnection()
    {
        await using var host = new McpPoolHost(options => options.IdleTime = TimeSpan.FromHours(1));
        var server = host.Server(_mcp.Endpoint);
        await host.Pool.ListToolsAsync(server, Cancellation);
        _mcp.Add(TestMcpTools.Empty);

        host.Time.Advance(TimeSpan.FromMinutes(1) - Moment);
        Assert.Equal(2, (await host.Pool.ListToolsAsync(server, Cancellation)).Tools.Count);
        host.Time.Advance(Moment);
        Assert.Equal(3, (await host.Pool.ListToolsAsync(server, Cancellation)).Tools.Count);

        Assert.Equal((1, 2), (Count("initialize"), Count("tools/list")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task List_ServerSaysItChanged_IsReadAgain(bool inAnswer)
    {
        const string Changed = """{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}""";
        var stream = new TaskCompletionSource<RawMcpExchange>();
        await using var raw = await RawMcpServer.StartAsync(async exchange =>
        {
            if (exchange.Method == "tools/call")
            {
                await (inAnswer ? exchange : await stream.Task).EventAsync(Changed);
                await exchange.ResultEventAsync("""{"content":[]}""");
                return true;
            }

            if (exchange.HttpMethod == "GET")
            {
                await exchange.OpenStreamAsync();
                stream.TrySetResult(exchange);
                await Until.TrueAsync(() => exchange.Context.RequestAborted.IsCancellationRequested);
                return true;
            }

            return false;
        });
        await using var host = new McpPoolHost();
        var server = host.Server(raw.Endpoint);
        await host.Pool.ListToolsAsync(server, Cancellation);
        await host.Pool.ListToolsAsync(server, Cancellation);
        Assert.Equal(1, raw.Count("tools/list"));

        Assert.Null((await CallAsync(host, server, "tool")).Failure);

        await Until.TrueAsync(async () =>
        {
            await host.Pool.ListToolsAsync(server, Cancellation);
            return raw.Count("tools/list") == 2;
        });
        Assert.Equal(1, raw.Count("initialize"));
        // Ends the held stream.
        await host.DisposeAsync();
    }

    [Fact]
    public async Task List_AtOnce_IsConnectedAndReadOnce()
    {
        var gate = new TaskCompletionSource();
        await using var raw = await RawMcpServer.StartAsync(async exchange =>
        {
            if (exchange.Method is "initialize" or "tools/list")
            {
                await gate.Task;
            }

            return false;
        });
        await using var host = new McpPoolHost();

        var listings = Enumerable.Range(0, 20).Select(_ => host.Pool.ListToolsAsync(host.Server(raw.Endpoint), Cancellation)).ToList();
        await Until.TrueAsync(() => raw.Count("initialize") > 0);
        gate.SetResult();

        Assert.All(await Task.WhenAll(listings), listing => Assert.Single(listing.Tools));
        Assert.Equal((1, 1), (raw.Count("initialize"), raw.Count("tools/list")));
    }

    [Theory]
    [InlineData("initialize")]
    [InlineData("tools/list")]
    public async Task List_CallerLeaves_OthersGetIt(string during)
    {
        var gate = new TaskCompletionSource();
        await using var raw = await RawMcpServer.StartAsync(async exchange =>
        {
            if (exchange.Method == during)
            {
                await gate.Task;
            }

            return false;
        });
        await using var host = new McpPoolHost();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);

        var first = host.Pool.ListToolsAsync(host.Server(raw.Endpoint), leaving.Token);
        await Until.TrueAsync(() => raw.Count(during) > 0);
        var second = host.Pool.ListToolsAsync(host.Server(raw.Endpoint), Cancellation);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        gate.SetResult();

        Assert.Single((await second).Tools);
        Assert.Equal((1, 1), (raw.Count("initialize"), raw.Count("tools/list")));
    }

    [Fact]
    public async Task Connection_Idle_IsClosedWithAGoodbye()
    {
        await using var host = new McpPoolHost();
        var server = host.Server(_mcp.Endpoint);
        await EchoAsync(host, server, "hi");

        host.Time.Advance(TimeSpan.FromMinutes(1) - Moment);
        await EchoAsync(host, server, "hi");
        host.Time.Advance(TimeSpan.FromMinutes(1) - Moment);
        Assert.Equal(1, host.Metrics.Sum("gateway.mcp.connections"));
        host.Time.Advance(Moment);
        await host.ConnectionsAsync(0);

        Assert.Single(_mcp.Requests, request => request.HttpMethod == "DELETE");
        Assert.Equal(1, Count("initialize"));
    }

    [Fact]
    public async Task Connection_TooOld_IsReplaced()
    {
        await using var host = new McpPoolHost(options => options.ConnectionLife = TimeSpan.FromSeconds(90));
        var server = host.Server(_mcp.Endpoint);
        await EchoAsync(host, server, "hi");
        host.Time.Advance(TimeSpan.FromSeconds(50));
        await EchoAsync(host, server, "hi");
        Assert.Equal(1, Count("initialize"));

        host.Time.Advance(TimeSpan.FromSeconds(40));
        await EchoAsync(host, server, "hi");

        Assert.Equal(2, Count("initialize"));
        await host.ConnectionsAsync(1);
    }

    [Fact]
    public async Task Connection_TooOldWhileInUse_IsClosedByItsLastUser()
    {
        using var held = new HeldMcpTool();
        _mcp.Add(held.Tool);
        await using var host = new McpPoolHost(options => options.CallTimeout = TimeSpan.FromHours(1));
        var server = host.Server(_mcp.Endpoint);
        var call = CallAsync(host, server, "held");
        await held.ReachedAsync(Cancellation);
        host.Time.Advance(TimeSpan.FromMinutes(10));
        await EchoAsync(host, server, "hi");
        Assert.Equal(2, host.Metrics.Sum("gateway.mcp.connections"));

        held.Release();

        Assert.Equal("released", (await call).Text);
        await host.ConnectionsAsync(1);
        Assert.Equal(2, Count("initialize"));
    }

    [Fact]
    public async Task Connections_AtTheirMost_TheLeastRecentlyUsedIsClosed()
    {
        await using var host = new McpPoolHost(options => options.MaxConnections = 2);
        McpServer[] servers = [host.Server(_mcp.Endpoint, tenant: "a"), host.Server(_mcp.Endpoint, tenant: "b"), host.Server(_mcp.Endpoint, tenant: "c")];
        foreach (var server in new[] { servers[0], servers[1], servers[0], servers[2] })
        {
            await EchoAsync(host, server, "hi");
            host.Time.Advance(Moment);
        }

        await host.ConnectionsAsync(2);
        Assert.Equal(3, Count("initialize"));
        await EchoAsync(host, servers[0], "still there");
        Assert.Equal(3, Count("initialize"));
        await EchoAsync(host, servers[1], "was closed");
        Assert.Equal(4, Count("initialize"));
    }

    [Fact]
    public async Task Connections_AllInUse_ARequestBeyondHasOneOfItsOwn()
    {
        using var held = new HeldMcpTool();
        _mcp.Add(held.Tool);
        await using var host = new McpPoolHost(options => options.MaxConnections = 1);
        var call = CallAsync(host, host.Server(_mcp.Endpoint, tenant: "a"), "held");
        await held.ReachedAsync(Cancellation);

        Assert.Equal("Echo: hi", (await EchoAsync(host, host.Server(_mcp.Endpoint, tenant: "b"), "hi")).Text);
        await host.ConnectionsAsync(1);
        held.Release();

        Assert.Equal("released", (await call).Text);
        Assert.Equal(1, host.Metrics.Sum("gateway.mcp.connections"));
    }

    [Fact]
    public async Task Dispose_WithConnections_ClosesAllAndAnswersThoseWhoWait()
    {
        using var held = new HeldMcpTool();
        _mcp.Add(held.Tool);
        var host = new McpPoolHost();
        await EchoAsync(host, host.Server(_mcp.Endpoint, tenant: "idle"), "hi");
        await EchoAsync(host, host.Server(_mcp.SseEndpoint, McpTransport.Sse), "hi");
        var call = CallAsync(host, host.Server(_mcp.Endpoint), "held");
        await held.ReachedAsync(Cancellation);

        await host.Pool.DisposeAsync();

        Assert.Equal(McpFailureKind.Unreachable, (await call).Failure?.Kind);
        Assert.Equal(0, host.Metrics.Sum("gateway.mcp.connections"));
        Assert.Equal(2, _mcp.Requests.Count(request => request.HttpMethod == "DELETE"));
        Assert.Equal("The gateway is stopping.", (await EchoAsync(host, host.Server(_mcp.Endpoint), "late")).Text);
        await host.DisposeAsync();
    }

    [Fact]
    public async Task Dispose_ServerSilentToTheGoodbye_IsNotWaitedFor()
    {
        var host = new McpPoolHost();
        await EchoAsync(host, host.Server(_mcp.Endpoint), "hi");
        _mcp.Fail(McpFault.Silence);

        var disposing = host.Pool.DisposeAsync().AsTask();
        await Until.TrueAsync(() => _mcp.Requests.Any(request => request.HttpMethod == "DELETE"));
        host.Time.Advance(TimeSpan.FromSeconds(5));

        await disposing;
        await host.DisposeAsync();
    }

    [Fact]
    public async Task Secrets_InHeadersAndUrl_AreInNoLogOrMetric()
    {
        await using var host = new McpPoolHost();
        var server = host.Server(new Uri(_mcp.Endpoint, "?key=hidden-query"), headers: ("Authorization", "Bearer hidden-token"));
        await EchoAsync(host, server, "hidden-argument");
        _mcp.Fail(McpFault.Status(500, "hidden-body"));
        Assert.Equal("Http status code: 500 (Internal Server Error)", (await EchoAsync(host, server, "hidden-argument")).Text);
        await host.Pool.ListToolsAsync(host.Server(_mcp.Endpoint, headers: ("Authorization", "Bearer hidden-token")), Cancellation);

        Assert.NotEmpty(host.Logs.All);
        Assert.DoesNotContain("hidden", host.Logs.Text, StringComparison.Ordinal);
        Assert.Single(host.Metrics.Of("gateway.mcp.failures"), failure => Equals(failure.Tags["operation"], "call") && Equals(failure.Tags["error.type"], "Http"));
        Assert.Single(host.Metrics.Of("gateway.mcp.failures"), failure => Equals(failure.Tags["operation"], "list") && Equals(failure.Tags["error.type"], "Http"));
    }

    private static int Rents(McpPoolHost host, string outcome) =>
        host.Metrics.Of("gateway.mcp.pool.requests").Count(measurement => Equals(measurement.Tags["outcome"], outcome));

    private static Task<McpCallOutcome> EchoAsync(McpPoolHost host, McpServer server, string message) =>
        CallAsync(host, server, "echo", new JsonObject { ["message"] = message }.ToJsonString());

    private static Task<McpCallOutcome> CallAsync(McpPoolHost host, McpServer server, string tool, string arguments = "{}") =>
        host.Pool.CallToolAsync(server, tool, Encoding.UTF8.GetBytes(arguments), session: null, Cancellation);

    private int Count(string method) => _mcp.Of(method).Count();
}
