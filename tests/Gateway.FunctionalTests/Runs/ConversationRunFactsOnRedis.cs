using Gateway.Testing;
using Gateway.Testing.Redis;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Runs;

public sealed class ConversationRunFactsOnRedis(RedisGatewayFixture fixture) : ConversationRunFacts(fixture), IClassFixture<RedisGatewayFixture>
{
    private protected override bool OnRedis => true;

    [Fact]
    public async Task Events_OfAResponseInAConversation_AreKeptNoLongerThanIt()
    {
        var redis = Own(await RedisProcess.StartAsync());
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(
            GatewayFixture.OptionsFor(Upstream, ("Gateway:Policy:Retention:Conversations", "00:01:00")) with { Redis = redis.EndPoint });
        var conversation = await StartAsync("Q0");
        using var response = await OpenAsync(Say(conversation, "Q1"));
        await response.Content.ReadAsStringAsync(Cancellation);

        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        var keys = connection.GetServers().Single().Keys(pageSize: 1000).ToList();
        var events = Assert.Single(keys, key => key.ToString().Contains("}:e:", StringComparison.Ordinal));
        Assert.InRange((await connection.GetDatabase().KeyTimeToLiveAsync(events))!.Value, TimeSpan.Zero, TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Follower_WhoWaits_DoesNotReadTheRequestEachTime()
    {
        var redis = Own(await RedisProcess.StartAsync());
        await UseOwnUpstreamAsync();
        await using var other = await TestGateway.StartAsync(GatewayFixture.OptionsFor(Upstream) with { Redis = redis.EndPoint });
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream) with { Redis = redis.EndPoint });
        var held = Held();
        Upstream.Enqueue(held);
        using var response = await OpenAsync($$"""{"input":"{{new string('x', 1_000_000)}}"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var id = IdOf((await ReadEventsAsync(reader, 6))[0]);
        using var follow = await other.Client.GetAsync(new Uri($"/v1/responses/{id}?stream=true", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await Task.Delay(TimeSpan.FromSeconds(1), Cancellation);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");

        var before = await OutputAsync(connection);
        await Task.Delay(TimeSpan.FromSeconds(5), Cancellation);
        var sent = await OutputAsync(connection) - before;

        held.Hold.Release();
        await reader.ReadToEndAsync(Cancellation);
        Assert.InRange(sent, 0, 500_000);
    }

    private static async Task<long> OutputAsync(ConnectionMultiplexer connection)
    {
        var stats = await connection.GetServers().Single().InfoAsync("stats");
        return long.Parse(stats.SelectMany(section => section).First(pair => pair.Key == "total_net_output_bytes").Value, System.Globalization.CultureInfo.InvariantCulture);
    }
}
