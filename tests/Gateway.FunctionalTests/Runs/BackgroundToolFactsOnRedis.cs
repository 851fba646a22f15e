namespace Gateway.FunctionalTests.Runs;

public sealed class BackgroundToolFactsOnRedis(RedisGatewayFixture fixture) : BackgroundToolFacts(fixture), IClassFixture<RedisGatewayFixture>
{
    private protected override bool OnRedis => true;

    [Theory]
    [InlineData("authorization")]
    [InlineData("headers")]
    [InlineData("query")]
    [InlineData("user")]
    public async Task Credentials_WithoutAKey_AreRefused(string where)
    {
        await StartHereAsync();

        (await PostAsync(WithModel($$"""{"input":"Go","background":true,"tools":[{{SecretMcp(where)}}]}"""))).AssertError(400, "unsupported_value", "tools");

        Assert.Empty(Upstream.Calls);
        Assert.Empty(Server.Requests);
    }
}
