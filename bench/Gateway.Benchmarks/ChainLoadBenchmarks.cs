using System.Diagnostics.Metrics;
using System.Text;
using BenchmarkDotNet.Attributes;
using Gateway.Store;
using Gateway.Store.Redis;
using Gateway.Store.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Gateway.Benchmarks;

/// <summary>
/// Loading the history of a continuation, about 1 kB a turn. Redis is measured when <c>GATEWAY_TEST_REDIS</c> holds a connection string, and beside it
/// a plain LRANGE of the same turns with the same client library: what the store adds to it is the store's own.
/// </summary>
public class ChainLoadBenchmarks
{
    private const string Tenant = "bench";
    private const string Sqlite = "sqlite";
    private const string Redis = "redis";
    private const string PlainRange = "redis-lrange";
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "gateway-bench-" + Guid.NewGuid().ToString("n"));
    private IResponseStore? _store;
    private ConnectionMultiplexer? _plain;
    private Func<Task<int>>? _load;
    private ResponseId _last;

    [Params(1, 100, 1000)]
    public int Turns { get; set; }

    [ParamsSource(nameof(Stores))]
    public string Store { get; set; } = Sqlite;

    public static IEnumerable<string> Stores => RedisText is null ? [Sqlite] : [Sqlite, Redis, PlainRange];

    private static string? RedisText => Environment.GetEnvironmentVariable("GATEWAY_TEST_REDIS");

    [GlobalSetup]
    public async Task SetupAsync()
    {
        await FillAsync();
        _load = LoadFromStoreAsync;
        if (Store == PlainRange)
        {
            _plain = await ConnectionMultiplexer.ConnectAsync(RedisText!);
            var (database, log) = (_plain.GetDatabase(), RedisKeys.Log(Tenant, _last.Chain, CommitPlan.MainBranch));
            _load = async () => (await database.ListRangeAsync(log)).Length;
        }

        if (await _load() != Turns)
        {
            throw new InvalidOperationException($"{Store} does not hold the {Turns} turns that were committed.");
        }
    }

    [Benchmark]
    public Task<int> LoadAsync() => _load!();

    [GlobalCleanup]
    public async Task CleanupAsync()
    {
        await ((IAsyncDisposable)_store!).DisposeAsync();
        await (_plain?.DisposeAsync() ?? ValueTask.CompletedTask);
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private async Task<int> LoadFromStoreAsync() => (await _store!.LoadChainAsync(Tenant, _last, CancellationToken.None))!.Turns.Count;

    private async Task FillAsync()
    {
        var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var metrics = new StoreMetrics(services.GetRequiredService<IMeterFactory>());
        var options = new StoreOptions { Path = _folder, Redis = Store == Sqlite ? null : RedisText };
        _store = options.UsesRedis
            ? new RedisResponseStore(options, metrics, TimeProvider.System, NullLogger<RedisResponseStore>.Instance)
            : new SqliteResponseStore(options, metrics, TimeProvider.System, NullLogger<SqliteResponseStore>.Instance);
        await ((IStoreStart)_store).StartAsync();
        while (!_store.Health.Available)
        {
            await Task.Delay(10);
        }

        IReadOnlyList<PathSegment> path = [];
        _last = ResponseId.NewChain();
        var envelope = Encoding.UTF8.GetBytes("""{"id":"resp","output":[],"usage":null}""");
        for (var i = 0; i < Turns; i++)
        {
            _last = i == 0 ? _last : _last.NewInChain();
            var items = new[] { Message(0, "user", "input_text"), Message(1, "assistant", "output_text") };
            await _store.CommitAsync(
                new TurnCommit
                {
                    Tenant = Tenant,
                    Id = _last,
                    ParentPath = path,
                    Status = "completed",
                    CreatedAt = DateTimeOffset.UtcNow,
                    Turn = new Turn([items[0]], [items[1]], default),
                    Envelope = envelope,
                    OutputOffset = 25,
                    Retention = TimeSpan.FromHours(1),
                },
                CancellationToken.None);
            path = [new PathSegment(_last.Chain, "0", i + 1)];
        }
    }

    private ReadOnlyMemory<byte> Message(int index, string role, string part) => Encoding.UTF8.GetBytes(
        $$"""{"id":"{{_last.ItemId("msg", index)}}","type":"message","role":"{{role}}","content":[{"type":"{{part}}","text":"{{new string('x', 400)}}"}],"status":"completed"}""");
}
