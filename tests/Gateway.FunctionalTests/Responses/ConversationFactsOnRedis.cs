namespace Gateway.FunctionalTests.Responses;

public sealed class ConversationFactsOnRedis(RedisGatewayFixture fixture) : ConversationFacts(fixture), IClassFixture<RedisGatewayFixture>;
