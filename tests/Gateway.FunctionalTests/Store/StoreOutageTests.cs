using System.Globalization;
using Gateway.Testing.Redis;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Store;

/// <summary>
/// What clients are told when Redis is away, slow, full or read-only (the table in docs/operations.md). <see cref="SharedRedisTests"/> has it
/// killed before a request, in the middle of a stream and at commit.
/// </summary>
public sealed class StoreOutageTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    /// <summary>How long a failure counts is measured by it; Redis and its client have the real one.</summary>
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);

    [Fact]
    public async Task DownAtStart_IsNotReadyAnswersWhatKeepsNothingAndConnectsLater()
    {
        var redis = Own(await RedisProcess.StartAsync());
        await redis.KillAsync();
        await StartAsync(redis, waitUntilReady: false);

        Assert.Equal(503, (int)(await GetAsync("/health/ready")).Status);
        Assert.Equal(200, (int)(await GetAsync("/health/live")).Status);
        AssertUnavailable(await PostAsync(WithModel("""{"input":"Hi"}""")));
        AssertUnavailable(await GetAsync("/v1/responses"));
        Assert.Empty(Upstream.Calls);
        await CreateAsync("""{"input":"Hi","store":false}""");

        await redis.StartAgainAsync();
        await Gateway.WaitUntilReadyAsync();
        await UntilKeptAsync();
    }

    [Fact]
    public async Task Full_IsToldAtCommitThenBeforeGenerationAndReadsGoOn()
    {
        var redis = Own(await RedisProcess.StartAsync("--maxmemory-policy", "noeviction"));
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        await StartAsync(redis);
        var first = (await CreateAsync("""{"input":"Hi"}""")).Text("id")!;

        await admin.GetServers()[0].ConfigSetAsync("maxmemory", "1");
        await AssertNotKeptAsync(() => PostAsync(WithModel("""{"input":"Hi"}""")));
        (await GetAsync("/v1/responses/" + first)).AssertOk();
        Assert.Single((await GetAsync("/v1/responses")).AssertOk().Each("data"));
        (await DeleteAsync("/v1/responses/" + first)).AssertOk();

        await admin.GetServers()[0].ConfigSetAsync("maxmemory", "0");
        await UntilKeptAsync();
    }

    [Fact]
    public async Task Full_AtTheEndOfAStream_IsFailed()
    {
        var redis = Own(await RedisProcess.StartAsync("--maxmemory-policy", "noeviction"));
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        await StartAsync(redis);
        await admin.GetServers()[0].ConfigSetAsync("maxmemory", "1");

        var stream = await StreamAsync("""{"input":"Hi"}""");

        Assert.Equal(("response.failed", "store_unavailable"), (stream.Types.Last(), stream.Final.Text("error.code")));
        await admin.GetServers()[0].ConfigSetAsync("maxmemory", "0");
        (await GetAsync("/v1/responses/" + stream.Id)).AssertError(404, null, null);
    }

    [Fact]
    public async Task ReadOnly_IsToldBeforeGeneration()
    {
        var other = Own(await RedisProcess.StartAsync());
        var redis = Own(await RedisProcess.StartAsync());
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        await StartAsync(redis);
        await CreateAsync("""{"input":"Hi"}""");

        await admin.GetServers()[0].ExecuteAsync("REPLICAOF", "127.0.0.1", other.Port.ToString(CultureInfo.InvariantCulture));
        await AssertNotKeptAsync(() => PostAsync(WithModel("""{"input":"Hi"}""")));

        await admin.GetServers()[0].ExecuteAsync("REPLICAOF", "NO", "ONE");
        await UntilKeptAsync();
    }

    [Fact]
    public async Task Slow_IsToldAfterTheTimeForOneCommand()
    {
        var redis = Own(await RedisProcess.StartAsync());
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        await StartAsync(redis);
        var first = (await CreateAsync("""{"input":"Hi"}""")).Text("id")!;
        var calls = Upstream.Calls.Count;

        await admin.GetServers()[0].ExecuteAsync("CLIENT", "PAUSE", "4000", "ALL");
        var loading = await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{first}}"}"""));
        var afterwards = await PostAsync(WithModel("""{"input":"Hi"}"""));

        AssertUnavailable(loading);
        AssertUnavailable(afterwards);
        Assert.Equal(calls, Upstream.Calls.Count);
        await UntilKeptAsync();
    }

    private async Task StartAsync(RedisProcess redis, bool waitUntilReady = true)
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Store:CommandTimeout", "00:00:00.5")) with
        {
            Redis = redis.EndPoint,
            WaitUntilReady = waitUntilReady,
            Time = _time,
        });
        Gateway.AllowedErrors = log => log.Category.StartsWith("Gateway.", StringComparison.Ordinal);
    }

    private static void AssertUnavailable(Reply reply)
    {
        reply.AssertError(503, "store_unavailable", null, "server_error");
        Assert.NotNull(reply.Headers.RetryAfter);
    }

    /// <summary>The first may be found out at its commit; the next one is refused before its generation.</summary>
    private async Task AssertNotKeptAsync(Func<Task<Reply>> post)
    {
        AssertUnavailable(await post());
        var calls = Upstream.Calls.Count;
        AssertUnavailable(await post());
        Assert.Equal(calls, Upstream.Calls.Count);
    }

    /// <summary>A response is kept again, without a restart.</summary>
    private async Task UntilKeptAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        Reply reply;
        do
        {
            patience.Token.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromSeconds(2));
            reply = await PostAsync(WithModel("""{"input":"Hi"}"""));
        }
        while ((int)reply.Status == 503);
        (await GetAsync("/v1/responses/" + reply.AssertOk().Text("id"))).AssertOk();
    }
}
