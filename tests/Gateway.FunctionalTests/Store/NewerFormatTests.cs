using System.Text;
using System.Text.Json;
using Gateway.Store;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using Microsoft.Data.Sqlite;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Store;

/// <summary>What a newer version has stored: what only adds to the format is kept and read, the rest is refused by name, and stays as it is.</summary>
public sealed class NewerFormatTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private ScriptedUpstream _upstream = null!;
    private RedisProcess _redis = null!;
    private ConnectionMultiplexer _connection = null!;
    private TestGateway? _gateway;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private IDatabase Stored => _connection.GetDatabase();

    private HttpClient Client => _gateway!.Client;

    public async ValueTask InitializeAsync()
    {
        _upstream = await ScriptedUpstream.StartAsync();
        _redis = await RedisProcess.StartAsync();
        _connection = await ConnectionMultiplexer.ConnectAsync(_redis.EndPoint);
    }

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }

        await _connection.DisposeAsync();
        await _redis.DisposeAsync();
        await _upstream.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(":r:", 0)]
    [InlineData(":l:", 0)]
    [InlineData(":l:", 1)]
    public async Task Response_OfANewerFormat_IsRefusedByNameAndStays(string kind, int stamp)
    {
        await StartAsync();
        var id = (await PostAsync("""{"input":"Hi"}""")).AssertOk().Text("id");
        var before = (await SendAsync("GET", $"/v1/responses/{id}")).Body;
        var key = await KeyAsync(kind);
        var known = await EditAsync(key, bytes => bytes[stamp] = 2);

        AssertRefused(await SendAsync("GET", $"/v1/responses/{id}"));
        AssertRefused(await SendAsync("GET", $"/v1/responses/{id}/input_items"));
        AssertRefused(await SendAsync("GET", "/v1/responses"));
        AssertRefused(await PostAsync($$"""{"input":"And?","previous_response_id":"{{id}}"}"""));
        if (kind == ":r:")
        {
            AssertRefused(await SendAsync("DELETE", $"/v1/responses/{id}"));
        }

        Assert.Single(_upstream.Calls);
        await EditAsync(key, bytes => known.CopyTo(bytes, 0));
        Assert.Equal(before, (await SendAsync("GET", $"/v1/responses/{id}")).Body);
        (await PostAsync($$"""{"input":"And?","previous_response_id":"{{id}}"}""")).AssertOk();
    }

    [Fact]
    public async Task Refusal_OfOneResponse_LeavesTheStoreWell()
    {
        await StartAsync();
        var id = (await PostAsync("""{"input":"Hi"}""")).AssertOk().Text("id");
        await EditAsync(await KeyAsync(":r:"), bytes => bytes[0] = 2);
        AssertRefused(await SendAsync("GET", $"/v1/responses/{id}"));

        // Were it an outage, this would be refused before it is made.
        (await PostAsync("""{"input":"Hi"}""")).AssertOk();

        Assert.Empty(_gateway!.Logs.Errors);
    }

    [Fact]
    public async Task Turn_WithAnItemAndANoteOfANewerVersion_IsShownAndContinuedWithoutThem()
    {
        await StartAsync();
        var id = (await PostAsync("""{"input":"Hi"}""")).AssertOk().Text("id");
        var key = await KeyAsync(":l:");
        var turn = TurnCodec.Decode((byte[])(await Stored.ListGetByIndexAsync(key, 0))!)!;
        const string item = """{"id":"new_1","type":"invented","text":"hm"}""";
        await Stored.ListSetByIndexAsync(key, 0, TurnCodec.Encode(turn with { Output = [.. turn.Output, Encoding.UTF8.GetBytes(item)], Private = """{"invented":["new_1"]}"""u8.ToArray() }));

        var shown = (await SendAsync("GET", $"/v1/responses/{id}")).AssertOk();
        (await PostAsync($$"""{"input":"And?","previous_response_id":"{{id}}"}""")).AssertOk();

        Assert.Equal(item, shown.At("output[1]").GetRawText());
        Assert.Equal(["user", "assistant", "user"], _upstream.LastCall.Roles);
        Assert.Contains("invented", (string?)await Stored.ListGetByIndexAsync(key, 0), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Conversation_OfANewerFormat_IsRefusedByNameAndStays()
    {
        await StartAsync();
        var id = (await SendAsync("POST", "/v1/conversations", """{"metadata":{"a":"b"},"items":[{"role":"user","content":"Hi"}]}""")).AssertOk().Text("id");
        var path = $"/v1/conversations/{id}";
        var items = (await SendAsync("GET", $"{path}/items")).AssertOk();
        var key = await KeyAsync("}:c");
        await Stored.HashSetAsync(key, "v", 2);

        AssertRefused(await SendAsync("GET", path));
        AssertRefused(await SendAsync("POST", path, """{"metadata":{"a":"c"}}"""));
        AssertRefused(await SendAsync("GET", $"{path}/items"));
        AssertRefused(await SendAsync("GET", $"{path}/items/{items.Text("data[0].id")}"));
        AssertRefused(await SendAsync("POST", $"{path}/items", """{"items":[{"role":"user","content":"Hi"}]}"""));
        AssertRefused(await SendAsync("DELETE", $"{path}/items/{items.Text("data[0].id")}"));
        AssertRefused(await PostAsync($$"""{"input":"And?","conversation":"{{id}}"}"""));
        AssertRefused(await SendAsync("DELETE", path));

        await Stored.HashDeleteAsync(key, "v");
        Assert.Equal("b", (await SendAsync("GET", path)).AssertOk().Text("metadata.a"));
        Assert.Equal(items.GetRawText(), (await SendAsync("GET", $"{path}/items")).AssertOk().GetRawText());
    }

    [Fact]
    public async Task Conversation_WithAMemberOfANewerVersion_KeepsIt()
    {
        await StartAsync();
        var id = (await SendAsync("POST", "/v1/conversations", "{}")).AssertOk().Text("id");
        var key = await KeyAsync("}:c");
        await Stored.HashSetAsync(key, "invented", "hm");

        (await SendAsync("POST", $"/v1/conversations/{id}", """{"metadata":{"a":"c"}}""")).AssertOk();
        (await PostAsync($$"""{"input":"And?","conversation":"{{id}}"}""")).AssertOk();

        Assert.Equal("hm", (string?)await Stored.HashGetAsync(key, "invented"));
    }

    [Theory]
    [InlineData("\"v\":1", "\"v\":3")]
    [InlineData("\"dialect\":\"openai\"", "\"dialect\":\"invented\"")]
    public async Task Run_OfANewerFormat_IsLeftToANewerReplica(string known, string newer)
    {
        await StartAsync(("Gateway:Runs:Concurrent", "1"));
        var hold = new HoldStep();
        var said = ChatAnswer.Say("Done.").ToJson();
        _upstream.Enqueue(said with { Steps = [hold, .. said.Steps] });
        var first = (await PostAsync("""{"input":"First","background":true}""")).AssertOk().Text("id");
        await hold.Reached.WaitAsync(Cancellation);
        var second = (await PostAsync("""{"input":"Second","background":true}""")).AssertOk().Text("id")!;
        var third = (await PostAsync("""{"input":"Third","background":true}""")).AssertOk().Text("id")!;
        var key = (await KeysAsync(":run:")).Single(name => second.EndsWith(name[^ResponseId.SelfLength..], StringComparison.Ordinal));
        await ReplaceAsync(known, newer);

        AssertRefused(await SendAsync("GET", $"/v1/responses/{second}"));
        AssertRefused(await SendAsync("POST", $"/v1/responses/{second}/cancel"));
        hold.Release();
        await CompletedAsync(first!);
        await CompletedAsync(third);

        Assert.Equal(0, (int)await Stored.HashGetAsync(key, "token"));
        Assert.Equal(2, _upstream.Calls.Count);
        await ReplaceAsync(newer, known);
        await CompletedAsync(second);

        async Task ReplaceAsync(string from, string to) =>
            await Stored.HashSetAsync(key, "spec", ((string)(await Stored.HashGetAsync(key, "spec"))!).Replace(from, to, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Events_OfANewerVersion_AreReplayedAsTheyAre()
    {
        await StartAsync();
        var told = await PostAsync("""{"input":"Hi","background":true,"stream":true}""");
        var id = JsonElement.Parse(told.Body.Split("\ndata: ")[1].Split('\n')[0]).Text("response.id");
        var key = await KeyAsync(":e:");
        var last = await Stored.ListGetByIndexAsync(key, -1);
        const string added = """{"type":"response.invented","sequence_number":99}""";
        await Stored.ListInsertBeforeAsync(key, last, added);

        var replayed = (await SendAsync("GET", $"/v1/responses/{id}?stream=true")).Body;

        Assert.Contains($"event: response.invented\ndata: {added}\n\nevent: response.completed\n", replayed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task IdempotencyKey_OfANewerFormat_IsRefusedByName_AndMakesNothing()
    {
        await StartAsync();
        (await SendAsync("POST", "/v1/responses", """{"model":"scripted","input":"Hi"}""", "key")).AssertOk();
        var key = await KeyAsync(":claim:");
        await Stored.StringSetAsync(key, "2 of another form");

        AssertRefused(await SendAsync("POST", "/v1/responses", """{"model":"scripted","input":"Hi"}""", "key"));
        AssertRefused(await SendAsync("POST", "/v1/conversations", "{}", "key"));

        Assert.Single(_upstream.Calls);
        Assert.Equal("2 of another form", (string?)await Stored.StringGetAsync(key));
    }

    [Fact]
    public async Task SqliteFile_NewerByOne_IsRefusedAtStartAndLeftAsItIs()
    {
        await StartAsync(redis: null);
        await _gateway!.DisposeAsync();
        _gateway = null;
        var file = Path.Combine(_folder.Path, "gateway.db");
        var version = Change(file, "PRAGMA user_version") + 1;
        Change(file, $"PRAGMA user_version = {version}");
        var before = await File.ReadAllBytesAsync(file, Cancellation);

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => GatewayProcess.StartAsync(new TestGatewayOptions { StorePath = _folder.Path }));

        Assert.Contains($"The gateway can not start:\n  The database in Gateway:Store:Path has schema version {version}; this gateway knows version {version - 1}.", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(file, Cancellation));
    }

    [Fact]
    public async Task SqliteTurn_OfANewerFormat_IsRefusedByName()
    {
        await StartAsync(redis: null);
        var id = (await PostAsync("""{"input":"Hi"}""")).AssertOk().Text("id");
        Change(Path.Combine(_folder.Path, "gateway.db"), "UPDATE turn SET data = CAST(X'02' || substr(data, 2) AS BLOB)");

        AssertRefused(await SendAsync("GET", $"/v1/responses/{id}"));
        AssertRefused(await PostAsync($$"""{"input":"And?","previous_response_id":"{{id}}"}"""));
    }

    private static long Change(string file, string sql)
    {
        using var database = new SqliteConnection($"Data Source={file};Pooling=False");
        database.Open();
        using var command = database.CreateCommand();
        command.CommandText = sql;
        return Convert.ToInt64(command.ExecuteScalar() ?? 0L, System.Globalization.CultureInfo.InvariantCulture);
    }

    private static void AssertRefused(Reply reply)
    {
        reply.AssertError(503, "stored_by_newer_version", null, "server_error");
        Assert.Contains("upgraded", reply.Json.Text("error.message"), StringComparison.Ordinal);
        Assert.NotNull(reply.Headers.RetryAfter);
    }

    private Task StartAsync(params (string, string)[] settings) => StartAsync(_redis.EndPoint, settings);

    private async Task StartAsync(string? redis, params (string, string)[] settings) =>
        _gateway = await TestGateway.StartAsync(GatewayFixture.OptionsFor(_upstream, settings) with { Redis = redis, StorePath = _folder.Path });

    private Task<Reply> PostAsync(string body) => SendAsync("POST", "/v1/responses", $"{{\"model\":\"{GatewayFixture.Model}\",{body[1..]}");

    private async Task<Reply> SendAsync(string method, string path, string? body = null, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Parse(method), path);
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        using var response = await Client.SendAsync(request, Cancellation);
        return await Reply.ReadAsync(response);
    }

    private async Task CompletedAsync(string id)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromMinutes(1));
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while ((await SendAsync("GET", $"/v1/responses/{id}")).AssertOk().Text("status") != "completed")
        {
            await polls.WaitForNextTickAsync(patience.Token);
        }
    }

    private async Task<string[]> KeysAsync(string kind) =>
        [.. (await _connection.GetServer(_redis.EndPoint).KeysAsync().ToListAsync(Cancellation)).Select(key => key.ToString()).Where(key => key.Contains(kind, StringComparison.Ordinal))];

    private async Task<RedisKey> KeyAsync(string kind) => Assert.Single(await KeysAsync(kind));

    /// <summary>Changes the bytes of a record, or of the only turn of a log, and returns what they were.</summary>
    private async Task<byte[]> EditAsync(RedisKey key, Action<byte[]> edit)
    {
        var isList = await Stored.KeyTypeAsync(key) == RedisType.List;
        var bytes = (byte[])(isList ? await Stored.ListGetByIndexAsync(key, 0) : await Stored.StringGetAsync(key))!;
        var before = bytes.ToArray();
        edit(bytes);
        await (isList ? Stored.ListSetByIndexAsync(key, 0, bytes) : (Task)Stored.StringSetAsync(key, bytes, expiry: null, keepTtl: true));
        return before;
    }
}
