using System.Globalization;
using System.Text;
using System.Text.Json;
using Gateway.FunctionalTests.Tools;
using Gateway.Store;
using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Store;

/// <summary>
/// What may not be kept is not kept: text of prompts, arguments, outputs and answers is looked for in every key and value of Redis, and in every
/// byte of the embedded store's files.
/// </summary>
public sealed class ZeroRetentionTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Mark = "Zx7Qw4Kp";

    private string Folder => Gateway.Services.GetRequiredService<IOptions<StoreOptions>>().Value.Path;

    [Theory]
    [InlineData("Never", "true")]
    [InlineData("Allow", "false")]
    public async Task Redis_NothingMayBeKept_HoldsNoTextOfAnyRequest(string policy, string store)
    {
        var redis = Own(await RedisProcess.StartAsync());
        await StartAsync(policy, redis.EndPoint);

        await RunEverythingAsync(store);

        var entries = await ReadAsync(redis);
        Assert.All(entries, entry => Assert.Matches("^gw:\\{default\\}:claim:[0-9a-f]{40} (resp_[0-9A-Za-z]{38}|refused)$", entry));
        Assert.Equal(2, entries.Count);

        // What may be kept is found: the search is not blind.
        await StartAsync("Allow", redis.EndPoint);
        await CreateAsync($$"""{"input":"{{Mark}}"}""");
        Assert.Contains(await ReadAsync(redis), entry => entry.Contains(Mark, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Never", "true")]
    [InlineData("Allow", "false")]
    public async Task Sqlite_NothingMayBeKept_HoldsNoTextOfAnyRequest(string policy, string store)
    {
        await StartAsync(policy, redis: null);

        await RunEverythingAsync(store);

        Assert.DoesNotContain(Files(), file => file.Contains(Mark, StringComparison.Ordinal));
        Assert.Equal(["claim 2", "conversation 0", "log 0", "place 0", "readers 1", "response 0", "run 0", "run_event 0", "run_journal 0", "run_spec 0", "turn 0"], await CountAsync());

        // What may be kept is found: the search is not blind.
        await StartAsync("Allow", redis: null);
        await CreateAsync($$"""{"input":"{{Mark}}"}""");
        Assert.Contains(Files(), file => file.Contains(Mark, StringComparison.Ordinal));
    }

    private async Task StartAsync(string policy, string? redis)
    {
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo, TestMcpTools.Failing);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(
            GatewayFixture.OptionsFor(Upstream, ("Gateway:Tools:AllowedHosts:0", "127.0.0.1"), ("Gateway:Policy:Store", policy)) with
            {
                Redis = redis,
            });
    }

    /// <summary>Whole and streamed, with and without tools and approvals, well and badly ended.</summary>
    private async Task RunEverythingAsync(string store)
    {
        var tools = $"[{Mcp(approval: "never")}]";
        var asking = $"[{Mcp(approval: "always")}]";
        foreach (var streamed in (bool[])[false, true])
        {
            Upstream.Enqueue(ChatAnswer.Say("Plain " + Mark));
            await RespondAsync($$"""{"store":{{store}},"input":"Say {{Mark}}","instructions":"{{Mark}}","metadata":{"k":"{{Mark}}"} }""", streamed, "completed");

            Upstream.Enqueue(Calls(("srv__echo", Echo(Mark)), ("srv__failing", "{}")), new ChatAnswer { Reasoning = Mark, Text = "Tool said " + Mark });
            await RespondAsync($$"""{"store":{{store}},"input":"Use {{Mark}}","tools":{{tools}}}""", streamed, "completed");
            Assert.Contains("tool: Echo: " + Mark, Prompt);

            // An approval of a call, which is all that must be remembered.
            Upstream.Enqueue(Calls(("srv__echo", Echo(Mark))));
            var asked = await RespondAsync($$"""{"store":{{store}},"input":"Ask {{Mark}}","tools":{{asking}}}""", streamed, "completed");
            var items = string.Join(',', asked.Each("output").Select(item => item.GetRawText()));
            var request = asked.Each("output").Single(item => item.Text("type") == "mcp_approval_request").Text("id");
            await RespondAsync(
                $$"""
                {"store":{{store}},"tools":{{asking}},"input":[{"role":"user","content":"Ask {{Mark}}"},{{items}},
                 {"type":"mcp_approval_response","approval_request_id":"{{request}}","approve":{{(streamed ? "false" : "true")}}}]}
                """,
                streamed,
                "completed");

            // Failures before anything was said, and (streamed) in the middle of it.
            Upstream.Enqueue(ChatScript.Of(400, $$$"""{"error":{"message":"{{{Mark}}} is bad","type":"invalid_request_error","param":null,"code":null} }""", ChatScript.Json));
            Assert.Equal(400, (int)(await PostAsync(WithModel($$"""{"store":{{store}},"input":"Fail {{Mark}}"}"""))).Status);
        }

        Upstream.Enqueue(new ChatStream().Role().Text(Mark).Raw("data: {\"error\":{\"message\":\"" + Mark + "\",\"code\":500}}\n\n").Done().ToScript());
        await RespondAsync($$"""{"store":{{store}},"input":"Break {{Mark}}"}""", streamed: true, "failed");

        Upstream.Enqueue(new ChatAnswer { Text = "Cut " + Mark, FinishReason = "length" });
        await RespondAsync($$"""{"store":{{store}},"input":"Cut {{Mark}}"}""", streamed: false, "incomplete");
    }

    private async Task<JsonElement> RespondAsync(string json, bool streamed, string status)
    {
        var response = await CreateAsync(json, streamed);
        Assert.Equal(status, response.Text("status"));
        Assert.False(response.At("store").GetBoolean());
        (await GetAsync("/v1/responses/" + response.Text("id"))).AssertError(404, null, null);
        return response;
    }

    /// <summary>Every file of the store, byte by byte as Latin-1; but not the lock, which nobody else may open.</summary>
    private List<string> Files() => [.. Directory.GetFiles(Folder).Where(path => Path.GetFileName(path) != "lock").Select(path =>
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file, Encoding.Latin1);
        return reader.ReadToEnd();
    })];

    private async Task<List<string>> CountAsync()
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(Folder, "gateway.db")};Pooling=False;Mode=ReadOnly");
        await connection.OpenAsync(Cancellation);
        List<string> tables = [];
        await using (var names = connection.CreateCommand())
        {
            names.CommandText = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
            await using var rows = await names.ExecuteReaderAsync(Cancellation);
            while (await rows.ReadAsync(Cancellation))
            {
                tables.Add(rows.GetString(0));
            }
        }

        List<string> counts = [];
        foreach (var table in tables)
        {
            await using var count = connection.CreateCommand();
#pragma warning disable CA2100 // The names are the schema's own.
            count.CommandText = $"SELECT count(*) FROM {table}";
#pragma warning restore CA2100
            counts.Add(table + " " + Convert.ToString(await count.ExecuteScalarAsync(Cancellation), CultureInfo.InvariantCulture));
        }

        return counts;
    }

    /// <summary>Every key with every value, whatever its type.</summary>
    private static async Task<List<string>> ReadAsync(RedisProcess redis)
    {
        await using var client = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint);
        var db = client.GetDatabase();
        List<string> entries = [];
        await foreach (var key in client.GetServers()[0].KeysAsync(pattern: "*").WithCancellation(Cancellation))
        {
            var values = await db.KeyTypeAsync(key) switch
            {
                RedisType.String => [await db.StringGetAsync(key)],
                RedisType.List => await db.ListRangeAsync(key),
                RedisType.Set => await db.SetMembersAsync(key),
                RedisType.SortedSet => await db.SortedSetRangeByRankAsync(key),
                RedisType.Hash => [.. (await db.HashGetAllAsync(key)).SelectMany(pair => (RedisValue[])[pair.Name, pair.Value])],
                RedisType.Stream => [.. (await db.StreamRangeAsync(key)).SelectMany(entry => entry.Values).SelectMany(pair => (RedisValue[])[pair.Name, pair.Value])],
                var other => throw new InvalidOperationException($"The key {key} is a {other}."),
            };
            entries.Add($"{key} {string.Join(' ', values)}");
        }

        return entries;
    }
}
