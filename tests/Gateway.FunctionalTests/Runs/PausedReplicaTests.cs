using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Runs;

/// <summary>A replica sleeps (SIGSTOP) longer than its lease while another one goes on with its responses; when it wakes up it changes nothing.</summary>
public sealed class PausedReplicaTests : IAsyncLifetime
{
    private ReplicaCluster _cluster = null!;
    private RedisGate _gate = null!;
    private GatewayProcess _one = null!;
    private GatewayProcess _two = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _cluster = await ReplicaCluster.StartAsync();
        _gate = new RedisGate(_cluster.Redis);
        var started = await Task.WhenAll(_cluster.StartReplicaAsync(_gate.EndPoint), _cluster.StartReplicaAsync());
        (_one, _two) = (started[0], started[1]);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _gate.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    [Fact(Timeout = 60_000)]
    public async Task Pause_LongerThanTheLease_WakesUpToNothing()
    {
        using var held = new HeldMcpTool();
        _cluster.Server.Add(held.Tool, new TestMcpTool("effect", (_, _, _) => Task.FromResult(TestMcpTools.Text("done"))));
        var done = ChatAnswer.Say("Done.").ToStream();
        var untold = new ChatStream().Role().Text("Hel").Hold().Text("lo.").End();
        var uncalled = new ChatStream().Role().ToolCall(0, "call_a", "srv__effect", """{"job":"uncalled"}""").Hold().End("tool_calls");
        _cluster.Script("untold", untold, done);
        _cluster.Script("uncalled", uncalled, ChatAnswer.Call(ReplicaCluster.Call("effect", "uncalled")).ToStream(), done);
        _cluster.Script("calling", ChatAnswer.Call(ReplicaCluster.Call("held", "calling")).ToStream(), done);
        string[] inputs = ["untold", "uncalled", "calling", "committing"];
        var followed = new Dictionary<string, FollowedRun>();
        foreach (var input in inputs[..3])
        {
            followed[input] = FollowedRun.Start(_two.Client, await _cluster.CreateAsync(_one.Client, input, cancellationToken: TestContext.Current.CancellationToken), Cancellation);
        }

        await Task.WhenAll(untold.Hold.Reached, uncalled.Hold.Reached, held.ReachedAsync(Cancellation)).WaitAsync(Cancellation);
        await followed["untold"].UntilAsync("\"delta\":\"Hel\"", Cancellation);

        // The last one is at its commit, which is on its way to the store while the replica sleeps.
        _cluster.Script("committing", done);
        _gate.ShutAt("\"type\":\"response.completed\"");
        followed["committing"] = FollowedRun.Start(
            _two.Client, await _cluster.CreateAsync(_one.Client, "committing", cancellationToken: Cancellation), Cancellation);
        await _gate.ShutAsync(Cancellation);
        await _one.SignalAsync("STOP");
        await Task.WhenAll(followed.Values.Select(run => run.Ended));
        var before = await StateAsync(followed.Values);

        // All that the first one was waiting for comes, then it wakes up.
        _gate.Open();
        held.Release();
        untold.Hold.Release();
        uncalled.Hold.Release();
        await _one.SignalAsync("CONT");
        foreach (var input in inputs[..3])
        {
            await _one.PrintedAsync($"Response {followed[input].Id} of tenant default is made by another replica", Cancellation);
        }

        // The commit was sent before this, on the same connection.
        (await ReplicaCluster.GetAsync(_one.Client, followed["committing"].Id, Cancellation)).AssertOk();

        Assert.Equal(before, await StateAsync(followed.Values));
        foreach (var run in followed.Values)
        {
            Assert.Equal(await run.Ended, before[run.Id].Events);
            Assert.Equal("completed", (await run.EndAsync()).Final.Text("status"));
        }

        Assert.Equal(1, _cluster.Called("effect", "uncalled"));
        Assert.Equal(1, _cluster.Called("held", "calling"));
        Assert.Equal([2, 3, 2, 1], inputs.Select(input => _cluster.Asked(input).Count));
        await _cluster.AssertNoRunLeftAsync(Cancellation);
    }

    private async Task<Dictionary<string, (string Response, string Events)>> StateAsync(IEnumerable<FollowedRun> runs)
    {
        var state = new Dictionary<string, (string, string)>();
        foreach (var run in runs)
        {
            state[run.Id] = (
                (await ReplicaCluster.GetAsync(_two.Client, run.Id, Cancellation)).Body, await ReplicaCluster.ReplayAsync(_two.Client, run.Id, Cancellation));
        }

        return state;
    }
}
