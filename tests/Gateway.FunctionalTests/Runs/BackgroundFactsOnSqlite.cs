namespace Gateway.FunctionalTests.Runs;

public sealed class BackgroundFactsOnSqlite(GatewayFixture fixture) : BackgroundFacts(fixture), IClassFixture<GatewayFixture>;
