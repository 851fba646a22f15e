using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Runs;

/// <summary>Many background responses on replicas that are killed and started again at random. The seed is fixed; what the processes make of it is not.</summary>
public sealed class ReplicaChaosTests : IAsyncLifetime
{
    private const int Jobs = 100;
    private const int Seed = 20_261_127;

    private readonly ConcurrentDictionary<string, int> _effects = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _progress = new(0);
    private ReplicaCluster _cluster = null!;
    private GatewayProcess[] _replicas = [];
    private HttpClient _client = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _cluster = await ReplicaCluster.StartAsync();
        _cluster.Server.Add(new TestMcpTool("effect", Affect));
        _cluster.Upstream.Default = Answer;
        _replicas = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => StartAsync()));
        _client = new HttpClient(new RoundRobinHandler(() => [.. _replicas.Select(replica => replica.BaseAddress)]))
        {
            BaseAddress = _replicas[0].BaseAddress,
            Timeout = TimeSpan.FromMinutes(5),
        };
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        _client.Dispose();
        _progress.Dispose();
        await _cluster.DisposeAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task Jobs_OnReplicasThatAreKilled_AllEndAndHaveEachEffectOnce()
    {
        var random = new Random(Seed);
        var killing = KillAsync(random);
        var ids = new string[Jobs];
        var followed = new ConcurrentDictionary<int, FollowedRun>();
        await Parallel.ForEachAsync(Enumerable.Range(0, Jobs), new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = TestContext.Current.CancellationToken }, async (i, _) =>
        {
            ids[i] = await AcceptAsync(i);
            if (IsStreamed(i))
            {
                followed[i] = FollowedRun.Start(_client, ids[i], Cancellation);
            }
        });
        await killing;

        var told = new Dictionary<int, string>();
        foreach (var (i, run) in followed)
        {
            told[i] = await run.Ended;
            var stream = await run.EndAsync();
            Assert.Equal(("completed", ids[i]), (stream.Final.Text("status"), stream.Id));
        }

        for (var i = 0; i < Jobs; i++)
        {
            var response = await EndedAsync(ids[i]);
            Assert.Equal("completed", response.Text("status"));
            Assert.Equal("Done.", response.At("output")[response.At("output").GetArrayLength() - 1].Text("content[0].text"));
            Assert.Equal(CallsOf(i), response.Types("output").Count(type => type == "mcp_call"));
            if (IsStreamed(i))
            {
                Assert.Equal(WithoutComments(await ReplayAsync(ids[i])), WithoutComments(told[i]));
            }
        }

        Assert.All(_effects, effect => Assert.True(effect.Value == 1, $"{effect.Key} happened {effect.Value} times."));
        Assert.Contains(_cluster.Replicas, static replica => replica.Output.Contains("is gone on with by this replica", StringComparison.Ordinal));
        await _cluster.AssertNoRunLeftAsync(Cancellation);
    }

    private Task<GatewayProcess> StartAsync() => _cluster.StartReplicaAsync(null, ("Gateway:Runs:Concurrent", "16"), ("Gateway:Tools:RepeatedCalls", "10"));

    /// <summary>Kills a replica after every so many things that the model and the tools were asked, and starts another in its place.</summary>
    private async Task KillAsync(Random random)
    {
        for (var kill = 0; kill < 6; kill++)
        {
            for (var steps = random.Next(12, 25); steps > 0; steps--)
            {
                await _progress.WaitAsync(Cancellation);
            }

            var slot = random.Next(_replicas.Length);
            if (random.Next(4) == 0)
            {
                await _replicas[slot].SignalAsync("TERM");
            }
            else
            {
                await _replicas[slot].KillAsync();
            }

            _replicas[slot] = await StartAsync();
        }
    }

    /// <summary>Each try has a name of its own: nobody knows whether the one before was accepted when its replica was killed.</summary>
    private async Task<string> AcceptAsync(int i)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var input = string.Create(CultureInfo.InvariantCulture, $"{CallsOf(i)} calls, job {i}, try {attempt}");
                using var request = _cluster.Post(input, IsStreamed(i) ? ",\"background\":true,\"stream\":true" : ",\"background\":true");
                using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
                if ((int)response.StatusCode == 503)
                {
                    continue;
                }

                Assert.Equal(200, (int)response.StatusCode);
                using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
                while (await reader.ReadLineAsync(Cancellation) is { } line)
                {
                    if (line.StartsWith("data: ", StringComparison.Ordinal))
                    {
                        return System.Text.Json.JsonElement.Parse(line["data: ".Length..]).Text("response.id")!;
                    }

                    if (line.StartsWith('{'))
                    {
                        return System.Text.Json.JsonElement.Parse(line).Text("id")!;
                    }
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                // The replica was killed.
            }
        }
    }

    private async Task<System.Text.Json.JsonElement> EndedAsync(string id)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (true)
        {
            try
            {
                var response = (await ReplicaCluster.GetAsync(_client, id, Cancellation)).AssertOk();
                if (response.Text("status") is not ("queued" or "in_progress"))
                {
                    return response;
                }
            }
            catch (HttpRequestException)
            {
                // A replica that was stopped is still among them.
            }

            await timer.WaitForNextTickAsync(Cancellation);
        }
    }

    private async Task<string> ReplayAsync(string id) => await FollowedRun.Start(_client, id, Cancellation).Ended;

    private async Task<ModelContextProtocol.Protocol.CallToolResult> Affect(JsonObject arguments, JsonObject? meta, CancellationToken cancellationToken)
    {
        _effects.AddOrUpdate((string)arguments["job"]!, 1, static (_, count) => count + 1);
        _progress.Release();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(30));
        await timer.WaitForNextTickAsync(cancellationToken);
        return TestMcpTools.Text("done");
    }

    /// <summary>A call in each round until there were as many as the input says, then an answer. It takes its time.</summary>
    private ChatScript Answer(JsonObject body)
    {
        _progress.Release();
        var messages = body["messages"]!.AsArray();
        var input = (string)messages.First(message => (string?)message!["role"] == "user")!["content"]!;
        var rounds = messages.Count(message => (string?)message!["role"] == "tool");
        var answer = rounds < input[0] - '0'
            ? ChatAnswer.Call(ReplicaCluster.Call("effect", $"{input}, round {rounds}", $"call_{rounds}"))
            : ChatAnswer.Say("Done.") with { Reasoning = "Is it all done?" };
        var script = answer.For(body);
        return script.Paced(TimeSpan.FromMilliseconds(10));
    }

    private static bool IsStreamed(int job) => job % 2 == 0;

    private static int CallsOf(int job) => job % 3;

    private static string WithoutComments(string body) =>
        string.Concat(body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(block => block[0] != ':').Select(block => block + "\n\n"));
}
