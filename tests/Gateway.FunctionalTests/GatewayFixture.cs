using Gateway.Testing;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests;

/// <summary>One scripted upstream and one gateway in front of it, shared by the tests of a class.</summary>
public class GatewayFixture : IAsyncLifetime
{
    public const string Model = "scripted";

    internal ScriptedUpstream Upstream { get; private set; } = null!;

    internal TestGateway Gateway { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Upstream = await ScriptedUpstream.StartAsync();
        Gateway = await TestGateway.StartAsync(OptionsFor(Upstream) with { Redis = await ConnectAsync() });
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Gateway.DisposeAsync();
        await Upstream.DisposeAsync();
    }

    /// <summary>The Redis to keep responses in; null for SQLite.</summary>
    private protected virtual Task<string?> ConnectAsync() => Task.FromResult<string?>(null);

    /// <summary>A gateway with this upstream, which serves <see cref="Model"/> with the generic profile, and with these further settings.</summary>
    internal static TestGatewayOptions OptionsFor(ScriptedUpstream upstream, params IEnumerable<(string Key, string Value)> settings)
    {
        var all = new Dictionary<string, string>
        {
            ["Gateway:Upstreams:main:Models:0"] = Model,
            ["Gateway:Upstreams:main:Models:1"] = "accounts/fireworks/models/*",
            ["Gateway:Upstreams:main:Profile"] = "generic",
        };
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        return new TestGatewayOptions { Upstreams = new Dictionary<string, Uri> { ["main"] = upstream.Address }, Settings = all };
    }
}
