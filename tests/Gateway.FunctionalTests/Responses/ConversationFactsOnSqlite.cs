namespace Gateway.FunctionalTests.Responses;

public sealed class ConversationFactsOnSqlite(GatewayFixture fixture) : ConversationFacts(fixture), IClassFixture<GatewayFixture>;
