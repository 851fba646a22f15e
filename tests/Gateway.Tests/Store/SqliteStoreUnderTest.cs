using System.Globalization;
using Gateway.Store;
using Gateway.Store.Sqlite;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Tests.Store;

internal sealed class SqliteStoreUnderTest : StoreUnderTest
{
    private readonly SqliteResponseStore _store;

    private SqliteStoreUnderTest() =>
        _store = new SqliteResponseStore(
            new StoreOptions { Path = Folder, SweepInterval = TimeSpan.FromDays(1) }, Metrics, Time, NullLogger<SqliteResponseStore>.Instance);

    public string Folder { get; } = Directory.CreateTempSubdirectory("gateway-store-").FullName;

    public override IResponseStore Store => _store;

    public override IRunStore Runs => _store.Runs;

    public override IConversationStore Conversations => _store.Conversations;

    public static async Task<SqliteStoreUnderTest> StartAsync()
    {
        var test = new SqliteStoreUnderTest();
        await test._store.StartAsync();
        return test;
    }

    public override Task AdvanceAsync(TimeSpan time)
    {
        Time.Advance(time);
        return Task.CompletedTask;
    }

    public Task SweepAsync() => _store.SweepAsync(CancellationToken.None);

    public override async Task<int> CountAsync()
    {
        await SweepAsync();
        string[] tables = ["response", "log", "turn", "claim", "run", "run_spec", "run_journal", "run_event", "conversation", "place"];
        return await QueryAsync("SELECT " + string.Join(" + ", tables.Select(table => $"(SELECT count(*) FROM {table})")));
    }

    public override Task<int> CountRunsAsync() => QueryAsync("SELECT count(*) FROM run WHERE ended = 0");

    public override async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
        await base.DisposeAsync();
    }

    private async Task<int> QueryAsync(string sql)
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(Folder, "gateway.db")};Pooling=False;Mode=ReadOnly");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToInt32(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
    }
}
