namespace Gateway.FunctionalTests.Runs;

public sealed class ConversationRunFactsOnSqlite(GatewayFixture fixture) : ConversationRunFacts(fixture), IClassFixture<GatewayFixture>;
