using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Runs;

/// <summary>Gateway processes over one Redis of their own, with an upstream that is scripted response by response, and an MCP server.</summary>
internal sealed class ReplicaCluster : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ConcurrentBag<GatewayProcess> _all = [];
    private readonly ConcurrentDictionary<string, ConcurrentQueue<ChatScript>> _scripts = new(StringComparer.Ordinal);

    private ReplicaCluster(ScriptedUpstream upstream, TestMcpServer server, RedisProcess redis)
    {
        Upstream = upstream;
        Server = server;
        Redis = redis;
        upstream.Default = Answer;
    }

    public ScriptedUpstream Upstream { get; }

    public TestMcpServer Server { get; }

    public RedisProcess Redis { get; }

    /// <summary>All replicas that were started, those that were killed too.</summary>
    public IEnumerable<GatewayProcess> Replicas => _all;

    public static async Task<ReplicaCluster> StartAsync() =>
        new(await ScriptedUpstream.StartAsync(), await TestMcpServer.StartAsync(), await RedisProcess.StartAsync());

    /// <summary>Starts one more replica.</summary>
    /// <param name="redis">The way to Redis; null for the straight one.</param>
    /// <param name="settings">Settings over the usual ones: a lease and commands of 3 seconds, and one call at a time.</param>
    public async Task<GatewayProcess> StartReplicaAsync(string? redis = null, params IEnumerable<(string Key, string Value)> settings)
    {
        var replica = await GatewayProcess.StartAsync(
            GatewayFixture.OptionsFor(
                Upstream,
                [
                    ("Gateway:Tools:AllowedHosts:0", "127.0.0.1"), ("Gateway:Runs:Lease", "00:00:03"),
                    ("Gateway:Store:CommandTimeout", "00:00:03"), ("Gateway:Tools:ParallelCalls", "1"), .. settings,
                ]) with
            {
                StorePath = _folder.Path,
                Redis = redis ?? Redis.EndPoint,
            });
        replica.Client.Timeout = TimeSpan.FromMinutes(5);
        _all.Add(replica);
        return replica;
    }

    /// <summary>What the upstream says to a response with this input, round by round, whoever asks.</summary>
    public void Script(string input, params IEnumerable<ChatScript> rounds) => _scripts[input] = new ConcurrentQueue<ChatScript>(rounds);

    /// <summary>What the upstream was asked for the response with this input, oldest first.</summary>
    public IReadOnlyList<RecordedCall> Asked(string input) => [.. Upstream.Calls.Where(call => InputOf(call.Body) == input)];

    /// <summary>The calls of a tool for the response with this input: it is in the arguments.</summary>
    public int Called(string tool, string input) => Server.Calls.Count(call => call.Name == tool && (string?)call.Arguments?["job"] == input);

    /// <summary>A call of a tool of the MCP server.</summary>
    public static ChatToolCall Call(string tool, string input, string id = "call_a") => new(id, "srv__" + tool, $"{{\"job\":\"{input}\"}}");

    /// <summary>Puts a background response into the queue, or streams it there.</summary>
    public async Task<string> CreateAsync(HttpClient client, string input, bool stream = true, string more = "", CancellationToken cancellationToken = default)
    {
        using var request = Post(input, $"{(stream ? ",\"stream\":true" : "")},\"background\":true{more}");
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (!stream)
        {
            return (await Reply.ReadAsync(response)).AssertOk().Text("id")!;
        }

        Assert.Equal(200, (int)response.StatusCode);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                return System.Text.Json.JsonElement.Parse(line["data: ".Length..]).Text("response.id")!;
            }
        }

        throw new IOException("The stream ended before its first event.");
    }

    /// <summary>A request with this input and the MCP server as its tool.</summary>
    public HttpRequestMessage Post(string input, string more) => new(HttpMethod.Post, "/v1/responses")
    {
        Content = new StringContent(
            $$$"""
            {"model":"{{{GatewayFixture.Model}}}","input":"{{{input}}}"{{{more}}},
             "tools":[{"type":"mcp","server_label":"srv","server_url":"{{{Server.Endpoint}}}","require_approval":"never"},
                      {"type":"function","name":"get_weather","parameters":{"type":"object"}}]}
            """,
            Encoding.UTF8,
            "application/json"),
    };

    public static async Task<Reply> GetAsync(HttpClient client, string id, CancellationToken cancellationToken)
    {
        using var response = await client.GetAsync("/v1/responses/" + id, cancellationToken);
        return await Reply.ReadAsync(response);
    }

    /// <summary>The whole event log, as a late client gets it.</summary>
    public static async Task<string> ReplayAsync(HttpClient client, string id, CancellationToken cancellationToken) =>
        await client.GetStringAsync($"/v1/responses/{id}?stream=true", cancellationToken);

    /// <summary>Nothing of any run is left but what is kept of the response: its record, its turn, the index, and its events.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="isLeaseShort">A renewal that met the end of its run leaves an entry in the index of live runs for the time of a lease: that is waited for.</param>
    public async Task AssertNoRunLeftAsync(CancellationToken cancellationToken, bool isLeaseShort = true)
    {
        const string index = "gw:{/runs}";
        await using var redis = await ConnectionMultiplexer.ConnectAsync(Redis.EndPoint);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (isLeaseShort && await redis.GetDatabase().KeyExistsAsync(index))
        {
            await timer.WaitForNextTickAsync(cancellationToken);
        }

        string[] kept = [":r:", ":l:", ":e:", ":index:", ":days"];
        Assert.All(
            redis.GetServer(redis.GetEndPoints()[0]).Keys(pattern: "*").Select(key => (string)key!).Where(key => !key.StartsWith(index, StringComparison.Ordinal)),
            key => Assert.Contains(kept, kind => key.Contains(kind, StringComparison.Ordinal)));
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_all.Select(replica => replica.DisposeAsync().AsTask()));
        await Redis.DisposeAsync();
        await Server.DisposeAsync();
        await Upstream.DisposeAsync();
        _folder.Dispose();
    }

    private static string InputOf(JsonObject body) =>
        (string)body["messages"]!.AsArray().First(message => (string?)message!["role"] == "user")!["content"]!;

    private ChatScript Answer(JsonObject body) =>
        _scripts.TryGetValue(InputOf(body), out var rounds) && rounds.TryDequeue(out var script)
            ? script
            : ChatScript.Of(418, """{"error":{"message":"It was not to be asked again."}}""");
}
