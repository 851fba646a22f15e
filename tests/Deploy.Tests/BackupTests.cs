using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using Microsoft.Data.Sqlite;
using StackExchange.Redis;

namespace Deploy.Tests;

/// <summary>What operations.md tells of backups: made while the gateway runs, restored elsewhere, a chain goes on.</summary>
public sealed class BackupTests : IAsyncLifetime
{
    private readonly TemporaryFolder _old = new();
    private readonly TemporaryFolder _restored = new();
    private ScriptedUpstream _upstream = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _upstream = await ScriptedUpstream.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _upstream.DisposeAsync();
        _old.Dispose();
        _restored.Dispose();
    }

    [Fact(Timeout = 60_000)]
    public async Task SqliteBackup_MadeWhileItRuns_IsGoneOnWith()
    {
        string first;
        await using (var gateway = await StartAsync(_old, null))
        {
            first = await CreateAsync(gateway, null);
            // As the .backup of the sqlite3 shell does.
            await using var source = new SqliteConnection($"Data Source={Path.Combine(_old.Path, "gateway.db")};Mode=ReadOnly;Pooling=False");
            await using var copy = new SqliteConnection($"Data Source={Path.Combine(_restored.Path, "gateway.db")};Pooling=False");
            await source.OpenAsync(TestContext.Current.CancellationToken);
            await copy.OpenAsync(Cancellation);
            source.BackupDatabase(copy);
            File.Copy(Path.Combine(_old.Path, "secrets.key"), Path.Combine(_restored.Path, "secrets.key"));
            // What comes after the backup is not in it.
            await CreateAsync(gateway, first);
        }

        await using var restored = await StartAsync(_restored, null);
        await CreateAsync(restored, first);

        Assert.Equal(["Hello", "Hello from the scripted model.", "Hello"], MessagesOf(_upstream.LastCall));
    }

    [Fact(Timeout = 60_000)]
    public async Task RedisSnapshot_MadeWhileItRuns_IsGoneOnWith()
    {
        string first;
        await using (var redis = await RedisProcess.StartAsync("--maxmemory-policy", "noeviction"))
        await using (var gateway = await StartAsync(_old, redis.EndPoint))
        {
            first = await CreateAsync(gateway, null);
            await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
            // As BGSAVE does, but waiting for it.
            await connection.GetDatabase().ExecuteAsync("SAVE").WaitAsync(TestContext.Current.CancellationToken);
            var folder = (string)((RedisResult[])(await connection.GetDatabase().ExecuteAsync("CONFIG", "GET", "dir"))!)[1]!;
            File.Copy(Path.Combine(folder, "dump.rdb"), Path.Combine(_restored.Path, "dump.rdb"));
        }

        await using var copy = await RedisProcess.StartAsync("--dir", _restored.Path);
        await using var restored = await StartAsync(_restored, copy.EndPoint);
        await CreateAsync(restored, first);

        Assert.Equal(["Hello", "Hello from the scripted model.", "Hello"], MessagesOf(_upstream.LastCall));
    }

    [Fact]
    public async Task SchemaVersion_IsTheOneThatIsTold()
    {
        await using (await StartAsync(_old, null))
        {
        }

        await using var database = new SqliteConnection($"Data Source={Path.Combine(_old.Path, "gateway.db")};Pooling=False");
        await database.OpenAsync(Cancellation);
        await using var command = database.CreateCommand();
        command.CommandText = "PRAGMA user_version";
        var version = Convert.ToInt32(await command.ExecuteScalarAsync(Cancellation), CultureInfo.InvariantCulture);

        Assert.Equal(version.ToString(CultureInfo.InvariantCulture), Regex.Match(Repository.Read("docs/operations.md"), @"now version (\d+), `PRAGMA user_version`").Groups[1].Value);
    }

    private Task<TestGateway> StartAsync(TemporaryFolder folder, string? redis) => TestGateway.StartAsync(new TestGatewayOptions
    {
        Upstreams = new Dictionary<string, Uri> { ["main"] = _upstream.Address },
        StorePath = folder.Path,
        Redis = redis,
    });

    private static async Task<string> CreateAsync(TestGateway gateway, string? previous)
    {
        using var content = new StringContent($"{{\"model\":\"scripted\",\"input\":\"Hello\"{(previous is null ? "" : $",\"previous_response_id\":\"{previous}\"")}}}", Encoding.UTF8, "application/json");
        using var response = await gateway.Client.PostAsync(new Uri("/v1/responses", UriKind.Relative), content, Cancellation);
        var body = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True(response.IsSuccessStatusCode, body);
        return JsonElement.Parse(body).GetProperty("id").GetString()!;
    }

    private static IEnumerable<string?> MessagesOf(RecordedCall call) => call.Body["messages"]!.AsArray().Select(message => (string?)message!["content"]);
}
