using System.Net;
using System.Net.Http.Headers;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Runs;

/// <summary>A request that is sent again with its <c>Idempotency-Key</c> is made once, and answered alike.</summary>
public abstract class IdempotencyTest(GatewayFixture fixture) : FunctionalTest(fixture)
{
    private const string Hi = """{"input":"Hi"}""";

    [Fact]
    public async Task SameRequestAgain_GetsTheFirstResponse()
    {
        var first = (await CreateOnceAsync(Hi, "a")).AssertOk();
        var again = (await CreateOnceAsync(Hi, "a")).AssertOk();

        Assert.Equal(first.GetRawText(), again.GetRawText());
        Assert.Equal("completed", again.Text("status"));
        Assert.Single(Upstream.Calls);
        Assert.NotEqual(first.Text("id"), (await CreateOnceAsync(Hi, "b")).AssertOk().Text("id"));
    }

    [Fact]
    public async Task SameStreamAgain_HasTheSameBytes()
    {
        var first = await CreateOnceAsync("""{"input":"Hi","stream":true}""", "s");
        var again = await CreateOnceAsync("""{"input":"Hi","stream":true}""", "s");

        Assert.Equal(first.Body, again.Body);
        Assert.EndsWith("data: [DONE]\n\n", again.Body, StringComparison.Ordinal);
        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task OtherBody_IsAConflict()
    {
        (await CreateOnceAsync(Hi, "o")).AssertOk();
        var other = await CreateOnceAsync("""{"input":"Ho"}""", "o");

        other.AssertError(409, "idempotency_key_reused", "Idempotency-Key");
        Assert.Equal("false", other.Headers.GetValues("x-should-retry").Single());
        Assert.Single(Upstream.Calls);
    }

    [Theory]
    [InlineData("false")]
    [InlineData("true")]
    public async Task ClientThatWasCutOff_ComesBackToTheSameResponse(string stream)
    {
        var json = $"{{\"input\":\"Hi\",\"stream\":{stream}}}";
        var script = new ChatStream().Role().Text("Hel").Hold().Text("lo").End();
        var whole = new ChatScript { ContentType = ChatScript.Json, Steps = [new HoldStep(), .. ChatAnswer.Say("Hello").ToJson().Steps] };
        Upstream.Enqueue(stream == "true" ? script : whole);
        using (var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation))
        {
            using var request = OnceRequest(json, "cut-" + stream);
            var sending = Gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leaving.Token);
            await (stream == "true" ? script : whole).Hold.Reached.WaitAsync(Cancellation);
            await leaving.CancelAsync();
            try
            {
                (await sending).Dispose();
            }
            catch (OperationCanceledException)
            {
                // It left before the first byte.
            }
        }

        var again = CreateOnceAsync(json, "cut-" + stream);
        (stream == "true" ? script : whole).Hold.Release();

        Assert.Contains("Hello", (await again).Body, StringComparison.Ordinal);
        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task ClientThatLeftBeforeAFailure_MayTryAgain()
    {
        var failing = new ChatScript { Status = 500, ContentType = ChatScript.Json, Steps = [new HoldStep(), new SendStep("{}"u8.ToArray())] };
        Upstream.Enqueue(failing);
        using (var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation))
        {
            using var request = OnceRequest(Hi, "left");
            var sending = Gateway.Client.SendAsync(request, leaving.Token);
            await failing.Hold.Reached.WaitAsync(Cancellation);
            await leaving.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        }

        failing.Hold.Release();
        var again = await CreateOnceAsync(Hi, "left");
        for (var tries = 0; again.Status == HttpStatusCode.Conflict && tries < 5; tries++)
        {
            // The failure may not have reached the gateway yet; stock clients try a 409 again.
            again = await CreateOnceAsync(Hi, "left");
        }

        Assert.Equal("completed", again.AssertOk().Text("status"));
    }

    [Theory]
    [InlineData("false")]
    [InlineData("true")]
    public async Task ClientOfAnUnstoredResponse_Leaves_MayTryAgain(string stream)
    {
        var json = $"{{\"input\":\"Hi\",\"store\":false,\"stream\":{stream}}}";
        var script = stream == "true"
            ? new ChatStream().Role().Text("Hel").Hold().Text("lo").End()
            : new ChatScript { ContentType = ChatScript.Json, Steps = [new HoldStep(), .. ChatAnswer.Say("Hello").ToJson().Steps] };
        Upstream.Enqueue(script);
        using (var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation))
        {
            using var request = OnceRequest(json, "unstored-left-" + stream);
            var sending = Gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leaving.Token);
            await script.Hold.Reached.WaitAsync(Cancellation);
            await leaving.CancelAsync();
            try
            {
                (await sending).Dispose();
            }
            catch (OperationCanceledException)
            {
                // It left before the first byte.
            }
        }

        await Upstream.Calls.Single().ClientLeft.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        // Nothing was made, nothing ran, and nobody was told anything that counts. The gateway may hear of it a moment later.
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        Reply again;
        while ((again = await CreateOnceAsync(json, "unstored-left-" + stream)).Status == HttpStatusCode.Conflict)
        {
            await polls.WaitForNextTickAsync(patience.Token);
        }

        Assert.True(again.Status == HttpStatusCode.OK, again.Body);
    }

    [Fact]
    public async Task ResponseWithoutGeneration_IsStored_AndGivenAgain()
    {
        var first = (await CreateOnceAsync("""{"input":"Hi","generate":false}""", "g")).AssertOk();

        Assert.Equal(first.Text("id"), (await CreateOnceAsync("""{"input":"Hi","generate":false}""", "g")).AssertOk().Text("id"));
    }

    [Fact]
    public async Task TwoAtOnce_AreMadeOnce()
    {
        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => CreateOnceAsync(Hi, "race")));

        Assert.Single(replies.Select(reply => reply.AssertOk().Text("id")).Distinct());
        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task BackgroundResponse_IsAcceptedOnce()
    {
        var first = (await CreateOnceAsync("""{"input":"Hi","background":true}""", "bg")).AssertOk();
        var again = (await CreateOnceAsync("""{"input":"Hi","background":true}""", "bg")).AssertOk();

        Assert.Equal(first.Text("id"), again.Text("id"));
        while ((await GetAsync($"/v1/responses/{first.Text("id")}")).AssertOk().Text("status") != "completed")
        {
            // Its call must not be taken for one of the next test.
        }
    }

    [Fact]
    public async Task FailureBeforeAnything_CanBeTriedAgain()
    {
        Upstream.Default = _ => ChatScript.Of(500, "{}");
        var failed = await CreateOnceAsync(Hi, "f");
        Assert.True((int)failed.Status >= 500, failed.Body);
        Upstream.Default = ScriptedUpstream.Greeting;

        Assert.Equal("completed", (await CreateOnceAsync(Hi, "f")).AssertOk().Text("status"));
    }

    [Fact]
    public async Task RefusedRequest_DoesNotTakeTheKey()
    {
        (await CreateOnceAsync("""{"input":"Hi","previous_response_id":"resp_unknown"}""", "r")).AssertError(400, "previous_response_not_found", "previous_response_id");

        (await CreateOnceAsync(Hi, "r")).AssertOk();
    }

    [Fact]
    public async Task UnstoredResponse_IsNotMadeTwice()
    {
        (await CreateOnceAsync("""{"input":"Hi","store":false}""", "u")).AssertOk();

        (await CreateOnceAsync("""{"input":"Hi","store":false}""", "u")).AssertError(409, "idempotency_key_in_use", "Idempotency-Key");
        Assert.Single(Upstream.Calls);
    }

    [Theory]
    [InlineData("with space")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        + "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")]
    public async Task BadKey_IsRefused(string key)
    {
        (await CreateOnceAsync(Hi, key)).AssertError(400, "invalid_value", "Idempotency-Key");
        Assert.Empty(Upstream.Calls);
    }

    private async Task<Reply> CreateOnceAsync(string json, string key)
    {
        using var request = OnceRequest(json, key);
        using var response = await Gateway.Client.SendAsync(request, Cancellation);
        return await Reply.ReadAsync(response);
    }

    private static HttpRequestMessage OnceRequest(string json, string key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses")
        {
            Content = new StringContent(WithModel(json), new MediaTypeHeaderValue("application/json")),
        };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        return request;
    }
}
