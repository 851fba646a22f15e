namespace Gateway.FunctionalTests.Tools;

/// <summary>Two replicas, of which each makes every other turn.</summary>
public sealed class PromptPrefixFactsOnRedis(GatewayFixture fixture) : PromptPrefixFacts(fixture), IClassFixture<GatewayFixture>
{
    private protected override bool OnRedis => true;
}
