using Gateway.Store;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Runs;

/// <summary>How long what a run leaves is kept: its events no longer than its answer, which they hold in full, and a run that waits not for ever.</summary>
public sealed class RunRetentionTests(GatewayFixture fixture) : RunTest(fixture), IClassFixture<GatewayFixture>
{
    private const double Day = 86_400;
    private RedisProcess? _redis;

    /// <summary>Each class of responses with a retention below <c>Gateway:Runs:EventRetention</c> (an hour), in minutes.</summary>
    public static TheoryData<string, string, string?, double> Classes => new()
    {
        { "Background", """{"background":true,"stream":true,"input":"Hi"}""", null, 10 },
        { "Responses", """{"stream":true,"input":"Hi"}""", "key", 10 },
        { "Conversations", """{"background":true,"stream":true,"input":"Hi","conversation":"{0}"}""", null, 10 },
        { "Conversations", """{"stream":true,"input":"Hi","conversation":"{0}"}""", "key", 10 },
    };

    [Theory]
    [MemberData(nameof(Classes))]
    public async Task Redis_EventsOfAnEndedRun_LiveNoLongerThanTheirResponse(string kind, string body, string? key, double minutes)
    {
        await StartAsync(redis: true, ($"Gateway:Policy:Retention:{kind}", TimeSpan.FromMinutes(minutes).ToString()));
        var id = await MakeAsync(body, key);

        var kept = (await LivesAsync()).Where(entry => entry.Key.Contains("}:e:", StringComparison.Ordinal) && entry.Key.EndsWith(SelfOf(id), StringComparison.Ordinal)).ToList();
        Assert.InRange(Assert.Single(kept).Value, 1, minutes * 60);
    }

    [Theory]
    [MemberData(nameof(Classes))]
    public async Task Sqlite_EventsOfAnEndedRun_LiveNoLongerThanTheirResponse(string kind, string body, string? key, double minutes)
    {
        await StartAsync(redis: false, ($"Gateway:Policy:Retention:{kind}", TimeSpan.FromMinutes(minutes).ToString()));
        await MakeAsync(body, key);

        Assert.InRange(Assert.NotNull(await RunLifeAsync()), 1, minutes * 60);
    }

    [Fact]
    public async Task Redis_RunThatWaits_LivesThirtyDaysAndAsLongAsItsAnswerOnceItHasOne()
    {
        await StartAsync(redis: true, ("Gateway:Runs:Concurrent", "1"), ("Gateway:Policy:Retention:Background", "00:10:00"));
        var (script, first, second) = await QueueTwoAsync();

        var waiting = (await LivesAsync()).Where(entry => entry.Key.EndsWith(SelfOf(second), StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(waiting);
        Assert.All(waiting, entry => Assert.InRange(entry.Value, 29.9 * Day, 30 * Day));

        script.Hold.Release();
        await PollAsync(first, "completed");
        await PollAsync(second, "completed");
        Assert.All(
            (await LivesAsync()).Where(entry => entry.Key.EndsWith(SelfOf(second), StringComparison.Ordinal)),
            entry => Assert.InRange(entry.Value, 1, 600));
    }

    [Fact]
    public async Task Sqlite_RunThatWaits_LivesThirtyDaysAndIsGoneOnceItHasAnAnswerAndNoEvents()
    {
        await StartAsync(redis: false, ("Gateway:Runs:Concurrent", "1"), ("Gateway:Policy:Retention:Background", "00:10:00"));
        var (script, first, second) = await QueueTwoAsync();
        Assert.InRange(Assert.NotNull(await RunLifeAsync()), 29.9 * Day, 30 * Day);

        script.Hold.Release();
        await PollAsync(first, "completed");
        await PollAsync(second, "completed");
        Assert.Null(await RunLifeAsync());
    }

    private async Task StartAsync(bool redis, params (string Key, string Value)[] settings)
    {
        _redis = redis ? Own(await RedisProcess.StartAsync()) : null;
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, settings) with { Redis = _redis?.EndPoint });
    }

    /// <summary>Makes one response to its end.</summary>
    private async Task<string> MakeAsync(string body, string? key)
    {
        if (body.Contains("{0}", StringComparison.Ordinal))
        {
            var conversation = (await SendAsync(HttpMethod.Post, "/v1/conversations", "{}", null)).AssertOk().Text("id")!;
            body = body.Replace("{0}", conversation, StringComparison.Ordinal);
        }

        (string, string)[] headers = key is null ? [] : [("Idempotency-Key", key)];
        var id = IdOf(EventsOf((await SendAsync(HttpMethod.Post, "/v1/responses", WithModel(body), null, headers)).Body)[0]);
        await PollAsync(id, "completed");
        return id;
    }

    /// <summary>One run that is held, and one behind it that waits for its place.</summary>
    private async Task<(ChatScript Script, string First, string Second)> QueueTwoAsync()
    {
        var script = Held();
        Upstream.Enqueue(script);
        var first = (await QueueAsync("""{"input":"first"}""")).Text("id")!;
        await script.Hold.Reached.WaitAsync(Cancellation);
        return (script, first, (await QueueAsync("""{"input":"second"}""")).Text("id")!);
    }

    private static string SelfOf(string id) => id[^22..];

    /// <summary>The seconds that each key has left; the largest number for one that stays for ever.</summary>
    private async Task<Dictionary<string, double>> LivesAsync()
    {
        await using var client = await ConnectionMultiplexer.ConnectAsync(_redis!.EndPoint);
        var lives = new Dictionary<string, double>(StringComparer.Ordinal);
        await foreach (var key in client.GetServers()[0].KeysAsync(pattern: "*").WithCancellation(Cancellation))
        {
            lives[key.ToString()] = (await client.GetDatabase().KeyTimeToLiveAsync(key))?.TotalSeconds ?? double.MaxValue;
        }

        return lives;
    }

    /// <summary>The seconds that the last run has left in the embedded store; null when there is none.</summary>
    private async Task<double?> RunLifeAsync()
    {
        var folder = Gateway.Services.GetRequiredService<IOptions<StoreOptions>>().Value.Path;
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(folder, "gateway.db")};Pooling=False;Mode=ReadOnly");
        await connection.OpenAsync(Cancellation);
        await using var read = connection.CreateCommand();
        read.CommandText = "SELECT expires FROM run ORDER BY id DESC LIMIT 1";
        return await read.ExecuteScalarAsync(Cancellation) is long expires ? (expires - DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()) / 1000.0 : null;
    }
}
