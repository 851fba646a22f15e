namespace Gateway.FunctionalTests.Tools;

public sealed class PromptPrefixFactsOnSqlite(GatewayFixture fixture) : PromptPrefixFacts(fixture), IClassFixture<GatewayFixture>;
