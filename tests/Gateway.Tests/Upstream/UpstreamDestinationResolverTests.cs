using System.Net;
using System.Net.Sockets;
using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Yarp.ReverseProxy.Configuration;

namespace Gateway.Tests.Upstream;

public sealed class UpstreamDestinationResolverTests
{
    private readonly FakeTimeProvider _time = new();
    private Func<string, IPAddress[]> _answer = _ => throw new SocketException((int)SocketError.HostNotFound);
    private int _lookups;

    [Fact]
    public async Task Resolve_SeveralAddresses_BecomeDestinationsUnderTheNamesHost()
    {
        _answer = _ => [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("10.0.0.2"), IPAddress.Parse("fd00::1")];

        var resolved = await ResolveAsync("https://models.svc:8443/v1");

        Assert.Equal(
            ["https://10.0.0.1:8443/v1", "https://10.0.0.2:8443/v1", "https://[fd00::1]:8443/v1"],
            resolved.Select(d => d.Value.Address).Order(StringComparer.Ordinal));
        Assert.All(resolved, d => Assert.Equal("models.svc:8443", d.Value.Host));
        Assert.Equal(3, resolved.Count);
    }

    [Theory]
    [InlineData("http://10.1.2.3:8000/v1")]
    [InlineData("http://[::1]:8000/v1")]
    [InlineData("http://localhost:8000/v1")]
    public async Task Resolve_LiteralOrLoopback_IsLeftAlone(string address)
    {
        var resolved = await ResolveAsync(address);

        Assert.Equal(address, Assert.Single(resolved).Value.Address);
        Assert.Null(resolved.Single().Value.Host);
        Assert.Equal(0, _lookups);
    }

    [Theory]
    [InlineData("10.0.0.1 fd00::1 2001:db8::1", "", "10.0.0.1")]
    [InlineData("10.0.0.1 fd00::1 2001:db8::1", "fd00::1", "10.0.0.1 fd00::1")]
    [InlineData("fd00::1 2001:db8::1", "", "fd00::1 2001:db8::1")]
    public void WithRoute_LeavesOutWhatCanNotBeReached_UnlessNothingElseIsLeft(string addresses, string reachable, string expected)
    {
        var left = UpstreamDestinationResolver.WithRoute([.. addresses.Split(' ').Select(IPAddress.Parse)], address => address.ToString() == reachable);

        Assert.Equal(expected, string.Join(' ', left.Select(address => address.ToString())));
    }

    [Fact]
    public void HasRoute_AsksTheRoutingTable()
    {
        Assert.True(UpstreamDestinationResolver.HasRoute(IPAddress.Loopback));
        // Of a link, without saying which.
        Assert.False(UpstreamDestinationResolver.HasRoute(IPAddress.Parse("fe80::1")));
    }

    [Fact]
    public async Task Resolve_OneAddressOrNone_LeavesTheName()
    {
        Assert.Equal("http://models/v1", Assert.Single(await ResolveAsync("http://models/v1")).Value.Address);
        _answer = _ => [IPAddress.Parse("10.0.0.1")];

        Assert.Equal("http://models/v1", Assert.Single(await ResolveAsync("http://models/v1")).Value.Address);
    }

    [Fact]
    public async Task Resolve_NameServerFailsLater_KeepsTheLastAnswer()
    {
        var resolver = Resolver();
        _answer = _ => [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("10.0.0.2")];
        await ResolveAsync("http://models/v1", resolver);
        _answer = _ => throw new SocketException((int)SocketError.TryAgain);

        Assert.Equal(2, (await ResolveAsync("http://models/v1", resolver)).Count);
    }

    [Fact]
    public async Task Resolve_SilentNameServer_IsGivenUp()
    {
        var resolver = new UpstreamDestinationResolver(
            _time, NullLogger<UpstreamDestinationResolver>.Instance, (_, token) => new TaskCompletionSource<IPAddress[]>().Task.WaitAsync(token));

        var resolving = ResolveAsync("http://models/v1", resolver);
        _time.Advance(TimeSpan.FromSeconds(2));

        Assert.Single(await resolving.WaitAsync(TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task Resolve_NamesAreLookedUpAgainEveryTenSeconds()
    {
        _answer = _ => [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("10.0.0.2")];
        var resolver = Resolver();

        var resolved = await resolver.ResolveDestinationsAsync(Configs("http://models/v1"), default);
        Assert.False(resolved.ChangeToken!.HasChanged);
        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.True(resolved.ChangeToken.HasChanged);
        Assert.Null((await resolver.ResolveDestinationsAsync(Configs("http://10.0.0.1/v1"), default)).ChangeToken);
    }

    [Fact]
    public async Task Host_WithAHeadlessService_UsesEveryAddressAndTheNamesHostHeader()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        var addresses = new[] { IPAddress.Loopback, IPAddress.Parse("127.0.0.2") };
        await using var host = await UpstreamHost.StartAsync(
            UpstreamHost.Settings($"http://models.internal:{server.Port}/v1"),
            s => s.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => Task.FromResult(addresses)));

        for (var i = 0; i < 4; i++)
        {
            await using var reply = await host.SendAsync();
            Assert.Equal(UpstreamFailure.None, reply.Failure);
        }

        Assert.All(server.Requests, r => Assert.Equal($"models.internal:{server.Port}", r.Headers["Host"]));
        Assert.True(host.Get<Yarp.ReverseProxy.IProxyStateLookup>().TryGetCluster("main", out var cluster));
        Assert.Equal(2, cluster.DestinationsState.AllDestinations.Count);
    }

    [Fact]
    public async Task Host_ReplicaIsAdded_IsFoundAtTheNextRefreshAndTheOthersKeepTheirState()
    {
        IPAddress[] addresses = [IPAddress.Loopback, IPAddress.Parse("127.0.0.2")];
        await using var host = await UpstreamHost.StartAsync(
            UpstreamHost.Settings("http://models.internal:1/v1"),
            s => s.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => Task.FromResult(Volatile.Read(ref addresses))).AddSingleton<TimeProvider>(_time));
        Assert.True(host.Get<Yarp.ReverseProxy.IProxyStateLookup>().TryGetCluster("main", out var cluster));
        var before = cluster.DestinationsState.AllDestinations;

        Volatile.Write(ref addresses, [.. addresses, IPAddress.Parse("127.0.0.3")]);
        _time.Advance(UpstreamDestinationResolver.RefreshPeriod);

        await Until.TrueAsync(() => cluster.DestinationsState.AllDestinations.Count == 3);
        // A destination is a list of itself, over which the collection assertions never end.
        Assert.True(before.All(old => cluster.DestinationsState.AllDestinations.Any(d => ReferenceEquals(d, old))));
    }

    [Fact]
    public async Task Host_WithANameThatDoesNotResolve_Starts()
    {
        await using var host = await UpstreamHost.StartAsync(
            UpstreamHost.Settings("http://nowhere.invalid/v1"),
            s => s.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => throw new SocketException((int)SocketError.HostNotFound)));

        Assert.NotNull(host.Routes.Find("m"));
    }

    private UpstreamDestinationResolver Resolver() => new(_time, NullLogger<UpstreamDestinationResolver>.Instance, (host, _) =>
    {
        _lookups++;
        return Task.FromResult(_answer(host));
    });

    private async Task<IReadOnlyDictionary<string, DestinationConfig>> ResolveAsync(string address, UpstreamDestinationResolver? resolver = null) =>
        (await (resolver ?? Resolver()).ResolveDestinationsAsync(Configs(address), default)).Destinations;

    private static Dictionary<string, DestinationConfig> Configs(string address) => new() { ["d"] = new DestinationConfig { Address = address } };
}
