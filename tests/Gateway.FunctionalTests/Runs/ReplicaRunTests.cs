using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Runs;

/// <summary>Durable runs behind a load balancer that sends every request to another replica than the one before.</summary>
public sealed class ReplicaRunTests : IAsyncLifetime
{
    private ReplicaCluster _cluster = null!;
    private GatewayProcess[] _replicas = [];
    private HttpClient _client = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _cluster = await ReplicaCluster.StartAsync();
        _replicas = await Task.WhenAll(
            Enumerable.Range(0, 3).Select(_ => _cluster.StartReplicaAsync(null, ("Gateway:Runs:Lease", "00:10:00"), ("Gateway:Store:ResumeWindow", "00:05:00"))));
        _client = new HttpClient(new RoundRobinHandler(() => [.. _replicas.Select(replica => replica.BaseAddress)])) { BaseAddress = _replicas[0].BaseAddress };
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        _client.Dispose();
        await _cluster.DisposeAsync();
    }

    [Fact(Timeout = 60_000)]
    public async Task Name_WithoutItsRun_IsTakenOutOfTheIndex()
    {
        // What a replica leaves behind that is killed between writing the index and writing the run.
        await using var redis = await ConnectionMultiplexer.ConnectAsync(_cluster.Redis.EndPoint);
        var name = "default/resp_" + new string('a', 16) + new string('b', 22);
        await redis.GetDatabase().SortedSetAddAsync("gw:{/runs}:of:default", name, 1);
        await redis.GetDatabase().SetAddAsync("gw:{/runs}:tenants", "default");
        Assert.True(await redis.GetDatabase().SortedSetAddAsync("gw:{/runs}", name, 1));

        await _cluster.AssertNoRunLeftAsync(TestContext.Current.CancellationToken);
    }

    [Fact(Timeout = 60_000)]
    public async Task Runs_AreSeenFollowedAndCancelled_OnEveryReplica()
    {
        var polled = new ChatStream().Role().Text("Hel").Hold().Text("lo.").End();
        var cancelled = new ChatStream().Role().Text("Hel").Hold().Text("lo.").End();
        var left = new ChatStream().Role().Text("Hel").Hold().Text("lo.").End();
        _cluster.Script("polled", polled);
        _cluster.Script("cancelled", cancelled);
        _cluster.Script("left", left);

        // Accepted, then looked at through every replica, then followed from each.
        var polledId = await _cluster.CreateAsync(_client, "polled", cancellationToken: TestContext.Current.CancellationToken);
        await polled.Hold.Reached.WaitAsync(Cancellation);
        foreach (var replica in _replicas)
        {
            Assert.Equal("in_progress", (await ReplicaCluster.GetAsync(replica.Client, polledId, Cancellation)).AssertOk().Text("status"));
        }

        var followers = _replicas.Select(replica => FollowedRun.Start(replica.Client, polledId, Cancellation)).ToList();
        await Task.WhenAll(followers.Select(follower => follower.UntilAsync("\"delta\":\"Hel\"", Cancellation)));
        polled.Hold.Release();
        var whole = await followers[0].Ended;
        Assert.Equal([whole, whole], [await followers[1].Ended, await followers[2].Ended]);
        Assert.Equal("Hello.", (await followers[0].EndAsync()).Text);
        Assert.All(
            await Task.WhenAll(_replicas.Select(replica => ReplicaCluster.GetAsync(replica.Client, polledId, Cancellation))),
            reply => Assert.Equal(("completed", "Hello."), (reply.AssertOk().Text("status"), reply.Json.OutputText())));

        // Cancelled on another replica than the one that makes it: the upstream is left, and everybody is told.
        var cancelledId = await _cluster.CreateAsync(_replicas[0].Client, "cancelled", cancellationToken: Cancellation);
        await cancelled.Hold.Reached.WaitAsync(Cancellation);
        var watcher = FollowedRun.Start(_replicas[2].Client, cancelledId, Cancellation);
        await watcher.UntilAsync("\"delta\":\"Hel\"", Cancellation);
        using (var response = await _replicas[1].Client.PostAsync($"/v1/responses/{cancelledId}/cancel", null, Cancellation))
        {
            Assert.Equal("cancelled", (await Reply.ReadAsync(response)).AssertOk().Text("status"));
        }

        await _cluster.Asked("cancelled")[0].ClientLeft.WaitAsync(Cancellation);
        Assert.Equal("cancelled", (await watcher.EndAsync()).Final.Text("status"));

        // A stream whose client has left is resumed on the next replica where it was left.
        var leftId = await LeaveAsync("left", left.Hold);
        var back = FollowedRun.Start(_client, leftId, Cancellation);
        await back.UntilAsync("\"delta\":\"Hel\"", Cancellation);
        left.Hold.Release();
        Assert.Equal("Hello.", (await back.EndAsync()).Text);
        Assert.Single(_cluster.Asked("left"));
        await _cluster.AssertNoRunLeftAsync(Cancellation, isLeaseShort: false);
    }

    [Fact(Timeout = 60_000)]
    public async Task Calls_OfManyRuns_HaveTheirEffectOnce()
    {
        _cluster.Server.Add(new TestMcpTool("effect", (_, _, _) => Task.FromResult(TestMcpTools.Text("done"))));
        var inputs = Enumerable.Range(0, 12).Select(i => $"job {i}").ToList();
        foreach (var input in inputs)
        {
            _cluster.Script(input, ChatAnswer.Call(ReplicaCluster.Call("effect", input)).ToStream(), ChatAnswer.Say("Done.").ToStream());
        }

        var ids = await Task.WhenAll(inputs.Select(input => _cluster.CreateAsync(_client, input, cancellationToken: TestContext.Current.CancellationToken)));
        var told = await Task.WhenAll(ids.Select(id => FollowedRun.Start(_client, id, Cancellation).EndAsync()));

        Assert.All(told, stream => Assert.Equal(["mcp_list_tools", "mcp_call", "message"], stream.Final.Types("output")));
        Assert.All(inputs, input => Assert.Equal((1, 2), (_cluster.Called("effect", input), _cluster.Asked(input).Count)));
        await _cluster.AssertNoRunLeftAsync(Cancellation, isLeaseShort: false);
    }

    /// <summary>Streams a response in the foreground, and leaves at the hold.</summary>
    private async Task<string> LeaveAsync(string input, HoldStep hold)
    {
        using var request = _cluster.Post(input, ",\"stream\":true");
        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        await reader.ReadLineAsync(Cancellation);
        var created = await reader.ReadLineAsync(Cancellation);
        await hold.Reached.WaitAsync(Cancellation);
        return System.Text.Json.JsonElement.Parse(created!["data: ".Length..]).Text("response.id")!;
    }
}
