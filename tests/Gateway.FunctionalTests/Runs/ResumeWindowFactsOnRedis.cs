namespace Gateway.FunctionalTests.Runs;

public sealed class ResumeWindowFactsOnRedis(RedisGatewayFixture fixture) : ResumeWindowFacts(fixture), IClassFixture<RedisGatewayFixture>
{
    private protected override bool OnRedis => true;
}
