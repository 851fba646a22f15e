namespace Gateway.FunctionalTests.Runs;

/// <summary>On SQLite.</summary>
public sealed class SqliteIdempotencyTests(GatewayFixture fixture) : IdempotencyTest(fixture), IClassFixture<GatewayFixture>;

/// <summary>On Redis.</summary>
public sealed class RedisIdempotencyTests(RedisGatewayFixture fixture) : IdempotencyTest(fixture), IClassFixture<RedisGatewayFixture>;
