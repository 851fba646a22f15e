using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Deploy.Tests;

/// <summary>
/// The lifecycle script as shipped, with the proxy as configured: two replicas over one Redis are made anew, one after the other, while clients
/// that never try anything again stream chains, ask for JSON, and wait for background responses.
/// </summary>
public sealed class RollingUpgradeTests : IAsyncLifetime
{
    private const int Deltas = 40;
    private const int WarmAfter = 30;
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);
    private static readonly string Text = string.Concat(Enumerable.Range(0, Deltas).Select(i => string.Create(CultureInfo.InvariantCulture, $"w{i} ")));

    private readonly ConcurrentDictionary<string, Replica> _replicas = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<string> _done = [];
    private readonly TaskCompletionSource _warm = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TemporaryFolder _folder = new();
    private readonly CancellationTokenSource _enough = new();
    private RedisProcess _redis = null!;
    private ScriptedUpstream _upstream = null!;
    private ProxyProcess _proxy = null!;
    private HttpClient _client = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync("--maxmemory-policy", "noeviction");
        _upstream = await ScriptedUpstream.StartAsync();
        // The model answers with the text, a delta each 20 ms: a stream takes most of a second.
        var answer = new ChatStream().Role().Text(Text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => word + " ")).End().Paced(Pace);
        _upstream.Default = body => body["stream"]?.GetValue<bool>() == true ? answer : ChatAnswer.Say(Text).ToJson();
        await Task.WhenAll(((string[])["gateway-1", "gateway-2"]).Select(async name => _replicas[name] = await StartAsync(ProxyProcess.FreePort())));
        _proxy = ProxyProcess.Start("deploy/proxy/haproxy.cfg", _replicas["gateway-1"].Process.BaseAddress, _replicas["gateway-2"].Process.BaseAddress);
        _client = new HttpClient { BaseAddress = _proxy.BaseAddress, Timeout = TimeSpan.FromMinutes(1) };
        await _proxy.ReadyAsync(2, Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _proxy.DisposeAsync();
        await Task.WhenAll(_replicas.Values.Select(replica => replica.Process.DisposeAsync().AsTask()));
        await _upstream.DisposeAsync();
        await _redis.DisposeAsync();
        _folder.Dispose();
        _enough.Dispose();
    }

    [Fact(Timeout = 90_000)]
    public async Task ReplicasMadeAnew_UnderLoad_LoseNothing()
    {
        var before = _replicas.ToDictionary(replica => replica.Key, replica => replica.Value.Process);
        var clients = Task.WhenAll(
            Task.WhenAll(Enumerable.Range(0, 6).Select(_ => RepeatAsync(StreamChainAsync))),
            Task.WhenAll(Enumerable.Range(0, 2).Select(_ => RepeatAsync(AskAsync))),
            Task.WhenAll(Enumerable.Range(0, 3).Select(_ => RepeatAsync(PollAsync))),
            Task.WhenAll(Enumerable.Range(0, 3).Select(_ => RepeatAsync(FollowAsync))));

        // Replicas that have served before, as those of a running service have.
        await Task.WhenAny(_warm.Task, clients).Unwrap().WaitAsync(TestContext.Current.CancellationToken);
        using var restarts = new TcpListener(IPAddress.Loopback, 0);
        restarts.Start();
        var serving = ServeRestartsAsync(restarts);
        var script = RollAsync(((IPEndPoint)restarts.LocalEndpoint).Port);
        // A client that fails fails the test at once, not after the script's patience.
        await Task.WhenAny(script, clients, serving);
        if (!script.IsCompleted)
        {
            await Task.WhenAny(clients, serving).Unwrap();
        }

        var told = await script;
        await _enough.CancelAsync();
        await clients;
        restarts.Stop();

        Assert.Equal(["gateway-1: drain", "gateway-1: restart", "gateway-1: ready", "gateway-2: drain", "gateway-2: restart", "gateway-2: ready"], told.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.All(_replicas, replica => Assert.NotSame(before[replica.Key], replica.Value.Process));
        // Something was going on while it happened.
        Assert.InRange(_done.Count, 2 * WarmAfter, int.MaxValue);
        Assert.Equal([nameof(AskAsync), nameof(FollowAsync), nameof(PollAsync), nameof(StreamChainAsync)], _done.Distinct().Order());
    }

    private async Task RepeatAsync(Func<Task> client)
    {
        while (!_enough.IsCancellationRequested)
        {
            await client();
            _done.Add(client.Method.Name);
            if (_done.Count >= WarmAfter)
            {
                _warm.TrySetResult();
            }
        }
    }

    /// <summary>A conversation of three turns, streamed, each on whatever replica.</summary>
    private async Task StreamChainAsync()
    {
        string? id = null;
        for (var turn = 0; turn < 3; turn++)
        {
            var previous = id is null ? string.Empty : $",\"previous_response_id\":\"{id}\"";
            var events = await ReadStreamAsync(Post($"\"stream\":true{previous}"));
            var last = events[^1];
            Assert.Equal("response.completed", last.GetProperty("type").GetString());
            Assert.Equal(Text, TextOf(last.GetProperty("response")));
            Assert.Equal(Text, string.Concat(events.Where(e => e.GetProperty("type").GetString() == "response.output_text.delta").Select(e => e.GetProperty("delta").GetString())));
            id = last.GetProperty("response").GetProperty("id").GetString();
        }
    }

    private async Task AskAsync() => Assert.Equal(Text, TextOf(await ReadAsync(Post("\"stream\":false"))));

    /// <summary>A background response that is asked for until it has ended.</summary>
    private async Task PollAsync()
    {
        var response = await ReadAsync(Post("\"background\":true"));
        var id = response.GetProperty("id").GetString();
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (response.GetProperty("status").GetString() is "queued" or "in_progress")
        {
            await polls.WaitForNextTickAsync(Cancellation);
            response = await ReadAsync(new HttpRequestMessage(HttpMethod.Get, "/v1/responses/" + id));
        }

        Assert.Equal("completed", response.GetProperty("status").GetString());
        Assert.Equal(Text, TextOf(response));
    }

    /// <summary>A background response that is followed from its first event on; made anew in the middle, it has an incomplete item before its last one.</summary>
    private async Task FollowAsync()
    {
        var events = await ReadStreamAsync(Post("\"background\":true,\"stream\":true"));

        Assert.Equal(Enumerable.Range(0, events.Count), events.Select(e => e.GetProperty("sequence_number").GetInt32()));
        Assert.Equal("response.completed", events[^1].GetProperty("type").GetString());
        Assert.Equal(Text, TextOf(events[^1].GetProperty("response")));
    }

    private async Task<List<JsonElement>> ReadStreamAsync(HttpRequestMessage message)
    {
        using var request = message;
        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        var body = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {body}");
        Assert.EndsWith("data: [DONE]\n\n", body, StringComparison.Ordinal);
        return [.. body.Split('\n').Where(line => line.StartsWith("data: {", StringComparison.Ordinal)).Select(line => JsonElement.Parse(line["data: ".Length..]))];
    }

    private async Task<JsonElement> ReadAsync(HttpRequestMessage message)
    {
        using var request = message;
        using var response = await _client.SendAsync(request, Cancellation);
        var body = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {body}");
        return JsonElement.Parse(body);
    }

    private static HttpRequestMessage Post(string members) => new(HttpMethod.Post, "/v1/responses")
    {
        Content = new StringContent($"{{\"model\":\"scripted\",\"input\":\"Hello\",{members}}}", Encoding.UTF8, "application/json"),
    };

    private static string? TextOf(JsonElement response) => response.GetProperty("output")[response.GetProperty("output").GetArrayLength() - 1].GetProperty("content")[0].GetProperty("text").GetString();

    /// <summary>Runs the script, with ways of its own to the proxy and to a restart.</summary>
    private async Task<string> RollAsync(int restartPort)
    {
        var proxy = await WriteScriptAsync("proxy.sh", string.Create(CultureInfo.InvariantCulture, $"exec 3<>/dev/tcp/127.0.0.1/{_proxy.AdminPort}; cat >&3; cat <&3"));
        var restart = await WriteScriptAsync("restart.sh", string.Create(CultureInfo.InvariantCulture, $"exec 3<>/dev/tcp/127.0.0.1/{restartPort}; echo \"$1\" >&3; read -r answer <&3; [ \"$answer\" = ok ]"));
        return await Tool.SucceedAsync("bash", ["deploy/rolling-upgrade.sh"], environment: [("ROLL_PROXY", "bash " + proxy), ("ROLL_RESTART", "bash " + restart), ("ROLL_PATIENCE", "30")]);
    }

    private async Task<string> WriteScriptAsync(string name, string text)
    {
        var path = Path.Combine(_folder.Path, name);
        await File.WriteAllTextAsync(path, text + "\n", Cancellation);
        return path;
    }

    /// <summary>A restart as a platform makes it: SIGTERM, the end of the process, a new one at the same address.</summary>
    private async Task ServeRestartsAsync(TcpListener listener)
    {
        for (var left = 2; left > 0; left--)
        {
            using var client = await listener.AcceptTcpClientAsync(Cancellation);
            await using var stream = client.GetStream();
            using var reader = new StreamReader(stream);
            var name = await reader.ReadLineAsync(Cancellation) ?? string.Empty;
            var (process, port) = _replicas[name];
            await process.SignalAsync("TERM");
            Assert.Equal(0, await process.ExitAsync(Cancellation));
            await process.DisposeAsync();
            _replicas[name] = await StartAsync(port);
            await stream.WriteAsync("ok\n"u8.ToArray(), Cancellation);
        }
    }

    private async Task<Replica> StartAsync(int port) => new(
        await GatewayProcess.StartAsync(new TestGatewayOptions
        {
            Upstreams = new Dictionary<string, Uri> { ["main"] = _upstream.Address },
            Settings = new Dictionary<string, string> { ["urls"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}") },
            Redis = _redis.EndPoint,
            StorePath = _folder.Path,
        }),
        port);

    private sealed record Replica(GatewayProcess Process, int Port);
}
