namespace Gateway.FunctionalTests.Runs;

public sealed class ConversationRunFactsOnRedis(RedisGatewayFixture fixture) : ConversationRunFacts(fixture), IClassFixture<RedisGatewayFixture>
{
    private protected override bool OnRedis => true;
}
