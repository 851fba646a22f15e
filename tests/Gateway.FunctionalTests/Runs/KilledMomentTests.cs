using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Runs;

/// <summary>
/// A replica is killed with a write on its lips: its way to Redis is shut just before that write goes through. Another replica knows nothing of what
/// was to be written.
/// </summary>
public sealed class KilledMomentTests : IAsyncLifetime
{
    private ReplicaCluster _cluster = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _cluster = await ReplicaCluster.StartAsync();
        _cluster.Server.Add(new TestMcpTool("effect", (_, _, _) => Task.FromResult(TestMcpTools.Text("done"))));
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _cluster.DisposeAsync();
    }

    [Theory]
    [InlineData("\"k\":\"list\"", 1, 1, "done")]
    [InlineData("\"k\":\"round\"", 2, 1, "done")]
    [InlineData("\"k\":\"start\"", 1, 1, "done")]
    [InlineData("\"k\":\"end\"", 1, 1, "Whether it had an effect is unknown")]
    [InlineData("\"type\":\"response.completed\"", 1, 1, "done")]
    public async Task Kill_BeforeAWrite_IsAsIfItHadNotBeen(string write, int firstRounds, int calls, string output)
    {
        await using var gate = new RedisGate(_cluster.Redis);
        var started = await Task.WhenAll(_cluster.StartReplicaAsync(gate.EndPoint), _cluster.StartReplicaAsync());
        var (one, two) = (started[0], started[1]);
        var call = ChatAnswer.Call(ReplicaCluster.Call("effect", "job")).ToStream();
        _cluster.Script("job", [.. Enumerable.Repeat(call, firstRounds), ChatAnswer.Say("Done.").ToStream()]);
        gate.ShutAt(write);

        var id = await _cluster.CreateAsync(one.Client, "job", cancellationToken: Cancellation);
        var followed = FollowedRun.Start(two.Client, id, Cancellation);
        await gate.ShutAsync(Cancellation);
        await one.KillAsync();
        var told = await followed.EndAsync();

        Assert.Equal("completed", told.Final.Text("status"));
        Assert.Equal(["mcp_list_tools", "mcp_call", "message"], told.Final.Types("output"));
        Assert.Equal("Done.", told.Final.OutputText());
        Assert.Equal(calls, _cluster.Called("effect", "job"));
        var asked = _cluster.Asked("job");
        Assert.Equal(firstRounds + 1, asked.Count);
        Assert.Contains(output, (string?)asked[^1].Messages[^1]!["content"], StringComparison.Ordinal);
        Assert.Equal(await followed.Ended, await ReplicaCluster.ReplayAsync(two.Client, id, Cancellation));
        await _cluster.AssertNoRunLeftAsync(Cancellation);
    }
}
