using System.Net;
using System.Text;
using Gateway.Egress;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Where a client may send the gateway: to public hosts, and to those that the operator allows.</summary>
public sealed class ToolEgressTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData("http://127.0.0.1:PORT/mcp")]
    [InlineData("http://localhost:PORT/mcp")]
    [InlineData("http://2130706433:PORT/mcp")]
    [InlineData("http://0x7f.1:PORT/mcp")]
    [InlineData("http://0177.0.0.1:PORT/mcp")]
    [InlineData("http://0.0.0.0:PORT/mcp")]
    [InlineData("http://[::1]:PORT/mcp")]
    [InlineData("http://[::ffff:127.0.0.1]:PORT/mcp")]
    [InlineData("http://[::]:PORT/mcp")]
    [InlineData("http://[fe80::1]/mcp")]
    [InlineData("http://[fd00::1]/mcp")]
    [InlineData("http://10.0.0.1/mcp")]
    [InlineData("http://172.16.0.1/mcp")]
    [InlineData("http://192.168.0.1/mcp")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://100.64.0.1/mcp")]
    [InlineData("http://224.0.0.1/mcp")]
    [InlineData("http://user:password@203.0.113.1/mcp")]
    [InlineData("http://xn--ä.example/mcp")]
    [InlineData("http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example/mcp")]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://203.0.113.1/")]
    [InlineData("/mcp")]
    public async Task AddressThatIsNotPublic_Is400AndNothingIsConnected(string url)
    {
        Server = Own(await TestMcpServer.StartAsync());
        await UseOwnGatewayAsync();
        var tools = $$"""[{"type":"web_search"},{"type":"mcp","server_label":"srv","server_url":"{{url.Replace("PORT", $"{Server.Endpoint.Port}", StringComparison.Ordinal)}}"}]""";

        foreach (var stream in (string[])["true", "false"])
        {
            var reply = await PostAsync(WithModel($$"""{"input":"Go","stream":{{stream}},"tools":{{tools}}}"""));

            reply.AssertError(400, "invalid_value", "tools[1].server_url");
        }

        Assert.Empty(Server.Requests);
        Assert.Empty(Upstream.Calls);
    }

    [Fact]
    public async Task MetadataService_IsNotAllowedByARange()
    {
        await UseOwnGatewayAsync(("Gateway:Tools:AllowedHosts:0", "169.254.0.0/16"));

        var reply = await PostAsync(WithModel("""{"input":"Go","tools":[{"type":"mcp","server_label":"srv","server_url":"http://169.254.169.254/mcp"}]}"""));

        reply.AssertError(400, "invalid_value", "tools[0].server_url");
    }

    [Fact]
    public async Task HostsOfATenant_AreAllItMayReach()
    {
        await StartAsync(
            ("Gateway:Tools:AllowedHosts:1", "localhost"), ("Gateway:Tenants:few:Keys:0", "key-few"), ("Gateway:Tenants:few:Policy:ToolHosts:0", "localhost"),
            ("Gateway:Tenants:all:Keys:0", "key-all"));
        var json = WithModel($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        (await PostAsync(json, "key-few")).AssertError(400, "invalid_value", "tools[0].server_url");
        Assert.Empty(Server.Requests);

        (await PostAsync(json, "key-all")).AssertOk();
        (await PostAsync(json.Replace("127.0.0.1", "localhost", StringComparison.Ordinal), "key-few")).AssertOk();
    }

    [Fact]
    public async Task NameThatChangesItsAddress_IsNotFollowed()
    {
        var resolver = new ChangingResolver(IPAddress.Parse("93.184.215.14"), IPAddress.Loopback);
        Server = Own(await TestMcpServer.StartAsync());
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream) with { ConfigureServices = services => services.AddSingleton<IHostResolver>(resolver) });

        var reply = await PostAsync(WithModel($$"""
            {"input":"Go","tools":[{"type":"web_search"},{"type":"mcp","server_label":"srv","server_url":"http://rebind.example:{{Server.Endpoint.Port}}/mcp"}]}
            """));

        reply.AssertError(400, "invalid_value", "tools[1].server_url");
        Assert.Equal("Invalid 'tools[1].server_url': The URL's host is unknown, or it is not a public one.", reply.Json.Text("error.message"));
        Assert.True(resolver.Asked >= 2);
        Assert.Empty(Server.Requests);
        Assert.Empty(Upstream.Calls);
    }

    [Theory]
    [InlineData("http://localhost:PORT/mcp", "Fail")]
    [InlineData("http://169.254.169.254/latest", "Fail")]
    [InlineData("http://169.254.169.254/latest", "Continue")]
    public async Task RedirectToAnAddressThatIsNotAllowed_IsNotFollowed(string location, string onListFailure)
    {
        await StartAsync(server =>
            [("Gateway:Tools:AllowedHosts:0", $"127.0.0.1:{server.Endpoint.Port}"), ("Gateway:Tools:OnListFailure", onListFailure)]);
        var target = Own(await TestMcpServer.StartAsync());
        Server.Fail(McpFault.Redirect(new Uri(location.Replace("PORT", $"{target.Endpoint.Port}", StringComparison.Ordinal))));

        var reply = await PostAsync(WithModel($$"""{"input":"Go","tools":[{{Mcp()}}]}"""));

        reply.AssertError(400, "invalid_value", "tools[0].server_url");
        Assert.Empty(target.Requests);
        Assert.NotEmpty(Server.Requests);
        Assert.Empty(Upstream.Calls);
    }

    [Fact]
    public async Task RedirectToAnAddressThatIsNotAllowed_Streamed_IsAFailedList()
    {
        await StartAsync(server => [("Gateway:Tools:AllowedHosts:0", $"127.0.0.1:{server.Endpoint.Port}")]);
        Server.Fail(McpFault.Redirect(new Uri("http://169.254.169.254/latest")));

        var stream = await StreamAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal(("response.failed", "http_error"), (stream.Types.Last(), stream.Final.Text("error.code")));
        Assert.EndsWith("The URL's host is unknown, or it is not a public one.", stream.Final.Text("output[0].error"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RedirectOfAnOperatorsServer_IsTheServersFailure()
    {
        await StartAsync(server => [("Gateway:Tools:Servers:own:Url", server.Endpoint.AbsoluteUri)]);
        Server.Fail(McpFault.Redirect(new Uri("http://169.254.169.254/latest")));

        var reply = await PostAsync(WithModel("""{"input":"Go","tools":[{"type":"mcp","server_label":"own"}]}"""));

        reply.AssertError(424, "http_error", "tools", "external_connector_error");
    }

    [Fact]
    public async Task RedirectOfACall_FailsTheCall()
    {
        await StartAsync(server => [("Gateway:Tools:AllowedHosts:0", $"127.0.0.1:{server.Endpoint.Port}")]);
        var target = Own(await TestMcpServer.StartAsync());
        target.Add(TestMcpTools.Echo);
        Server.Fail(McpFault.Redirect(new Uri($"http://localhost:{target.Endpoint.Port}/mcp")), "tools/call");
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))), ChatAnswer.Say("Then not."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal(("failed", "Then not."), (response.Text("output[1].status"), response.OutputText()));
        Assert.Empty(target.Requests);
    }

    [Theory]
    [InlineData(3, false)]
    [InlineData(4, true)]
    public async Task ServersBeyondTheLimit_Are400AndNoHostIsLookedUp(int servers, bool refused)
    {
        await StartAsync(("Gateway:Limits:ToolServers", "3"));
        var tools = string.Join(',', Enumerable.Range(0, servers).Select(i => Mcp($"srv_{i}")));

        var reply = await PostAsync(WithModel($$"""{"input":"Go","tools":[{{tools}}]}"""));

        if (refused)
        {
            reply.AssertError(400, "array_above_max_length", "tools");
            Assert.Empty(Server.Requests);
        }
        else
        {
            Assert.Equal(servers, reply.AssertOk().Types("output").Count(type => type == "mcp_list_tools"));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task NameThatIsNeverResolved_Is400AsAnUnknownOne(bool streamed)
    {
        using var resolver = new HeldResolver();
        await StartAsync(resolver, ("Gateway:Tools:Egress:ConnectTimeout", "00:00:00.1"));

        var reply = await PostAsync(WithModel($$"""{"input":"Go","stream":{{(streamed ? "true" : "false")}},"tools":[{{HeldMcp()}}]}"""));

        reply.AssertError(400, "invalid_value", "tools[0].server_url");
        Assert.Equal("Invalid 'tools[0].server_url': The URL's host is unknown, or it is not a public one.", reply.Json.Text("error.message"));
        Assert.Equal(["host_unresolved"], Gateway.Metrics.Of("gateway.egress.refusals").Select(m => (string?)m.Tags["gateway.egress.reason"]));
    }

    [Fact]
    public async Task NameThatTakesLong_KeepsTheClientsConnectionAlive()
    {
        using var resolver = new HeldResolver();
        await StartAsync(resolver, ("Gateway:Tools:Egress:ConnectTimeout", "00:01:00"), ("Gateway:Limits:KeepAliveInterval", "00:00:01"));
        using var response = await OpenStreamAsync($$"""{"input":"Go","tools":[{{HeldMcp()}}]}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation), Encoding.UTF8);
        var body = new StringBuilder();

        string? line;
        do
        {
            line = await reader.ReadLineAsync(Cancellation).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            body.Append(line).Append('\n');
        }
        while (!line!.StartsWith(':'));

        resolver.Release();
        body.Append(await reader.ReadToEndAsync(Cancellation));
        var stream = ResponseStream.Parse(body.ToString());
        Assert.Equal(["mcp_list_tools", "message"], stream.Final.Types("output"));
    }

    private async Task StartAsync(HeldResolver resolver, params (string Key, string Value)[] settings)
    {
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, [("Gateway:Tools:AllowedHosts:0", "held.example"), .. settings]) with
        {
            ConfigureServices = services => services.AddSingleton<IHostResolver>(resolver),
        });
    }

    private string HeldMcp() => Mcp().Replace("127.0.0.1", "held.example", StringComparison.Ordinal);

    /// <summary>A name server that answers with the loopback address once it is released. It does not hear of cancellations, as a real one may not.</summary>
    private sealed class HeldResolver : IHostResolver, IDisposable
    {
        private readonly TaskCompletionSource<IPAddress[]> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Release() => _answer.TrySetResult([IPAddress.Loopback]);

        public void Dispose() => Release();

        public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) =>
            host == "held.example" ? _answer.Task : Dns.GetHostAddressesAsync(host, cancellationToken);
    }

    /// <summary>Answers with one address first, and with another from then on.</summary>
    private sealed class ChangingResolver(IPAddress first, IPAddress then) : IHostResolver
    {
        private int _asked;

        public int Asked => _asked;

        public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) =>
            Task.FromResult<IPAddress[]>([Interlocked.Increment(ref _asked) == 1 ? first : then]);
    }
}
