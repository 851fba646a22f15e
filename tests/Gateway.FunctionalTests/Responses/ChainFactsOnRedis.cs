namespace Gateway.FunctionalTests.Responses;

public sealed class ChainFactsOnRedis(RedisGatewayFixture fixture) : ChainFacts(fixture), IClassFixture<RedisGatewayFixture>;
