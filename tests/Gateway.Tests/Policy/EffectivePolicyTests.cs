using Gateway.Policy;

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
        Assert.True(policy.AllowsModel("anything"));
    }

    [Fact]
    public void From_TenantSetsSomeKeys_WinsKeyByKey()
    {
        var common = new PolicyOptions { Store = StorePolicy.Never, StrictParameters = true, MaxToolCalls = 50, Models = ["a"], OpenStreams = 3 };
        var own = new PolicyOptions { Store = StorePolicy.Allow, Models = ["b*"] };

        var policy = EffectivePolicy.From(common, own);

        Assert.True(policy.StoreAllowed);
        Assert.True(policy.StrictParameters);
        Assert.Equal(50, policy.MaxToolCalls);
        Assert.Equal(3, policy.OpenStreams);
        Assert.False(policy.AllowsModel("a"));
        Assert.True(policy.AllowsModel("b1"));
    }

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
}
