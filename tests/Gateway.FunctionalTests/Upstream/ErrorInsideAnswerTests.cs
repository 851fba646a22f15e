using Gateway.Testing;
using Gateway.Testing.Scripting;
using Gateway.Upstream;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>Servers that answer 200 and tell an error inside, and others that are not what the request needs.</summary>
public sealed class ErrorInsideAnswerTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ErrorInsideA200_QuotesTheUpstreamsKey_ItIsHidden(bool streamed)
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Upstreams:main:ApiKey", "Hunter2ForTheOperator")));
        const string Error = """{"error":{"message":"The account of Hunter2ForTheOperator has no credit.","type":"server_error","code":500}}""";
        var script = streamed ? ChatScript.Of(200, $"data: {Error}\n\n", "text/event-stream") : ChatScript.Of(200, Error);
        Upstream.Default = _ => script;

        var reply = await PostAsync(WithModel(streamed ? """{"input":"Hi","stream":true}""" : """{"input":"Hi"}"""));

        Assert.Contains("has no credit", reply.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("Hunter2", reply.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RateLimitInsideA200_AnotherServerIsFree_ItAnswers()
    {
        var servers = await UseServersAsync(2, new FakeTimeProvider(DateTimeOffset.UtcNow));
        servers[0].Default = _ => ChatScript.Of(200, """{"error":{"message":"Slow down.","type":"rate_limit_error","code":429}}""");

        for (var i = 0; i < 12; i++)
        {
            (await PostAsync(WithModel("""{"input":"Hi","store":false}"""))).AssertOk();
        }
    }

    [Fact]
    public async Task RateLimitInsideA200_NoOtherServer_IsToldAndNotAskedForAgain()
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream));
        Upstream.Default = _ => ChatScript.Of(200, """{"error":{"message":"Slow down.","type":"rate_limit_error","code":429}}""");

        var reply = await PostAsync(WithModel("""{"input":"Hi","store":false}"""));

        Assert.Contains("rate_limit_exceeded", reply.Body, StringComparison.Ordinal);
        Assert.Single(Upstream.Calls);
        // The one attempt: that there was none to follow is not another one.
        Assert.Equal(["refused"], Gateway.Metrics.Of("gateway.upstream.requests").Select(m => m.Tags["outcome"]));
    }

    [Theory]
    [InlineData("""{"error":{"message":"What is this?"}}""")]
    [InlineData("""{"error":{"message":"No such voice.","type":"BadRequestError","code":400}}""")]
    [InlineData("""{"error":{"message":"jinja2.exceptions.TemplateError: Conversation roles must alternate","type":"server_error","code":500}}""")]
    public async Task ErrorsInside200s_OfWhichTheRequestMayBeTheCause_AreNoSignOfSickness(string error)
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream));
        Upstream.Default = _ => ChatScript.Of(200, error);

        for (var i = 0; i < 4; i++)
        {
            await PostAsync(WithModel("""{"input":"Hi","store":false}"""));
        }

        Assert.Empty(Gateway.Metrics.Of("gateway.upstream.ejections"));
    }

    [Fact]
    public async Task AnswersLargerThanTheLimits_AreNoSignOfSickness()
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Limits:UpstreamCalls", "2")));
        Upstream.Default = _ => ChatAnswer.Call([.. Enumerable.Range(0, 3).Select(i => new ChatToolCall($"call_{i}", "get_weather", "{}"))]).ToJson();

        for (var i = 0; i < 4; i++)
        {
            await PostAsync(WithModel("""{"input":"Hi","store":false,"tools":[{"type":"function","name":"get_weather","parameters":{"type":"object"}}]}"""));
        }

        Assert.Empty(Gateway.Metrics.Of("gateway.upstream.ejections"));
    }

    [Fact]
    public async Task ServerErrorsInside200s_OneServerHasNothingElse_AreSeenByNoClient()
    {
        var servers = await UseServersAsync(2, new FakeTimeProvider(DateTimeOffset.UtcNow));
        servers[0].Default = _ => ChatScript.Of(200, """{"error":{"message":"CUDA error: device-side assert triggered","type":"server_error","code":500}}""");

        for (var i = 0; i < 250; i++)
        {
            (await PostAsync(WithModel("""{"input":"Hi","store":false}"""))).AssertOk();
        }
    }

    [Fact]
    public async Task ServerErrorsInTheMiddleOfStreams_TakeTheServerOut()
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream));
        const string Stream = """
            data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Well"}}]}

            data: {"error":{"message":"EngineCore encountered an issue.","type":"InternalServerError","code":500}}


            """;
        Upstream.Default = _ => ChatScript.Of(200, Stream, "text/event-stream");

        for (var i = 0; i < 3; i++)
        {
            Assert.Contains("response.failed", (await PostAsync(WithModel("""{"input":"Hi","store":false,"stream":true}"""))).Body, StringComparison.Ordinal);
        }

        Assert.Equal(3, Upstream.Calls.Count);
        Assert.Single(Gateway.Metrics.Of("gateway.upstream.ejections"));
    }

    [Fact]
    public async Task OverflowUpstreamCutsSilently_PromptThatOnlyThePreferredOneHolds_IsSentThere()
    {
        await UseOwnUpstreamAsync();
        var small = Own(await ScriptedUpstream.StartAsync());
        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream,
            ("Gateway:Upstreams:small:Address", small.Address.AbsoluteUri),
            ("Gateway:Upstreams:small:Models:0", GatewayFixture.Model),
            ("Gateway:Upstreams:small:Profile", "ollama"),
            ("Gateway:Upstreams:small:ProfileOptions:context_window", "100"),
            ("Gateway:Upstreams:small:Priority", "1")));

        (await PostAsync(WithModel($$"""{"input":"{{string.Concat(Enumerable.Repeat("word ", 1000))}}"}"""))).AssertOk();

        Assert.Single(Upstream.Calls);
        Assert.Empty(small.Calls);
    }

    [Fact]
    public async Task Count_ModelLeavesTheConfigurationWhileItsServerRefusesStreamOptions_Ends()
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream));
        var root = (IConfigurationRoot)Gateway.Services.GetRequiredService<IConfiguration>();
        var routes = Gateway.Services.GetRequiredService<RouteTable>();
        var refusal = ChatScript.Of(400, """{"error":{"message":"Unrecognized request argument: stream_options","type":"invalid_request_error"}}""");
        var calls = 0;
        Upstream.Default = body =>
        {
            if (++calls == 1)
            {
                root["Gateway:Upstreams:main:Models:0"] = "another";
                root.Reload();
                Assert.Null(routes.Find(GatewayFixture.Model));
            }

            // Enough to know.
            return calls < 50 ? refusal : ChatScript.Of(500, "{}");
        };

        (await PostAsync(WithModel("""{"input":"Hi"}"""), path: "/v1/responses/input_tokens")).AssertError(400, null, null);

        Assert.InRange(calls, 1, 3);
    }

    private async Task<ScriptedUpstream[]> UseServersAsync(int count, TimeProvider time)
    {
        var servers = new ScriptedUpstream[count];
        var settings = new Dictionary<string, string> { ["Gateway:Upstreams:main:Models:0"] = GatewayFixture.Model, ["Gateway:Upstreams:main:Profile"] = "generic" };
        for (var i = 0; i < count; i++)
        {
            servers[i] = Own(await ScriptedUpstream.StartAsync());
            settings[$"Gateway:Upstreams:main:Addresses:{i}"] = servers[i].Address.AbsoluteUri;
        }

        await UseGatewayAsync(new TestGatewayOptions { Settings = settings, Time = time });
        return servers;
    }
}
