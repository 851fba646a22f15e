using Gateway.FunctionalTests.Responses;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using ModelContextProtocol.Protocol;

namespace Gateway.FunctionalTests.Runs;

/// <summary>
/// Replicas that were killed with SIGKILL while they made a response in every phase there is, and one that went on with all of them. Each
/// response was followed there from before the kill.
/// </summary>
public sealed class KilledReplica : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly ChatUsage Usage = new(11, 7);

    /// <summary>Writes that a replica was killed before, each named by the input of its response: its way to Redis was shut just then.</summary>
    private static readonly Dictionary<string, string> Writes = new()
    {
        ["unlisted"] = "\"k\":\"list\"",
        ["unmade"] = "\"k\":\"round\"",
        ["unstarted"] = "\"k\":\"start\"",
        ["unended"] = "\"k\":\"end\"",
        ["uncommitted"] = "\"type\":\"response.completed\"",
    };

    private readonly HeldMcpTool _running = new("running");
    private readonly HeldMcpTool _repeatable = new("repeatable");
    private readonly HeldMcpTool _second = new("second");
    private readonly Dictionary<string, string> _ids = [];
    private readonly Dictionary<string, FollowedRun> _followed = [];
    private readonly List<HoldStep> _holds = [];
    private readonly List<RedisGate> _gates = [];

    internal ReplicaCluster Cluster { get; private set; } = null!;

    internal GatewayProcess Other { get; private set; } = null!;

    /// <summary>The response with this input, as it is kept.</summary>
    internal Dictionary<string, System.Text.Json.JsonElement> Final { get; } = [];

    /// <summary>How often the upstream was asked for it, by both replicas.</summary>
    internal Dictionary<string, int> Rounds { get; } = [];

    /// <summary>What was told to the client that followed the response with this input.</summary>
    internal Dictionary<string, ResponseStream> Told { get; } = [];

    /// <summary>What a client gets that comes when all is over.</summary>
    internal Dictionary<string, string> Replayed { get; } = [];

    /// <summary>The bytes behind <see cref="Told"/>.</summary>
    internal Dictionary<string, string> Bytes { get; } = [];

    public async ValueTask InitializeAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        var stop = patience.Token;
        Cluster = await ReplicaCluster.StartAsync();
        Cluster.Server.Add(
            new TestMcpTool("effect", (_, _, _) => Task.FromResult(TestMcpTools.Text("done"))),
            _running.Tool,
            _repeatable.Tool with { Annotations = new ToolAnnotations { IdempotentHint = true } },
            _second.Tool);
        Script();
        string[] running = ["text", "part", "reasoning", "call", "calls", "mcp", "rounds", "running", "repeatable", "second", "plain"];
        (string, string)[] full = [("Gateway:Runs:Concurrent", $"{running.Length}")];
        var gates = Writes.ToDictionary(write => write.Key, _ => new RedisGate(Cluster.Redis));
        _gates.AddRange(gates.Values);
        var started = await Task.WhenAll(
            [Cluster.StartReplicaAsync(null, full), Cluster.StartReplicaAsync(null, full), .. gates.Values.Select(gate => Cluster.StartReplicaAsync(gate.EndPoint))]);
        var (one, gated) = (started[0], started[2..]);
        Other = started[1];
        foreach (var input in running)
        {
            _ids[input] = await Cluster.CreateAsync(one.Client, input, stream: input != "plain", cancellationToken: stop);
            if (input != "plain")
            {
                _followed[input] = FollowedRun.Start(Other.Client, _ids[input], stop);
            }
        }

        await Task.WhenAll(
            _followed["text"].UntilAsync("\"delta\":\"Hel\"", stop),
            _followed["part"].UntilAsync("\"delta\":\"sen\"", stop),
            _followed["reasoning"].UntilAsync("\"delta\":\"thi\"", stop),
            _followed["call"].UntilAsync("\"delta\":\"{\\\"ci\"", stop),
            _followed["calls"].UntilAsync("\"delta\":\"{\\\"ci\"", stop),
            _followed["rounds"].UntilAsync("\"delta\":\"And\"", stop),
            _followed["running"].UntilAsync("response.mcp_call.in_progress", stop),
            _running.ReachedAsync(stop),
            _repeatable.ReachedAsync(stop),
            _second.ReachedAsync(stop),
            Task.WhenAll(_holds.Select(hold => hold.Reached)).WaitAsync(stop));

        foreach (var ((input, gate), replica) in gates.Zip(gated))
        {
            gate.ShutAt(Writes[input]);
            _ids[input] = await Cluster.CreateAsync(replica.Client, input, cancellationToken: stop);
            _followed[input] = FollowedRun.Start(Other.Client, _ids[input], stop);
        }

        await Task.WhenAll(gates.Values.Select(gate => gate.ShutAsync(stop)));

        // The one has enough to do, and the other one does not take it: it waits until somebody has time.
        await Other.SignalAsync("STOP");
        _ids["queued"] = await Cluster.CreateAsync(one.Client, "queued", cancellationToken: stop);
        Assert.Equal("queued", (await ReplicaCluster.GetAsync(one.Client, _ids["queued"], stop)).AssertOk().Text("status"));
        await Task.WhenAll([one.KillAsync(), .. gated.Select(replica => replica.KillAsync())]);
        await Other.SignalAsync("CONT");
        _followed["queued"] = FollowedRun.Start(Other.Client, _ids["queued"], stop);
        await _repeatable.ReachedAsync(stop);
        _repeatable.Release(2);
        foreach (var (input, followed) in _followed)
        {
            Bytes[input] = await followed.Ended;
            Told[input] = await followed.EndAsync();
            Replayed[input] = await ReplicaCluster.ReplayAsync(Other.Client, followed.Id, stop);
        }

        foreach (var (input, id) in _ids)
        {
            Final[input] = await EndedAsync(id, stop);
            Rounds[input] = Cluster.Asked(input).Count;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _running.Dispose();
        _repeatable.Dispose();
        _second.Dispose();
        await Task.WhenAll(_gates.Select(gate => gate.DisposeAsync().AsTask()));
        await Cluster.DisposeAsync();
    }

    private async Task<System.Text.Json.JsonElement> EndedAsync(string id, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            var response = (await ReplicaCluster.GetAsync(Other.Client, id, cancellationToken)).AssertOk();
            if (response.Text("status") is not ("queued" or "in_progress"))
            {
                return response;
            }

            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    private void Script()
    {
        var done = ChatAnswer.Say("Done.").ToStream();
        Cluster.Script("queued", done);
        Cluster.Script("text", Held(new ChatStream().Role().Text("Hel")), ChatAnswer.Say("Hello.").ToStream());
        Cluster.Script("part", Held(new ChatStream().Role().Reasoning("reasoning_content", "Hm.").Text("Half a ", "sen")), done);
        Cluster.Script("reasoning", Held(new ChatStream().Role().Reasoning("reasoning_content", "I ", "thi")), done);
        Cluster.Script(
            "call",
            Held(new ChatStream().Role().Text("I look.").ToolCall(0, "call_w", "get_weather", "{\"ci")),
            ChatAnswer.Call(new ChatToolCall("call_x", "get_weather", """{"city":"Rome"}""")).ToStream());
        Cluster.Script(
            "calls",
            Held(new ChatStream().Role().ToolCall(0, "call_w", "get_weather", "{}").ToolCall(1, "call_v", "get_weather", "{\"ci")),
            ChatAnswer.Call(new ChatToolCall("call_x", "get_weather", """{"city":"Rome"}""")).ToStream(),
            done);
        Cluster.Script("mcp", Held(new ChatStream().Role().ToolCall(0, "call_a", "srv__effect", "{\"jo")), CallOf("mcp", "effect"), done);
        Cluster.Script("rounds", CallOf("rounds", "effect"), Held(new ChatStream().Role().Text("And")), done);
        Cluster.Script("running", CallOf("running", "running"), done);
        Cluster.Script("repeatable", CallOf("repeatable", "repeatable"), done);
        Cluster.Script(
            "second",
            ChatAnswer.Call(
                ReplicaCluster.Call("effect", "second"), ReplicaCluster.Call("second", "second", "call_b"), ReplicaCluster.Call("effect", "second", "call_c"))
                .ToStream(),
            done);
        foreach (var input in Writes.Keys)
        {
            // The round that was not kept is made again.
            Cluster.Script(input, [.. Enumerable.Repeat(CallOf(input, "effect"), input == "unmade" ? 2 : 1), done]);
        }

        Cluster.Script("plain", Held(new ChatStream().Role().Text("Hel")), ChatAnswer.Say("Hello.").ToJson());
    }

    private ChatScript Held(ChatStream stream)
    {
        var script = stream.Hold().Finish("stop").Usage(Usage).Done().ToScript();
        _holds.Add(script.Hold);
        return script;
    }

    private static ChatScript CallOf(string input, string tool) => ChatAnswer.Call(ReplicaCluster.Call(tool, input)).ToStream();
}
