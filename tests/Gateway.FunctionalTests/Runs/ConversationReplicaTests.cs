using System.Text;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Runs;

/// <summary>Runs in a conversation over two gateway processes: whoever makes one, it is the conversation's only writer until its end.</summary>
public sealed class ConversationReplicaTests : IAsyncLifetime
{
    /// <summary>Shorter than the lease of a run: what holds the conversation between two makers is the run.</summary>
    private static readonly (string, string)[] Settings = [("Gateway:Store:ConversationLease", "00:00:01")];
    private ReplicaCluster _cluster = null!;
    private RedisGate _gate = null!;
    private GatewayProcess _one = null!;
    private GatewayProcess _two = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _cluster = await ReplicaCluster.StartAsync();
        _gate = new RedisGate(_cluster.Redis);
        var started = await Task.WhenAll(_cluster.StartReplicaAsync(_gate.EndPoint, Settings), _cluster.StartReplicaAsync(null, Settings));
        (_one, _two) = (started[0], started[1]);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _gate.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    [Fact(Timeout = 60_000)]
    public async Task KilledReplica_TheOtherFinishes_AndTheConversationGoesOn()
    {
        var cut = new ChatStream().Role().Text("Hel").Hold().End();
        _cluster.Script("Q1", cut, ChatAnswer.Say("A1").ToStream(), ChatAnswer.Say("A2").ToStream());
        var conversation = await StartAsync();
        var id = await _cluster.CreateAsync(_one.Client, "Q1", stream: false, more: In(conversation), Cancellation);
        await cut.Hold.Reached.WaitAsync(TestContext.Current.CancellationToken);

        await _one.KillAsync();

        // Nobody makes it for some seconds: nobody else gets in.
        (await SayAsync(conversation, "Q2")).AssertError(400, "conversation_locked", "conversation");
        var followed = await EndedAsync(id);
        Assert.Equal("completed", followed.Text("status"));
        Assert.Equal(["Q1", "A1"], await TextsAsync(conversation));
        (await SayAsync(conversation, "Q2")).AssertOk();
        Assert.Equal(["Q1", "A1", "Q2", "A2"], await TextsAsync(conversation));
    }

    [Fact(Timeout = 60_000)]
    public async Task StoppedReplica_HandsTheConversationOverWithTheRun()
    {
        var cut = new ChatStream().Role().Text("Hel").Hold().End();
        var held = new ChatStream().Role().Text("A1").Hold().End();
        _cluster.Script("Q1", cut, held, ChatAnswer.Say("A2").ToStream());
        var conversation = await StartAsync();
        var id = await _cluster.CreateAsync(_one.Client, "Q1", stream: false, more: In(conversation), Cancellation);
        await cut.Hold.Reached.WaitAsync(TestContext.Current.CancellationToken);

        await _one.SignalAsync("TERM");
        await held.Hold.Reached.WaitAsync(TestContext.Current.CancellationToken);
        (await SayAsync(conversation, "Q2")).AssertError(400, "conversation_locked", "conversation");
        Assert.Equal(0, await _one.ExitAsync(Cancellation));
        (await SayAsync(conversation, "Q2")).AssertError(400, "conversation_locked", "conversation");
        held.Hold.Release();

        Assert.Equal("completed", (await EndedAsync(id)).Text("status"));
        (await SayAsync(conversation, "Q2")).AssertOk();
        Assert.Equal(["Q1", "A1", "Q2", "A2"], await TextsAsync(conversation));
    }

    [Fact(Timeout = 60_000)]
    public async Task PausedReplica_WakesUpToAConversationThatIsFree()
    {
        var cut = new ChatStream().Role().Text("Hel").Hold().End();
        _cluster.Script("Q1", cut, ChatAnswer.Say("A1").ToStream(), ChatAnswer.Say("A2").ToStream());
        var conversation = await StartAsync();
        var id = await _cluster.CreateAsync(_one.Client, "Q1", stream: false, more: In(conversation), Cancellation);
        await cut.Hold.Reached.WaitAsync(TestContext.Current.CancellationToken);

        await _one.SignalAsync("STOP");
        Assert.Equal("completed", (await EndedAsync(id)).Text("status"));
        await _one.SignalAsync("CONT");
        await _one.PrintedAsync($"Response {id} of tenant default is made by another replica", Cancellation);

        (await SayAsync(conversation, "Q2")).AssertOk();
        Assert.Equal(["Q1", "A1", "Q2", "A2"], await TextsAsync(conversation));
    }

    [Fact(Timeout = 60_000)]
    public async Task CancelAndDelete_OnTheOtherReplica_FreeTheConversation()
    {
        var cut = new ChatStream().Role().Text("Hel").Hold().End();
        var cutAgain = new ChatStream().Role().Text("Hel").Hold().End();
        _cluster.Script("Q1", cut, cutAgain, ChatAnswer.Say("A2").ToStream());
        var conversation = await StartAsync();

        var cancelled = await _cluster.CreateAsync(_one.Client, "Q1", stream: false, more: In(conversation), Cancellation);
        await cut.Hold.Reached.WaitAsync(TestContext.Current.CancellationToken);
        using (var reply = await _two.Client.PostAsync($"/v1/responses/{cancelled}/cancel", null, Cancellation))
        {
            Assert.Equal("cancelled", (await Reply.ReadAsync(reply)).AssertOk().Text("status"));
        }

        var deleted = await _cluster.CreateAsync(_one.Client, "Q1", stream: false, more: In(conversation), Cancellation);
        await cutAgain.Hold.Reached.WaitAsync(TestContext.Current.CancellationToken);
        using (var reply = await _two.Client.DeleteAsync("/v1/responses/" + deleted, Cancellation))
        {
            (await Reply.ReadAsync(reply)).AssertOk();
        }

        Assert.Equal("A2", (await SayAsync(conversation, "Q1")).AssertOk().OutputText());
        Assert.Equal(["Q1", "A2"], await TextsAsync(conversation));
    }

    [Fact(Timeout = 60_000)]
    public async Task ConversationTakenByAnother_FailsTheRun_AndIsLeftAlone()
    {
        var held = new ChatStream().Role().Text("A1").Hold().End();
        _cluster.Script("Q1", held);
        var conversation = await StartAsync();
        var id = await _cluster.CreateAsync(_one.Client, "Q1", stream: true, more: In(conversation), Cancellation);
        await held.Hold.Reached.WaitAsync(TestContext.Current.CancellationToken);

        // As if Redis had forgotten the hold in a fail-over.
        await using var redis = await ConnectionMultiplexer.ConnectAsync(_cluster.Redis.EndPoint + ",allowAdmin=true");
        var key = redis.GetServers().Single().Keys(pattern: "gw:{*}:c").Single();
        await redis.GetDatabase().HashSetAsync(key, "owner", "another");

        var failed = await EndedAsync(id);
        Assert.Equal(("failed", "conversation_locked"), (failed.Text("status"), failed.Text("error.code")));
        var events = await ReplicaCluster.ReplayAsync(_two.Client, id, Cancellation);
        Assert.Contains("event: response.failed\n", events, StringComparison.Ordinal);
        Assert.Equal("another", await redis.GetDatabase().HashGetAsync(key, "owner"));
        Assert.Empty(await TextsAsync(conversation));
    }

    private static string In(string conversation) => $",\"conversation\":\"{conversation}\"";

    private async Task<string> StartAsync()
    {
        using var response = await _two.Client.PostAsync("/v1/conversations", new StringContent("{}", Encoding.UTF8, "application/json"), Cancellation);
        return (await Reply.ReadAsync(response)).AssertOk().Text("id")!;
    }

    private async Task<Reply> SayAsync(string conversation, string text)
    {
        using var request = _cluster.Post(text, In(conversation));
        using var response = await _two.Client.SendAsync(request, Cancellation);
        return await Reply.ReadAsync(response);
    }

    /// <summary>The response at its end; until then others are told that the conversation is locked.</summary>
    private async Task<System.Text.Json.JsonElement> EndedAsync(string id, Func<Task<Reply>>? writeAsync = null)
    {
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            var tried = writeAsync is null ? null : await writeAsync();
            var response = (await ReplicaCluster.GetAsync(_two.Client, id, Cancellation)).AssertOk();
            if (response.Text("status") is not ("queued" or "in_progress"))
            {
                return response;
            }

            tried?.AssertError(400, "conversation_locked", "conversation");
            await polls.WaitForNextTickAsync(Cancellation);
        }
    }

    private async Task<string?[]> TextsAsync(string conversation)
    {
        using var response = await _two.Client.GetAsync($"/v1/conversations/{conversation}/items?order=asc", Cancellation);
        return [.. (await Reply.ReadAsync(response)).AssertOk().Each("data").Where(item => item.Text("type") == "message").Select(item => item.Text("content[0].text"))];
    }
}
