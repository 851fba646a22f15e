using System.Text;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>Several upstreams and destinations of one model, through the whole gateway.</summary>
public sealed class SeveralUpstreamsTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Chain_EveryTurn_GoesToTheSameServer(bool inConversation)
    {
        var servers = await UseServersAsync(4);
        for (var chain = 0; chain < 6; chain++)
        {
            var conversation = inConversation ? (await PostAsync("{}", path: "/v1/conversations")).AssertOk().Text("id") : null;
            string? previous = null;
            var before = servers.Select(s => s.Calls.Count).ToArray();
            for (var turn = 0; turn < 4; turn++)
            {
                var link = conversation is not null ? $",\"conversation\":\"{conversation}\"" : previous is not null ? $",\"previous_response_id\":\"{previous}\"" : "";
                previous = (await CreateAsync($$"""{"input":"Turn {{turn}}"{{link}}}""")).Text("id");
            }

            var calls = servers.Select((s, i) => s.Calls.Count - before[i]).ToArray();
            Assert.Equal([0, 0, 0, 4], calls.Order());
        }
    }

    [Fact]
    public async Task PromptCacheKey_GoesBeforeTheChain_AndItsCachedTokensAreCountedForTheServer()
    {
        var servers = await UseServersAsync(3);
        foreach (var server in servers)
        {
            server.Default = (ChatAnswer.Say("Hi") with { Usage = new ChatUsage(100, 5, Cached: 80) }).For;
        }

        for (var i = 0; i < 9; i++)
        {
            await CreateAsync("""{"input":"Hi","prompt_cache_key":"shared"}""");
        }

        var used = Assert.Single(servers, s => s.Calls.Count > 0);
        Assert.Equal(9, used.Calls.Count);
        Assert.Equal((900d, 720d), (Gateway.Metrics.Sum("gateway.upstream.input_tokens"), Gateway.Metrics.Sum("gateway.upstream.cached_tokens")));
        Assert.All(Gateway.Metrics.Of("gateway.upstream.cached_tokens"), m => Assert.Equal(used.Address.AbsoluteUri, m.Tags["destination"]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task StreamBreaksBeforeItsFirstChunk_UpstreamOfAnotherKindAnswersInItsOwnForm(bool streamed)
    {
        await UseOwnUpstreamAsync();
        var other = Own(await ScriptedUpstream.StartAsync());
        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream,
            ("Gateway:Upstreams:other:Address", other.Address.AbsoluteUri),
            ("Gateway:Upstreams:other:Models:0", $"{GatewayFixture.Model}=other-name"),
            ("Gateway:Upstreams:other:Profile", "openai"),
            ("Gateway:Upstreams:other:Priority", "1")));
        Upstream.Default = _ => new ChatStream().Role().ToScript();
        const string Body = """{"input":"Hi","max_output_tokens":50}""";

        var response = streamed ? (await StreamAsync(Body)).Final : await CreateAsync(Body);

        Assert.Equal(("completed", "Hello from the scripted model."), (response.Text("status"), response.OutputText()));
        Assert.Equal(GatewayFixture.Model, response.Text("model"));
        Assert.Equal("other-name", (string?)Assert.Single(other.Calls).Body["model"]);
        Assert.Equal(50, (int?)other.LastCall.Body["max_completion_tokens"]);
        Assert.Null(other.LastCall.Body["max_tokens"]);
        Assert.Equal(50, (int?)Assert.Single(Upstream.Calls).Body["max_tokens"]);
    }

    [Fact]
    public async Task StreamBreaksAfterSomethingWasTold_IsNotTriedElsewhere()
    {
        var servers = await UseServersAsync(2);
        foreach (var server in servers)
        {
            server.Default = _ => new ChatStream().Role().Text("Hal").ToScript();
        }

        var response = (await StreamAsync("""{"input":"Hi"}""")).Final;

        Assert.Equal(("failed", "Hal"), (response.Text("status"), response.OutputText()));
        Assert.Equal(1, servers.Sum(s => s.Calls.Count));
    }

    [Fact]
    public async Task AllFull_StreamsAreKeptAliveAndAnsweredInTheirOrder()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Upstreams:main:MaxConcurrentRequests", "1")) with { Time = time });
        var held = new ChatStream().Role().Text("first").Hold().End();
        Upstream.Enqueue(held);
        using var first = await OpenStreamAsync("""{"input":"One"}""");
        await held.Hold.Reached;

        var opening = OpenStreamAsync("""{"input":"Two"}""");
        await Gateway.Metrics.WaitForSumAsync("gateway.upstream.queued", 1);
        // The headers come with the first sign of life.
        await AdvanceUntilAsync(time, TimeSpan.FromSeconds(1), () => opening.IsCompleted);

        using var second = await opening;
        Assert.Single(Upstream.Calls);
        held.Hold.Release();

        Assert.Equal("first", ResponseStream.Parse(await first.Content.ReadAsStringAsync(Cancellation)).Final.OutputText());
        Assert.Equal("Hello from the scripted model.", ResponseStream.Parse(await second.Content.ReadAsStringAsync(Cancellation)).Final.OutputText());
        Assert.Equal("placed", Gateway.Metrics.Of("gateway.upstream.queue_time").Single().Tags["outcome"]);
    }

    [Theory]
    [InlineData("/v1/responses", """{"input":"Hi","stream":true}""")]
    [InlineData("/v1/chat/completions", """{"messages":[{"role":"user","content":"Hi"}],"stream":true}""")]
    public async Task ClientReadsNothing_StallIsOver_ItsPlaceAtTheServerComesFree(string path, string body)
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream, ("Gateway:Upstreams:main:MaxConcurrentRequests", "1"), ("Gateway:Limits:ClientStall", "00:00:10")) with
        {
            Time = time,
        });
        Upstream.Enqueue(new ChatStream().Role().Text(Enumerable.Repeat(new string('x', 256 * 1024), 64)).Hold().End());
        using var client = ClientWithSmallBuffer();
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(WithModel(body), Encoding.UTF8, "application/json") };
        using var stalled = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        var call = await Upstream.NextCallAsync(Cancellation);
        var next = CreateAsync("""{"input":"Next"}""");
        await Gateway.Metrics.WaitForSumAsync("gateway.upstream.queued", 1);

        // The wait begins when the buffers on the way are full, which nobody is told.
        await AdvanceUntilAsync(time, TimeSpan.FromMilliseconds(500), () => call.ClientLeft.IsCompleted);

        Assert.Equal("completed", (await next).Text("status"));
    }

    private async Task<ScriptedUpstream[]> UseServersAsync(int count)
    {
        var servers = new ScriptedUpstream[count];
        var settings = new Dictionary<string, string> { ["Gateway:Upstreams:main:Models:0"] = GatewayFixture.Model };
        for (var i = 0; i < count; i++)
        {
            servers[i] = Own(await ScriptedUpstream.StartAsync());
            settings[$"Gateway:Upstreams:main:Addresses:{i}"] = servers[i].Address.AbsoluteUri;
        }

        await UseGatewayAsync(new TestGatewayOptions { Settings = settings });
        return servers;
    }
}
