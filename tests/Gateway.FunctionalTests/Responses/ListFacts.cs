namespace Gateway.FunctionalTests.Responses;

/// <summary>Facts 83 and 84 of the contract's checklist, and the lists of models.</summary>
public sealed class ListFacts(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=101", "limit")]
    [InlineData("limit=many", "limit")]
    [InlineData("after=resp_unknown", "after")]
    [InlineData("before=resp_unknown", "before")]
    public async Task Fact83_BadQuery_IsRefused(string query, string param)
    {
        var reply = await GetAsync("/v1/responses?" + query);

        Assert.Equal(400, (int)reply.Status);
        Assert.Equal(param, reply.Json.Text("error.param"));
    }

    [Fact]
    public async Task Fact83_AfterAndBefore_AreExclusive()
    {
        var id = (await CreateAsync("""{"input":"Hi"}""")).Text("id");

        Assert.Equal(400, (int)(await GetAsync($"/v1/responses?after={id}&before={id}")).Status);
    }

    [Fact]
    public async Task Fact84_PagingThrough45_GivesEachOnceNewestFirst()
    {
        await UseOwnGatewayAsync();
        Assert.Equal("""{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}""", (await GetAsync("/v1/responses")).Body);
        var created = new List<string>();
        for (var i = 0; i < 45; i++)
        {
            created.Add((await CreateAsync($$"""{"input":"N{{i}}"}""")).Text("id")!);
        }

        var seen = new List<string>();
        var pages = new List<int>();
        for (var after = ""; ;)
        {
            var page = (await GetAsync("/v1/responses?limit=20" + after)).AssertOk();
            var ids = page.Each("data").Select(response => response.Text("id")!).ToArray();
            Assert.Equal((ids[0], ids[^1]), (page.Text("first_id"), page.Text("last_id")));
            seen.AddRange(ids);
            pages.Add(ids.Length);
            if (!page.At("has_more").GetBoolean())
            {
                break;
            }

            after = "&after=" + ids[^1];
        }

        Assert.Equal([20, 20, 5], pages);
        Assert.Equal(created.Order(), seen.Order());
        var times = (await GetAsync("/v1/responses?limit=100")).AssertOk().Each("data").Select(response => response.Number("created_at")).ToArray();
        Assert.Equal(times.OrderDescending(), times);

        var backwards = (await GetAsync($"/v1/responses?limit=20&before={seen[^1]}")).AssertOk();
        Assert.Equal(seen[24..44], backwards.Each("data").Select(response => response.Text("id")!));
        Assert.True(backwards.At("has_more").GetBoolean());
        var first = (await GetAsync($"/v1/responses?limit=30&before={seen[24]}")).AssertOk();
        Assert.Equal(seen[..24], first.Each("data").Select(response => response.Text("id")!));
        Assert.False(first.At("has_more").GetBoolean());
    }

    [Fact]
    public async Task Fact84_PagesOfLargeResponses_EndEarlyAndGiveEachOnce()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:ContextBytes", "65536"));
        var created = new List<string>();
        for (var i = 0; i < 12; i++)
        {
            created.Add((await CreateAsync($$"""{"input":"{{new string('x', 60_000)}}"}""")).Text("id")!);
        }

        var seen = new List<string>();
        for (var hasMore = true; hasMore;)
        {
            var page = (await GetAsync("/v1/responses?limit=100" + (seen.Count == 0 ? "" : "&after=" + seen[^1]))).AssertOk();
            Assert.InRange(page.Each("data").Count(), 1, 4);
            seen.AddRange(page.Each("data").Select(response => response.Text("id")!));
            hasMore = page.At("has_more").GetBoolean();
        }

        Assert.Equal(created.Order(), seen.Order());
    }

    [Fact]
    public async Task Models_AreJoinedOverAllUpstreams()
    {
        await UseOwnUpstreamAsync();
        await using var second = await Testing.Scripting.ScriptedUpstream.StartAsync();
        Upstream.Models = ["alpha", "org/beta"];
        second.Models = ["gamma"];
        var gateway = await UseGatewayAsync(new Testing.TestGatewayOptions
        {
            Upstreams = new Dictionary<string, Uri> { ["first"] = Upstream.Address, ["second"] = second.Address },
        });

        // Discovery runs in the background: the list is whole once both upstreams have answered.
        string?[] ids;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        do
        {
            limit.Token.ThrowIfCancellationRequested();
            ids = [.. (await GetAsync("/v1/models")).AssertOk().Each("data").Select(model => model.Text("id")).Order()];
        }
        while (ids.Length < 3);

        Assert.Equal(["alpha", "gamma", "org/beta"], ids);
        Assert.Equal(("org/beta", "model"), ((await GetAsync("/v1/models/org/beta")).AssertOk().Text("id"), (await GetAsync("/inference/v1/models/org/beta")).AssertOk().Text("object")));
        Assert.Equal(404, (int)(await GetAsync("/v1/models/delta")).Status);
        Assert.NotNull(gateway.Logs.Text);
    }

    [Fact]
    public async Task Passthrough_OfChatCompletions_IsByteForByte()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:ApiKey", "upstream-key"));
        Upstream.RequiredKey = "upstream-key";
        var script = new Testing.Scripting.ChatStream().Role().Text("Hi 👋").End();
        Upstream.Enqueue(script);

        var reply = await PostAsync("""{"messages":[{"role":"user","content":"Hi"}],"stream":true,"model":"scripted"}""", "client-key", "/v1/chat/completions");

        Assert.Equal(System.Text.Encoding.UTF8.GetString(script.Body), reply.Body);
        Assert.Equal("text/event-stream", reply.ContentType);
    }

    [Fact]
    public async Task Passthrough_IsWithinTheLimitOfWhatIsMadeAtOnce()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:OpenStreams", "1"));
        var script = Testing.Scripting.Misbehaviours.Of(Testing.Scripting.Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        var first = PostAsync("""{"messages":[{"role":"user","content":"Hi"}],"stream":true,"model":"scripted"}""", path: "/v1/chat/completions");
        await script.Hold.Reached;

        var second = await PostAsync("""{"messages":[{"role":"user","content":"Hi"}],"model":"scripted"}""", path: "/v1/chat/completions");
        script.Hold.Release();
        await first;
        await Gateway.Metrics.WaitForSumAsync("gateway.open_streams", 0);
        var third = await PostAsync("""{"messages":[{"role":"user","content":"Hi"}],"model":"scripted"}""", path: "/v1/chat/completions");

        second.AssertError(429, "rate_limit_exceeded", null, "rate_limit_error");
        Assert.Equal((200, 200), ((int)(await first).Status, (int)third.Status));
    }

    [Fact]
    public async Task Health_IsLiveAndReady()
    {
        Assert.Equal(200, (int)(await GetAsync("/health/live")).Status);
        Assert.Equal(200, (int)(await GetAsync("/health/ready")).Status);
    }

    [Fact]
    public async Task Metrics_CountResponsesTokensAndErrors()
    {
        var gateway = await UseOwnGatewayAsync();

        await CreateAsync("""{"input":"Hi"}""");
        await StreamAsync("""{"input":"Hi"}""");
        await PostAsync("{}");

        await gateway.Metrics.WaitForSumAsync("gateway.responses", 2);
        await gateway.Metrics.WaitForSumAsync("gateway.errors", 1);
        await gateway.Metrics.WaitForSumAsync("gateway.open_streams", 0);
        Assert.Equal(2 * 7, gateway.Metrics.Of("gateway.tokens").Where(m => m.Tags.Values.Contains("output")).Sum(m => m.Value));
        Assert.Contains("gateway_responses", (await GetAsync("/metrics")).Body, StringComparison.Ordinal);
    }
}
