using Gateway.Policy;
using Gateway.Store;

namespace Gateway.Tests.Policy;

public sealed class EffectivePolicyTests
{
    [Fact]
    public void From_NothingConfigured_HasTheDefaults()
    {
        var policy = EffectivePolicy.From(new PolicyOptions());

        Assert.True(policy.StoreAllowed);
        Assert.False(policy.StrictParameters);
        Assert.Equal(128, policy.MaxToolCalls);
        Assert.Equal(32, policy.DefaultMaxToolCalls);
        Assert.Null(policy.OpenStreams);
        Assert.Null(policy.QueuedRuns);
        Assert.Null(policy.Followers);
        Assert.True(policy.AllowsModel("anything"));
    }

    [Fact]
    public void From_TenantSetsSomeKeys_WinsKeyByKey()
    {
        var common = new PolicyOptions { Store = StorePolicy.Never, StrictParameters = true, MaxToolCalls = 50, Models = ["a"], OpenStreams = 3, QueuedRuns = 5, Followers = 6 };
        var own = new PolicyOptions { Store = StorePolicy.Allow, Models = ["b*"], Followers = 7 };

        var policy = EffectivePolicy.From(common, own);

        Assert.True(policy.StoreAllowed);
        Assert.True(policy.StrictParameters);
        Assert.Equal(50, policy.MaxToolCalls);
        Assert.Equal(3, policy.OpenStreams);
        Assert.Equal((5, 7), (policy.QueuedRuns, policy.Followers));
        Assert.False(policy.AllowsModel("a"));
        Assert.True(policy.AllowsModel("b1"));
    }

    [Fact]
    public void RetentionOf_EachClass_IsTheTenantsThenTheCommonThenTheStores()
    {
        var common = new PolicyOptions { Retention = new() { Responses = TimeSpan.FromDays(2), Background = TimeSpan.FromDays(3) } };
        var own = new PolicyOptions { Retention = new() { Background = TimeSpan.FromDays(1) } };

        var policy = EffectivePolicy.From(common, own, TimeSpan.FromDays(4));

        Assert.Equal(TimeSpan.FromDays(2), policy.RetentionOf(RetentionClass.Responses));
        Assert.Equal(TimeSpan.FromDays(1), policy.RetentionOf(RetentionClass.Background));
        Assert.Equal(TimeSpan.FromDays(4), policy.RetentionOf(RetentionClass.Conversations));
        Assert.Equal(TimeSpan.FromDays(4), policy.LongestRetention);
        Assert.Equal(TimeSpan.FromDays(3), EffectivePolicy.From(common, usualRetention: TimeSpan.FromDays(1)).LongestRetention);
    }

    [Fact]
    public void RetentionOf_NothingConfigured_IsTheStoresDefault() =>
        Assert.All(Enum.GetValues<RetentionClass>(), kind => Assert.Equal(new StoreOptions().Retention, EffectivePolicy.From(new PolicyOptions()).RetentionOf(kind)));

    [Fact]
    public void From_TenantsCeilingBelowCommonDefault_CeilingHolds()
    {
        var policy = EffectivePolicy.From(new PolicyOptions { DefaultMaxToolCalls = 20 }, new PolicyOptions { MaxToolCalls = 5 });

        Assert.Equal(5, policy.DefaultMaxToolCalls);
    }

    [Fact]
    public void From_TenantsModelsEmpty_TakesTheCommonOnes()
    {
        var policy = EffectivePolicy.From(new PolicyOptions { Models = ["a"] }, new PolicyOptions { Models = [] });

        Assert.False(policy.AllowsModel("b"));
    }

    [Theory]
    [InlineData("qwen*", "qwen3-8b", true)]
    [InlineData("qwen*", "Qwen3-8b", false)]
    [InlineData("*/llama-*", "meta/llama-3", true)]
    [InlineData("exact", "exactly", false)]
    [InlineData("gpt.5", "gptx5", false)]
    public void AllowsModel_Pattern_MatchesWholeName(string pattern, string model, bool allowed) =>
        Assert.Equal(allowed, EffectivePolicy.From(new PolicyOptions { Models = [pattern] }).AllowsModel(model));

    [Fact]
    public void From_TenantHasToolHosts_WinsOverTheCommonOnes()
    {
        var common = new PolicyOptions { ToolHosts = ["common.example"] };

        var policy = EffectivePolicy.From(common, new PolicyOptions { ToolHosts = ["own.example:8443"] });

        Assert.True(policy.AllowsToolHost("own.example", 8443));
        Assert.False(policy.AllowsToolHost("own.example", 443));
        Assert.False(policy.AllowsToolHost("common.example", 443));
        Assert.True(EffectivePolicy.From(common).AllowsToolHost("common.example", 443));
        Assert.True(EffectivePolicy.From(new PolicyOptions()).AllowsToolHost("anything.example", 443));
    }
}
