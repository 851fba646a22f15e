using System.Text;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing;
using Gateway.Testing.Scripting;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Store;

/// <summary>Conversations over replicas that share one Redis: one writer at a time, wherever it is, and none that lost its place.</summary>
public sealed class SharedConversationTests : SharedRedisTest
{
    [Fact]
    public async Task Conversation_GoesFromReplicaToReplica()
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"), ChatAnswer.Say("A2"));
        var id = await StartAsync(One);

        (await PostAsync(Two, $$"""{"conversation":"{{id}}","input":"Q1"}""")).AssertOk();
        (await PostAsync(One, $$"""{"conversation":"{{id}}","input":"Q2"}""")).AssertOk();
        (await SendAsync(Two, $"/v1/conversations/{id}/items", """{"items":[{"role":"user","content":"Q3"}]}""")).AssertOk();

        Assert.Equal(["Q0", "Q1", "A1", "Q2", "A2", "Q3"], await TextsAsync(One, id));
    }

    [Fact]
    public async Task SecondWriter_OnTheOtherReplica_IsToldConversationLocked()
    {
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        var id = await StartAsync(One);
        var first = StreamAsync(One, id);
        await script.Hold.Reached;

        (await PostAsync(Two, $$"""{"conversation":"{{id}}","input":"Q2"}""")).AssertError(400, "conversation_locked", "conversation");
        (await SendAsync(Two, $"/v1/conversations/{id}/items", """{"items":[{"role":"user","content":"Q3"}]}""")).AssertError(400, "conversation_locked", "conversation");
        script.Hold.Release();

        Assert.Equal("completed", (await first).Final.Text("status"));
        (await PostAsync(Two, $$"""{"conversation":"{{id}}","input":"Q2"}""")).AssertOk();
    }

    [Fact]
    public async Task Writer_WhoseHoldWasTaken_AppendsNothing()
    {
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        var id = await StartAsync(One);
        var slow = StreamAsync(One, id);
        await script.Hold.Reached;

        // As if the writer had slept through the end of its hold.
        await using var redis = await ConnectionMultiplexer.ConnectAsync(Redis.EndPoint + ",allowAdmin=true");
        var key = redis.GetServers().Single().Keys(pattern: "gw:{*}:c").Single();
        await redis.GetDatabase().HashSetAsync(key, "until", 1);
        (await PostAsync(Two, $$"""{"conversation":"{{id}}","input":"Q2"}""")).AssertOk();
        script.Hold.Release();

        var stream = await slow;
        Assert.Equal(("response.failed", "conversation_locked"), (stream.Types.Last(), stream.Final.Text("error.code")));
        Assert.Equal(["Q0", "Q2"], (await TextsAsync(Two, id)).SkipLast(1));
        using var unknown = await Two.Client.GetAsync("/v1/responses/" + stream.Id, Cancellation);
        Assert.Equal(404, (int)unknown.StatusCode);
    }

    [Fact]
    public async Task KilledWriter_LetsTheNextOneInWhenItsLeaseIsOver()
    {
        var id = await StartAsync(One);
        using var folder = new TemporaryFolder();
        await using var killed = await GatewayProcess.StartAsync(
            GatewayFixture.OptionsFor(Upstream, ("Gateway:Store:ConversationLease", "00:00:06")) with { Redis = Redis.EndPoint, StorePath = folder.Path });
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = Streamed(id) };
        using var response = await killed.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await script.Hold.Reached;

        await killed.KillAsync();

        var locked = await PostAsync(One, $$"""{"conversation":"{{id}}","input":"Q2"}""");
        locked.AssertError(400, "conversation_locked", "conversation");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        Reply reply;
        do
        {
            await polls.WaitForNextTickAsync(patience.Token);
            reply = await PostAsync(One, $$"""{"conversation":"{{id}}","input":"Q2"}""");
        }
        while (reply.Json.Find("error.code")?.GetString() == "conversation_locked");
        reply.AssertOk();

        Assert.Equal(["Q0", "Q2"], (await TextsAsync(One, id)).SkipLast(1));
    }

    [Fact]
    public async Task StoreDown_IsSaidOnEveryRoute()
    {
        var id = await StartAsync(One);
        One.AllowedErrors = Two.AllowedErrors = log => log.Category.StartsWith("Gateway.", StringComparison.Ordinal);
        await Redis.KillAsync();

        foreach (var reply in (Reply[])
            [
                await PostAsync(One, $$"""{"conversation":"{{id}}","input":"Q"}"""), await SendAsync(One, "/v1/conversations", "{}"),
                await SendAsync(One, $"/v1/conversations/{id}", """{"metadata":{}}"""), await SendAsync(One, $"/v1/conversations/{id}/items", """{"items":[{"role":"user","content":"x"}]}"""),
            ])
        {
            reply.AssertError(503, "store_unavailable", null, "server_error");
        }

        Assert.Empty(Upstream.Calls);
    }

    private static async Task<string> StartAsync(TestGateway gateway) =>
        (await SendAsync(gateway, "/v1/conversations", """{"items":[{"role":"user","content":"Q0"}]}""")).AssertOk().Text("id")!;

    private static async Task<Reply> SendAsync(TestGateway gateway, string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await gateway.Client.PostAsync(path, content, Cancellation);
        return await Reply.ReadAsync(response);
    }

    private static async Task<ResponseStream> StreamAsync(TestGateway gateway, string id)
    {
        using var content = Streamed(id);
        using var response = await gateway.Client.PostAsync("/v1/responses", content, Cancellation);
        return ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
    }

    private static StringContent Streamed(string id) =>
        new($$"""{"model":"{{GatewayFixture.Model}}","conversation":"{{id}}","input":"Q1","stream":true}""", Encoding.UTF8, "application/json");

    private static async Task<string?[]> TextsAsync(TestGateway gateway, string id)
    {
        using var response = await gateway.Client.GetAsync($"/v1/conversations/{id}/items?order=asc", Cancellation);
        return [.. (await Reply.ReadAsync(response)).AssertOk().Each("data").Select(item => item.Text("content[0].text"))];
    }
}
