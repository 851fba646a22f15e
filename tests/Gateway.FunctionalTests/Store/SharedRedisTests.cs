using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Store;

/// <summary>Replicas over one Redis of the test's own: what one told every other one knows, and nothing is told that was not kept.</summary>
public sealed class SharedRedisTests : IAsyncLifetime
{
    private ScriptedUpstream _upstream = null!;
    private RedisProcess _redis = null!;
    private TestGateway _one = null!;
    private TestGateway _two = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _upstream = await ScriptedUpstream.StartAsync();
        _redis = await RedisProcess.StartAsync();
        var options = GatewayFixture.OptionsFor(_upstream) with { Redis = _redis.EndPoint + ",abortConnect=false,connectTimeout=1000,syncTimeout=1000,asyncTimeout=1000" };
        _one = await TestGateway.StartAsync(options);
        _two = await TestGateway.StartAsync(options);
    }

    public async ValueTask DisposeAsync()
    {
        await _two.DisposeAsync();
        await _one.DisposeAsync();
        await _redis.DisposeAsync();
        await _upstream.DisposeAsync();
    }

    [Fact]
    public async Task Chain_GoesFromReplicaToReplica()
    {
        _upstream.Enqueue(ChatAnswer.Say("A1"), ChatAnswer.Say("A2"));

        var first = (await PostAsync(_one, """{"input":"Q1"}""")).AssertOk();
        var second = (await PostAsync(_two, $$"""{"input":"Q2","previous_response_id":"{{first.Text("id")}}"}""")).AssertOk();
        (await PostAsync(_one, $$"""{"input":"Q3","previous_response_id":"{{second.Text("id")}}"}""")).AssertOk();

        Assert.Equal(["Q1", "A1", "Q2", "A2", "Q3"], _upstream.LastCall.Messages.Select(m => m!["content"]!.GetValue<string>()));
        Assert.Equal(first.GetRawText(), (await GetAsync(_two, first.Text("id")!)).AssertOk().GetRawText());
    }

    [Fact]
    public async Task ConcurrentChildren_OnBothReplicas_AllStayApart()
    {
        _upstream.Default = request => ChatAnswer.Say("A to " + request["messages"]!.AsArray()[^1]!["content"]).For(request);
        var root = (await PostAsync(_one, """{"input":"Root"}""")).AssertOk().Text("id");

        var children = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => PostAsync(i % 2 == 0 ? _one : _two, $$"""{"input":"C{{i}}","previous_response_id":"{{root}}"}""")));

        for (var i = 0; i < children.Length; i++)
        {
            (await PostAsync(_two, $$"""{"input":"More","previous_response_id":"{{children[i].AssertOk().Text("id")}}"}""")).AssertOk();
            Assert.Equal(["Root", "A to Root", $"C{i}", $"A to C{i}", "More"], _upstream.LastCall.Messages.Select(m => m!["content"]!.GetValue<string>()));
        }
    }

    [Fact]
    public async Task StoreDown_BeforeGeneration_Is503WithoutAnUpstreamCall()
    {
        var first = (await PostAsync(_one, """{"input":"Q1"}""")).AssertOk().Text("id");
        AllowStoreErrors();
        await _redis.KillAsync();

        var reply = await PostAsync(_one, $$"""{"input":"Q2","previous_response_id":"{{first}}"}""");

        reply.AssertError(503, "store_unavailable", null, "server_error");
        Assert.NotNull(reply.Headers.RetryAfter);
        Assert.Single(_upstream.Calls);
        Assert.Equal(200, (int)(await PostAsync(_one, """{"input":"Unstored","store":false}""")).Status);
    }

    [Fact]
    public async Task StoreDown_AtCommit_IsFailedAndNeverCompleted()
    {
        AllowStoreErrors();
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        _upstream.Enqueue(script);
        using var content = new StringContent($$"""{"model":"{{GatewayFixture.Model}}","input":"Hi","stream":true}""", Encoding.UTF8, "application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = content };
        using var response = await _one.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await script.Hold.Reached;

        await _redis.KillAsync();
        script.Hold.Release();

        var stream = ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(("response.failed", "store_unavailable"), (stream.Types.Last(), stream.Final.Text("error.code")));
    }

    [Fact]
    public async Task StoreBack_AfterAnOutage_ServesAgain()
    {
        AllowStoreErrors();
        await _redis.KillAsync();
        (await PostAsync(_one, """{"input":"Hi"}""")).AssertError(503, "store_unavailable", null, "server_error");

        await _redis.StartAgainAsync();

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        Reply reply;
        do
        {
            patience.Token.ThrowIfCancellationRequested();
            reply = await PostAsync(_one, """{"input":"Hi"}""");
        }
        while ((int)reply.Status == 503);
        reply.AssertOk();
    }

    private void AllowStoreErrors() => _one.AllowedErrors = _two.AllowedErrors = log => log.Category.StartsWith("Gateway.", StringComparison.Ordinal);

    private static async Task<Reply> PostAsync(TestGateway gateway, string json)
    {
        using var response = await gateway.Client.PostAsJsonAsync("/v1/responses", JsonElement.Parse($"{{\"model\":\"{GatewayFixture.Model}\",{json[1..]}"), Cancellation);
        return await Reply.ReadAsync(response);
    }

    private static async Task<Reply> GetAsync(TestGateway gateway, string id)
    {
        using var response = await gateway.Client.GetAsync("/v1/responses/" + id, Cancellation);
        return await Reply.ReadAsync(response);
    }
}
