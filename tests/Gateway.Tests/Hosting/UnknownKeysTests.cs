using Gateway.Hosting;
using Gateway.Policy;
using Microsoft.Extensions.Configuration;

namespace Gateway.Tests.Hosting;

public sealed class UnknownKeysTests
{
    private static readonly KnownSection[] Known =
    [
        new("Limits", typeof(LimitsOptions)),
        new("Policy", typeof(PolicyOptions)),
        new("Tenants", typeof(Dictionary<string, TenantOptions>)),
        new("Store", typeof(string)),
    ];

    [Theory]
    [InlineData("Gateway:Stoer:Path", "Gateway:Stoer", "Did you mean 'Store'?")]
    [InlineData("Gateway:Limits:OpenStream", "Gateway:Limits:OpenStream", "Did you mean 'OpenStreams'?")]
    [InlineData("Gateway:Limits:Whatever", "Gateway:Limits:Whatever", "")]
    [InlineData("Gateway:Tenants:acme:Key", "Gateway:Tenants:acme:Key", "Did you mean 'Keys'?")]
    [InlineData("Gateway:Tenants:acme:Policy:Modles:0", "Gateway:Tenants:acme:Policy:Modles", "Did you mean 'Models'?")]
    [InlineData("Gateway:Policy:Models", "Gateway:Policy:Models", "It is a list: write Gateway:Policy:Models:0.")]
    [InlineData("Gateway:Policy:Models:first", "Gateway:Policy:Models:first", "It is in a list, whose keys are numbers.")]
    public void Find_TypingError_NamesItWithAHint(string key, string found, string hint) =>
        Assert.Equal([(found, hint)], Find(key));

    [Theory]
    [InlineData("Gateway:Limits:openstreams")]
    [InlineData("Gateway:Tenants:acme:Keys:0")]
    [InlineData("Gateway:Tenants:acme:Policy:MaxToolCalls")]
    [InlineData("Gateway:Store:Anything")]
    [InlineData("Elsewhere:Stoer")]
    public void Find_KnownKey_IsSilent(string key) => Assert.Empty(Find(key));

    [Fact]
    public void Find_EmptyUnknownSection_IsSilent() =>
        Assert.Empty(UnknownKeys.Find(new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create("Gateway:Later", (string?)null)]).Build(), Known));

    [Theory]
    [InlineData("Gateway:Shared:OpenStreams", null)]
    [InlineData("Gateway:Shared:DrainTimeout", null)]
    [InlineData("Gateway:Shared:DrainTimeuot", "Did you mean 'DrainTimeout'?")]
    public void Find_SectionOfTwoClasses_KnowsTheKeysOfBoth(string key, string? hint) =>
        Assert.Equal(
            hint is null ? [] : [(key, hint)],
            Find(key, [new("Shared", typeof(LimitsOptions)), new("Shared", typeof(HostingOptions))]));

    private static IEnumerable<(string Key, string Hint)> Find(string key, KnownSection[]? known = null) =>
        UnknownKeys.Find(new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create(key, (string?)"x")]).Build(), known ?? Known);
}
