using System.Text;
using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Store;

/// <summary>Replicas over one Redis of the test's own: what one told every other one knows, and nothing is told that was not kept.</summary>
public sealed class SharedRedisTests : SharedRedisTest
{
    [Fact]
    public async Task Chain_GoesFromReplicaToReplica()
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"), ChatAnswer.Say("A2"));

        var first = (await PostAsync(One, """{"input":"Q1"}""")).AssertOk();
        var second = (await PostAsync(Two, $$"""{"input":"Q2","previous_response_id":"{{first.Text("id")}}"}""")).AssertOk();
        (await PostAsync(One, $$"""{"input":"Q3","previous_response_id":"{{second.Text("id")}}"}""")).AssertOk();

        Assert.Equal(["Q1", "A1", "Q2", "A2", "Q3"], Upstream.LastCall.Messages.Select(m => m!["content"]!.GetValue<string>()));
        Assert.Equal(first.GetRawText(), (await GetAsync(Two, first.Text("id")!)).AssertOk().GetRawText());
    }

    [Fact]
    public async Task ConcurrentChildren_OnBothReplicas_AllStayApart()
    {
        Upstream.Default = request => ChatAnswer.Say("A to " + request["messages"]!.AsArray()[^1]!["content"]).For(request);
        var root = (await PostAsync(One, """{"input":"Root"}""")).AssertOk().Text("id");

        var children = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => PostAsync(i % 2 == 0 ? One : Two, $$"""{"input":"C{{i}}","previous_response_id":"{{root}}"}""")));

        for (var i = 0; i < children.Length; i++)
        {
            (await PostAsync(Two, $$"""{"input":"More","previous_response_id":"{{children[i].AssertOk().Text("id")}}"}""")).AssertOk();
            Assert.Equal(["Root", "A to Root", $"C{i}", $"A to C{i}", "More"], Upstream.LastCall.Messages.Select(m => m!["content"]!.GetValue<string>()));
        }
    }

    [Fact]
    public async Task StoreDown_BeforeGeneration_Is503WithoutAnUpstreamCall()
    {
        var first = (await PostAsync(One, """{"input":"Q1"}""")).AssertOk().Text("id");
        AllowStoreErrors();
        await Redis.KillAsync();

        var reply = await PostAsync(One, $$"""{"input":"Q2","previous_response_id":"{{first}}"}""");

        reply.AssertError(503, "store_unavailable", null, "server_error");
        Assert.NotNull(reply.Headers.RetryAfter);
        Assert.Single(Upstream.Calls);
        Assert.Equal(200, (int)(await PostAsync(One, """{"input":"Unstored","store":false}""")).Status);
    }

    [Fact]
    public async Task StoreDown_AtCommit_IsFailedAndNeverCompleted()
    {
        AllowStoreErrors();
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        using var content = new StringContent($$"""{"model":"{{GatewayFixture.Model}}","input":"Hi","stream":true}""", Encoding.UTF8, "application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = content };
        using var response = await One.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await script.Hold.Reached;

        await Redis.KillAsync();
        script.Hold.Release();

        var stream = ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(("response.failed", "store_unavailable"), (stream.Types.Last(), stream.Final.Text("error.code")));
    }

    [Fact]
    public async Task StoreBack_AfterAnOutage_ServesAgain()
    {
        AllowStoreErrors();
        await Redis.KillAsync();
        (await PostAsync(One, """{"input":"Hi"}""")).AssertError(503, "store_unavailable", null, "server_error");

        await Redis.StartAgainAsync();

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        Reply reply;
        do
        {
            patience.Token.ThrowIfCancellationRequested();
            reply = await PostAsync(One, """{"input":"Hi"}""");
        }
        while ((int)reply.Status == 503);
        reply.AssertOk();
    }

    private void AllowStoreErrors() => One.AllowedErrors = Two.AllowedErrors = log => log.Category.StartsWith("Gateway.", StringComparison.Ordinal);
}
