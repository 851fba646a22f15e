using Gateway.Testing.Scripting;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Responses;

/// <summary>Facts 24, 32 and 33 of the contract's checklist: for how long responses are kept, and who may see them.</summary>
public sealed class AccessFacts(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task Fact24_UnknownExpiredDeletedAndForeignParent_AreByteIdentical()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream, ("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:two:Keys:0", "key-two"), ("Gateway:Store:Retention", "01:00:00")) with
        { Time = time });
        var expired = (await CreateAsync("""{"input":"Hi"}""", "key-one")).Text("id")!;
        time.Advance(TimeSpan.FromHours(2));
        var deleted = (await CreateAsync("""{"input":"Hi"}""", "key-one")).Text("id")!;
        (await DeleteAsync("/v1/responses/" + deleted, "key-one")).AssertOk();
        var foreign = (await CreateAsync("""{"input":"Hi"}""", "key-two")).Text("id")!;
        var unknown = "resp_" + new string('A', deleted.Length - "resp_".Length);
        var unstored = (await CreateAsync("""{"input":"Hi","store":false}""", "key-one")).Text("id")!;

        foreach (var id in (string[])[unknown, expired, deleted, foreign, unstored, "resp_short"])
        {
            var reply = await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{id}}"}"""), "key-one");

            Assert.Equal(400, (int)reply.Status);
            Assert.Equal(
                """{"error":{"message":"Previous response with id 'ID' not found.","type":"invalid_request_error","param":"previous_response_id","code":"previous_response_not_found"}}""",
                reply.Body.Replace(id, "ID", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Fact32_Expiry_BehavesLikeDeletion()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Store:Retention", "01:00:00")) with { Time = time });
        var created = await CreateAsync("""{"input":"Hi"}""");
        time.Advance(TimeSpan.FromMinutes(59));
        (await GetAsync("/v1/responses/" + created.Text("id"))).AssertOk();

        time.Advance(TimeSpan.FromMinutes(2));

        (await GetAsync("/v1/responses/" + created.Text("id"))).AssertError(404, null, null);
        (await DeleteAsync("/v1/responses/" + created.Text("id"))).AssertError(404, null, null);
        Assert.Empty((await GetAsync("/v1/responses")).AssertOk().Each("data"));
        (await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{created.Text("id")}}"}"""))).AssertError(400, "previous_response_not_found", "previous_response_id");
    }

    [Fact]
    public async Task Retention_IsTheTenantsOwnThenThePolicysThenTheStores()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream,
            ("Gateway:Tenants:one:Keys:0", "key-one"),
            ("Gateway:Tenants:one:Policy:Retention:Responses", "00:30:00"),
            ("Gateway:Tenants:two:Keys:0", "key-two"),
            ("Gateway:Policy:Retention:Responses", "02:00:00"),
            ("Gateway:Store:Retention", "08:00:00")) with
        { Time = time });
        await CreateAsync("""{"input":"Hi"}""", "key-one");
        await CreateAsync("""{"input":"Hi"}""", "key-two");

        Assert.Equal((1, 1), await CountAsync());
        time.Advance(TimeSpan.FromMinutes(31));
        Assert.Equal((0, 1), await CountAsync());
        time.Advance(TimeSpan.FromMinutes(90));
        Assert.Equal((0, 0), await CountAsync());

        async Task<(int OfOne, int OfTwo)> CountAsync() =>
            ((await GetAsync("/v1/responses", "key-one")).AssertOk().Each("data").Count(), (await GetAsync("/v1/responses", "key-two")).AssertOk().Each("data").Count());
    }

    [Fact]
    public async Task Retention_OfConversations_IsAClassOfItsOwnAndMovesWithEachUse()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(
            Upstream, ("Gateway:Policy:Retention:Conversations", "01:00:00"), ("Gateway:Policy:Retention:Responses", "00:10:00")) with
        { Time = time });
        string[] ids = [await StartAsync(), await StartAsync(), await StartAsync(), await StartAsync()];

        time.Advance(TimeSpan.FromMinutes(50));
        var response = await CreateAsync($$"""{"conversation":"{{ids[0]}}","input":"Hi"}""");
        (await PostAsync("""{"items":[{"role":"user","content":"Hi"}]}""", path: $"/v1/conversations/{ids[1]}/items")).AssertOk();
        (await PostAsync("""{"metadata":{"a":"b"}}""", path: "/v1/conversations/" + ids[2])).AssertOk();

        time.Advance(TimeSpan.FromMinutes(50));
        foreach (var id in ids[..3])
        {
            (await GetAsync("/v1/conversations/" + id)).AssertOk();
        }

        (await GetAsync("/v1/conversations/" + ids[3])).AssertError(404, null, null);
        (await GetAsync("/v1/responses/" + response.Text("id"))).AssertOk();

        time.Advance(TimeSpan.FromMinutes(11));
        foreach (var id in ids)
        {
            (await GetAsync("/v1/conversations/" + id)).AssertError(404, null, null);
        }

        (await GetAsync("/v1/responses/" + response.Text("id"))).AssertError(404, null, null);

        async Task<string> StartAsync() => (await PostAsync("{}", path: "/v1/conversations")).AssertOk().Text("id")!;
    }

    [Fact]
    public async Task Fact33_TwoTenants_NeverSeeEachOthersIds()
    {
        await UseOwnGatewayAsync(("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:two:Keys:0", "key-two"));
        var created = await CreateAsync("""{"input":[{"role":"user","content":"Secret of one"}]}""", "key-one");
        var id = created.Text("id")!;
        var item = (await GetAsync($"/v1/responses/{id}/input_items", "key-one")).AssertOk().Text("data[0].id");

        (await GetAsync("/v1/responses/" + id, "key-two")).AssertError(404, null, null);
        (await GetAsync($"/v1/responses/{id}/input_items", "key-two")).AssertError(404, null, null);
        (await DeleteAsync("/v1/responses/" + id, "key-two")).AssertError(404, null, null);
        (await PostAsync("{}", "key-two", $"/v1/responses/{id}/cancel")).AssertError(404, null, null);
        Assert.Empty((await GetAsync("/v1/responses", "key-two")).AssertOk().Each("data"));
        (await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{id}}"}"""), "key-two")).AssertError(400, "previous_response_not_found", "previous_response_id");
        (await PostAsync(WithModel($$"""{"input":[{"type":"item_reference","id":"{{item}}"}]}"""), "key-two")).AssertError(404, null, "input");
        (await GetAsync("/v1/responses?after=" + id, "key-two")).AssertError(400, "invalid_value", "after");
        (await GetAsync("/v1/responses/" + id, "key-one")).AssertOk();
    }

    [Theory]
    [InlineData("/v1")]
    [InlineData("/inference/v1")]
    public async Task Model_NotAllowedForTheTenant_DoesNotExistOnAnyRoute(string basePath)
    {
        await UseOwnGatewayAsync(("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:one:Policy:Models:0", "other"));
        var unknown = await PostAsync("""{"model":"unknown","input":"Hi","messages":[]}""", "key-one", basePath + "/chat/completions");

        var forbidden = await PostAsync(WithModel("""{"input":"Hi","messages":[]}"""), "key-one", basePath + "/chat/completions");

        forbidden.AssertError(404, "model_not_found", "model");
        Assert.Equal(unknown.Body.Replace("unknown", GatewayFixture.Model, StringComparison.Ordinal), forbidden.Body);
        Assert.Empty(Upstream.Calls);
        Assert.Empty((await GetAsync(basePath + "/models", "key-one")).AssertOk().Each("data"));
        (await GetAsync($"{basePath}/models/{GatewayFixture.Model}", "key-one")).AssertError(404, "model_not_found", "model");
    }

    [Fact]
    public async Task Passthrough_UpstreamRedirects_ItsAddressStaysHidden()
    {
        Upstream.Enqueue(ChatScript.Of(307, "").WithHeader("Location", "http://models.internal:8000/v1/chat/completions"));

        var reply = await PostAsync(WithModel("""{"messages":[]}"""), path: "/v1/chat/completions");

        reply.AssertError(502, "upstream_error", null, "server_error");
        Assert.False(reply.Headers.Contains("Location"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("wrong")]
    public async Task Key_MissingOrWrong_Is401(string? key)
    {
        await UseOwnGatewayAsync(("Gateway:Tenants:one:Keys:0", "key-one"));

        (await PostAsync(WithModel("""{"input":"Hi"}"""), key)).AssertError(401, "invalid_api_key", null);
        (await GetAsync("/v1/models", key)).AssertError(401, "invalid_api_key", null);
    }

    [Fact]
    public async Task PolicyStoreNever_StoresNothing()
    {
        await UseOwnGatewayAsync(("Gateway:Policy:Store", "Never"));

        var created = await CreateAsync("""{"input":"Hi"}""");

        Assert.False(created.At("store").GetBoolean());
        (await GetAsync("/v1/responses/" + created.Text("id"))).AssertError(404, null, null);
    }

    [Fact]
    public async Task Logs_NeverHoldContentOrSecrets()
    {
        var gateway = await UseOwnGatewayAsync(("Gateway:Tenants:one:Keys:0", "key-Confidential"), ("Gateway:Upstreams:main:ApiKey", "upstream-Confidential"), ("Logging:LogLevel:Default", "Trace"));
        Upstream.RequiredKey = "upstream-Confidential";
        Upstream.Enqueue(ChatAnswer.Say("Confidential answer"));

        await CreateAsync("""{"input":"Confidential question","instructions":"Confidential rule"}""", "key-Confidential");
        await PostAsync(WithModel("""{"input":[{"type":"Confidential type"}]}"""), "wrong-Confidential");

        Assert.DoesNotContain("Confidential", gateway.Logs.Text, StringComparison.Ordinal);
    }
}
