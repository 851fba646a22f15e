namespace Gateway.FunctionalTests.Runs;

public sealed class BackgroundFactsOnRedis(RedisGatewayFixture fixture) : BackgroundFacts(fixture), IClassFixture<RedisGatewayFixture>
{
    private protected override bool OnRedis => true;
}
