namespace Gateway.FunctionalTests.Responses;

public sealed class ChainFactsOnSqlite(GatewayFixture fixture) : ChainFacts(fixture), IClassFixture<GatewayFixture>;
