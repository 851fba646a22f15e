using System.Net;
using Gateway.Testing;
using Gateway.Testing.Scripting;
using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Yarp.ReverseProxy;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>Chains at the servers of one name, whose addresses change.</summary>
public sealed class ChangingAddressesTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const int ChainsEach = 4;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly ScriptedUpstream[] _servers = new ScriptedUpstream[3];
    private IPAddress[] _answer = [IPAddress.Parse("127.0.0.1"), IPAddress.Parse("127.0.0.2"), IPAddress.Parse("127.0.0.3")];

    [Fact]
    public async Task AddressVanishesAndComesBack_OnlyItsChainsMove_AndComeBackToo()
    {
        await StartAsync();
        var chains = new List<Chain>();
        while (Enumerable.Range(0, _servers.Length).Any(server => chains.Count(chain => chain.Server == server) < ChainsEach))
        {
            chains.Add(await TurnAsync(new Chain(null, -1)));
        }

        var all = _answer;
        await ResolveToAsync([all[0], all[1]]);
        var without = new List<Chain>();
        foreach (var chain in chains)
        {
            without.Add(await TurnAsync(chain));
        }

        Assert.Equal(chains.Select(chain => chain.Server == 2 ? -1 : chain.Server), without.Zip(chains, (now, before) => before.Server == 2 ? -1 : now.Server));
        Assert.DoesNotContain(2, without.Select(chain => chain.Server));

        await ResolveToAsync(all);
        foreach (var (chain, i) in without.Select((chain, i) => (chain, i)))
        {
            Assert.Equal(chains[i].Server, (await TurnAsync(chain)).Server);
        }
    }

    private async Task StartAsync()
    {
        // One name has one port.
        for (var i = 0; i < _servers.Length; i++)
        {
            _servers[i] = Own(await ScriptedUpstream.StartAsync(i == 0 ? 0 : _servers[0].Address.Port, _answer[i]));
        }

        await UseGatewayAsync(new TestGatewayOptions
        {
            Time = _time,
            Settings = new Dictionary<string, string>
            {
                ["Gateway:Upstreams:main:Address"] = $"http://models.test:{_servers[0].Address.Port}/v1",
                ["Gateway:Upstreams:main:Models:0"] = GatewayFixture.Model,
                ["Gateway:Upstreams:main:Profile"] = "generic",
                // A server that comes back has its whole share at once: which chains are its own is exact.
                ["Gateway:Routing:SlowStart"] = "00:00:00",
            },
            ConfigureServices = services => services.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => Task.FromResult(Volatile.Read(ref _answer))),
        });
    }

    private async Task ResolveToAsync(IPAddress[] answer)
    {
        Volatile.Write(ref _answer, answer);
        Assert.True(Gateway.Services.GetRequiredService<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        await AdvanceUntilAsync(_time, UpstreamDestinationResolver.RefreshPeriod, () => cluster.DestinationsState.AvailableDestinations.Count == answer.Length);
    }

    private async Task<Chain> TurnAsync(Chain chain)
    {
        var before = _servers.Select(server => server.Calls.Count).ToArray();
        var link = chain.Last is null ? "" : $",\"previous_response_id\":\"{chain.Last}\"";
        var response = await CreateAsync($$"""{"input":"Hi"{{link}}}""");
        var asked = Enumerable.Range(0, _servers.Length).Where(i => _servers[i].Calls.Count > before[i]);
        return new Chain(response.Text("id"), Assert.Single(asked));
    }

    /// <summary>A chain, and the server that made its last turn.</summary>
    private sealed record Chain(string? Last, int Server);
}
