using System.Net;
using System.Net.Sockets;
using Gateway.Hosting;
using Gateway.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Hosting;

public sealed class ListeningTests : IDisposable
{
    private readonly TemporaryFolder _store = new();

    public static TheoryData<string, bool, bool, bool> Endpoints => new()
    {
        { "127.0.0.1:80", false, false, true },
        { "127.8.9.1:80", false, false, true },
        { "[::1]:80", false, false, true },
        { "0.0.0.0:80", false, false, false },
        { "[::]:80", false, false, false },
        { "192.168.1.5:80", false, false, false },
        { "0.0.0.0:80", true, false, true },
        { "0.0.0.0:80", false, true, true },
    };

    [Theory]
    [MemberData(nameof(Endpoints))]
    public void CheckEndpoint_WithoutKeys_AllowsLoopbackOnly(string endpoint, bool requiresKey, bool allowAnonymous, bool allowed)
    {
        var refusal = Record.Exception(() => ServerSetup.CheckEndpoint(IPEndPoint.Parse(endpoint), requiresKey, allowAnonymous));

        if (allowed)
        {
            Assert.Null(refusal);
        }
        else
        {
            Assert.Contains(endpoint, Assert.IsType<StartupException>(refusal).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void CheckEndpoint_UnixSocket_IsAllowed() =>
        Assert.Null(Record.Exception(() => ServerSetup.CheckEndpoint(new UnixDomainSocketEndPoint("/tmp/gateway.sock"), requiresKey: false, allowAnonymous: false)));

    [Theory]
    [InlineData("--urls=http://0.0.0.0:0")]
    [InlineData("--urls=http://*:0")]
    [InlineData("--urls=http://127.0.0.1:0;http://[::]:0")]
    [InlineData("--http_ports=0")]
    [InlineData("--Kestrel:Endpoints:Open:Url=http://0.0.0.0:0")]
    public async Task Start_OpenAddressWithoutKeys_FailsAndSaysWhatToDo(string argument)
    {
        await using var app = Build(argument);

        var refusal = await Assert.ThrowsAsync<StartupException>(() => app.StartAsync());

        Assert.Contains("Gateway:AllowAnonymous=true", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--Gateway:AllowAnonymous=true")]
    [InlineData("--Gateway:Tenants:a:Keys:0=k")]
    public async Task Start_OpenAddressAllowed_GetsAsFarAsBinding(string argument)
    {
        // An address for documentation that no machine has: the test must not open a port to others.
        await using var app = Build("--urls=http://192.0.2.1:0", argument);

        var failure = await Assert.ThrowsAnyAsync<Exception>(() => app.StartAsync());

        Assert.IsType<SocketException>(failure.GetBaseException());
    }

    public void Dispose() => _store.Dispose();

    private WebApplication Build(params string[] args) => GatewayApplication.Build(
        [.. args, "--Gateway:Hosting:Banner=false", $"--Gateway:Store:Path={_store.Path}"], builder => builder.Logging.ClearProviders());
}
