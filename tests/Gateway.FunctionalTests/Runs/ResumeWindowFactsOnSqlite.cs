namespace Gateway.FunctionalTests.Runs;

public sealed class ResumeWindowFactsOnSqlite(GatewayFixture fixture) : ResumeWindowFacts(fixture), IClassFixture<GatewayFixture>;
