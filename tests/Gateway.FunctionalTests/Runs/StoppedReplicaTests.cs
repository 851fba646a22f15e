using Gateway.FunctionalTests.Responses;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Runs;

/// <summary>
/// What becomes of runs when their replica gets SIGTERM. The lease is longer than any test waits: whoever goes on was handed the run.
/// </summary>
public sealed class StoppedReplicaTests : IAsyncLifetime
{
    private ReplicaCluster _cluster = null!;
    private GatewayProcess _one = null!;
    private GatewayProcess _two = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _cluster = await ReplicaCluster.StartAsync();
        (string, string)[] settings = [("Gateway:Runs:Lease", "00:10:00"), ("Gateway:Store:ResumeWindow", "00:05:00")];
        var started = await Task.WhenAll(_cluster.StartReplicaAsync(null, settings), _cluster.StartReplicaAsync(null, settings));
        (_one, _two) = (started[0], started[1]);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _cluster.DisposeAsync();
    }

    [Fact(Timeout = 60_000)]
    public async Task Stop_HandsRunsOverAtOnce_AndFinishesWhatClientsWaitFor()
    {
        using var held = new HeldMcpTool();
        _cluster.Server.Add(held.Tool);
        var midRound = new ChatStream().Role().Text("Hel").Hold().End();
        var foreground = new ChatStream().Role().Text("Hel").Hold().Text("lo.").End();
        var resumable = new ChatStream().Role().Text("Hel").Hold().Text("lo.").End();
        _cluster.Script("round", midRound, ChatAnswer.Say("Hello.").ToStream());
        _cluster.Script("call", ChatAnswer.Call(ReplicaCluster.Call("held", "call")).ToStream(), ChatAnswer.Say("Done.").ToStream());
        _cluster.Script("foreground", foreground);
        _cluster.Script("resumable", resumable);
        _cluster.Script("refused");

        var round = FollowedRun.Start(_one.Client, await _cluster.CreateAsync(_one.Client, "round", cancellationToken: TestContext.Current.CancellationToken), Cancellation);
        var call = FollowedRun.Start(_two.Client, await _cluster.CreateAsync(_one.Client, "call", cancellationToken: Cancellation), Cancellation);
        var waiting = StreamAsync("foreground", ",\"stream\":true,\"store\":false");
        var coming = StreamAsync("resumable", ",\"stream\":true");
        await Task.WhenAll(midRound.Hold.Reached, foreground.Hold.Reached, resumable.Hold.Reached, held.ReachedAsync(Cancellation)).WaitAsync(Cancellation);
        await round.UntilAsync("\"delta\":\"Hel\"", Cancellation);
        await _one.SignalAsync("TERM");

        // The one that was in the middle of a round is made anew elsewhere, and its follower stays where it is.
        var roundTold = await round.EndAsync();
        Assert.Equal(["mcp_list_tools", "message", "message"], roundTold.Final.Types("output"));
        Assert.Equal("Hello.", roundTold.Final.Text("output[2].content[0].text"));

        using (var request = _cluster.Post("refused", ",\"background\":true"))
        using (var refused = await _one.Client.SendAsync(request, Cancellation))
        {
            Assert.Equal((503, TimeSpan.FromSeconds(1)), ((int)refused.StatusCode, refused.Headers.RetryAfter!.Delta));
        }

        // The call is let finish, and what it said goes with the run.
        held.Release();
        var callTold = await call.EndAsync();
        Assert.Equal(["mcp_list_tools", "mcp_call", "message"], callTold.Final.Types("output"));
        Assert.Equal("released", callTold.Final.Text("output[1].output"));
        Assert.Single(_cluster.Server.Calls);

        foreground.Hold.Release();
        resumable.Hold.Release();
        Assert.Equal("Hello.", (await waiting).Text);
        Assert.Equal("Hello.", (await coming).Text);
        Assert.Single(_cluster.Asked("foreground"));
        Assert.Single(_cluster.Asked("resumable"));
        Assert.Equal(0, await _one.ExitAsync(Cancellation));
        await _cluster.AssertNoRunLeftAsync(Cancellation, isLeaseShort: false);
    }

    private async Task<ResponseStream> StreamAsync(string input, string more)
    {
        using var request = _cluster.Post(input, more);
        using var response = await _one.Client.SendAsync(request, Cancellation);
        return ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
    }
}
