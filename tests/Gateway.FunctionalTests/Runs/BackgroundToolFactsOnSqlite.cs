namespace Gateway.FunctionalTests.Runs;

public sealed class BackgroundToolFactsOnSqlite(GatewayFixture fixture) : BackgroundToolFacts(fixture), IClassFixture<GatewayFixture>;
