using System.Text;
using Gateway.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Responses;

/// <summary>Conversations as objects: their routes, bodies, lists and errors.</summary>
public sealed class ConversationObjectTests(GatewayFixture fixture) : ConversationTest(fixture), IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task Conversation_IsMadeReadChangedAndDeleted()
    {
        var created = (await PostAsync("""{"metadata":{"topic":"приклад 👋"}}""", path: Conversations)).AssertOk();
        var id = created.Text("id");

        Assert.Matches("^conv_[A-Za-z0-9]{38}$", id);
        Assert.True(created.At("created_at").TryGetInt64(out var at));
        Assert.Equal($$$"""{"id":"{{{id}}}","object":"conversation","created_at":{{{at}}},"metadata":{"topic":"приклад 👋"}}""", created.GetRawText());
        Assert.Equal(created.GetRawText(), (await GetAsync($"{Conversations}/{id}")).AssertOk().GetRawText());

        var changed = (await PostAsync("""{"metadata":{"a":"b"}}""", path: $"{Conversations}/{id}")).AssertOk();
        Assert.Equal($$$"""{"id":"{{{id}}}","object":"conversation","created_at":{{{at}}},"metadata":{"a":"b"}}""", changed.GetRawText());
        Assert.Equal(changed.GetRawText(), (await GetAsync($"{Conversations}/{id}")).AssertOk().GetRawText());
        Assert.Equal("{}", (await PostAsync("""{"metadata":null}""", path: $"{Conversations}/{id}")).AssertOk().At("metadata").GetRawText());

        (await DeleteAsync($"{Conversations}/{id}")).AssertOk();
        (await GetAsync($"{Conversations}/{id}")).AssertError(404, null, null);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"items":null,"metadata":null}""")]
    public async Task Conversation_OfNothing_IsEmpty(string body)
    {
        var id = (await PostAsync(body, path: Conversations)).AssertOk().Text("id");

        Assert.Equal("""{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}""", (await GetAsync($"{Conversations}/{id}/items")).Body);
    }

    [Fact]
    public async Task Items_AreAddedInStoredForm()
    {
        var id = await StartAsync();

        var added = (await PostAsync("""
            {"items":[{"role":"user","content":"Hi"},{"type":"message","id":"mine","role":"assistant","content":"Ho"},
            {"type":"function_call","id":"fc_mine","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"o"}]}
            """, path: $"{Conversations}/{id}/items")).AssertOk();

        Assert.Equal("list", added.Text("object"));
        Assert.False(added.At("has_more").GetBoolean());
        Assert.Equal((added.Text("data[0].id"), added.Text("data[3].id")), (added.Text("first_id"), added.Text("last_id")));
        Assert.Equal(["message", "message", "function_call", "function_call_output"], added.Types("data"));
        Assert.Equal(("user", "completed", "input_text", "Hi"), (added.Text("data[0].role"), added.Text("data[0].status"), added.Text("data[0].content[0].type"), added.Text("data[0].content[0].text")));
        Assert.Equal(("output_text", "Ho"), (added.Text("data[1].content[0].type"), added.Text("data[1].content[0].text")));
        Assert.All(added.Each("data").Zip(["msg", "msg", "fc", "fco"]), pair => Assert.Matches($"^{pair.Second}_[A-Za-z0-9]{{39}}$", pair.First.Text("id")));
        Assert.Equal(added.Each("data").Select(item => item.GetRawText()), (await ItemsAsync(id)).Select(item => item.GetRawText()));
        foreach (var item in added.Each("data"))
        {
            Assert.Equal(item.GetRawText(), (await GetAsync($"{Conversations}/{id}/items/{item.Text("id")}")).AssertOk().GetRawText());
        }
    }

    [Fact]
    public async Task Items_ArePagedNewestFirstUnlessToldOtherwise()
    {
        var id = await StartAsync("N1", "N2", "N3");
        await AddAsync(id, "N4");
        await AddAsync(id, "N5", "N6", "N7");

        var page = (await GetAsync($"{Conversations}/{id}/items?limit=3")).AssertOk();
        var rest = (await GetAsync($"{Conversations}/{id}/items?limit=4&order=desc&after={page.Text("last_id")}")).AssertOk();
        var up = (await GetAsync($"{Conversations}/{id}/items?order=asc&limit=2&after={rest.Text("last_id")}&include[]=message.input_image.image_url")).AssertOk();

        Assert.Equal(["N7", "N6", "N5"], page.Each("data").Select(item => item.Text("content[0].text")));
        Assert.Equal((page.Text("data[0].id"), page.Text("data[2].id"), true), (page.Text("first_id"), page.Text("last_id"), page.At("has_more").GetBoolean()));
        Assert.Equal(["N4", "N3", "N2", "N1"], rest.Each("data").Select(item => item.Text("content[0].text")));
        Assert.False(rest.At("has_more").GetBoolean());
        Assert.Equal(["N2", "N3"], up.Each("data").Select(item => item.Text("content[0].text")));
        Assert.True(up.At("has_more").GetBoolean());
    }

    [Fact]
    public async Task DeletedItem_IsStillAPlaceToGoOnFrom()
    {
        var id = await StartAsync("N1", "N2", "N3");
        var items = await ItemsAsync(id);
        (await DeleteAsync($"{Conversations}/{id}/items/{items[1].Text("id")}")).AssertOk();

        var page = (await GetAsync($"{Conversations}/{id}/items?order=asc&after={items[1].Text("id")}")).AssertOk();

        Assert.Equal("N3", Assert.Single(page.Each("data")).Text("content[0].text"));
    }

    [Theory]
    [InlineData("limit=0", "integer_below_min_value", "limit")]
    [InlineData("limit=101", "integer_above_max_value", "limit")]
    [InlineData("limit=many", "invalid_type", "limit")]
    [InlineData("order=sideways", "invalid_value", "order")]
    [InlineData("after=msg_unknown", "invalid_value", "after")]
    [InlineData("after=fc_ITEM", "invalid_value", "after")]
    [InlineData("after=msg_ITEM9", "invalid_value", "after")]
    [InlineData("before=msg_ITEM", "unsupported_parameter", "before")]
    [InlineData("include[]=everything", "invalid_value", "include[0]")]
    public async Task Items_BadQuery_IsRefused(string query, string code, string param)
    {
        var id = await StartAsync("N1");
        var item = (await ItemsAsync(id))[0].Text("id")!;

        var reply = await GetAsync($"{Conversations}/{id}/items?{query.Replace("ITEM", item["msg_".Length..], StringComparison.Ordinal)}");

        reply.AssertError(400, code, param);
    }

    [Theory]
    [InlineData("", """{"items":[TWENTYONE]}""", "array_above_max_length", "items")]
    [InlineData("/ID/items", """{"items":[TWENTYONE]}""", "array_above_max_length", "items")]
    [InlineData("/ID/items", """{"items":[]}""", "missing_required_parameter", "items")]
    [InlineData("/ID/items", """{}""", "missing_required_parameter", "items")]
    [InlineData("/ID/items", """{"items":[{"type":"what"}]}""", "invalid_value", "items[0].type")]
    [InlineData("/ID/items", """{"items":[{"role":"user","content":[{"type":"input_image"}]}]}""", "missing_required_parameter", "items[0].content[0].image_url")]
    [InlineData("/ID/items?include[]=everything", """{"items":[{"role":"user","content":"x"}]}""", "invalid_value", "include[0]")]
    [InlineData("", """{"metadata":{"k":7}}""", "invalid_type", "metadata.k")]
    [InlineData("/ID", """{}""", "missing_required_parameter", "metadata")]
    [InlineData("/ID", """{"metadata":"x"}""", "invalid_type", "metadata")]
    [InlineData("/ID", "", null, null)]
    [InlineData("/ID/items", "nothing", null, null)]
    public async Task BadBody_GivesTheCataloguesError(string path, string body, string? code, string? param)
    {
        var id = await StartAsync("N1");

        var reply = await PostAsync(
            body.Replace("TWENTYONE", Messages(Enumerable.Repeat("x", 21)), StringComparison.Ordinal), path: Conversations + path.Replace("ID", id, StringComparison.Ordinal));

        reply.AssertError(400, code, param);
        Assert.Equal(["N1"], await TextsAsync(id));
    }

    [Theory]
    [InlineData("GET", "/v1/conversations", "POST")]
    [InlineData("PUT", "/v1/conversations/conv_x", "GET, POST, DELETE")]
    [InlineData("DELETE", "/v1/conversations/conv_x/items", "GET, POST")]
    [InlineData("POST", "/v1/conversations/conv_x/items/msg_x", "GET, DELETE")]
    public async Task OtherMethods_AreToldWhichThereAre(string method, string path, string allowed)
    {
        var reply = await SendAsync(new HttpMethod(method), path);

        reply.AssertError(405, "method_not_allowed", null);
        Assert.Contains(allowed, reply.Json.Text("error.message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task FireworksDialect_HasNoConversations()
    {
        var id = await StartAsync("N1");

        foreach (var reply in (Reply[])
            [
                await PostAsync("{}", path: "/inference/v1/conversations"), await GetAsync($"/inference/v1/conversations/{id}"),
                await GetAsync($"/inference/v1/conversations/{id}/items"), await DeleteAsync($"/inference/v1/conversations/{id}"),
            ])
        {
            reply.AssertError(404, "unknown_url", null);
            Assert.NotNull(reply.Json.Text("detail"));
        }

        (await PostAsync(WithModel($$"""{"input":"Hi","conversation":"{{id}}"}"""), path: "/inference/v1/responses")).AssertError(400, "unsupported_parameter", "conversation");
    }

    [Fact]
    public async Task Tenants_NeverSeeEachOthersConversations()
    {
        await UseOwnGatewayAsync(("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:two:Keys:0", "key-two"));
        var created = (await PostAsync($$"""{"items":[{{Messages("Secret of one")}}]}""", "key-one", Conversations)).AssertOk();
        var id = created.Text("id")!;
        var item = (await GetAsync($"{Conversations}/{id}/items", "key-one")).AssertOk().Text("data[0].id");
        var unknown = "conv_" + new string('A', id.Length - "conv_".Length);

        foreach (var (method, path, body) in ((HttpMethod, string, string?)[])
            [
                (HttpMethod.Get, "", null), (HttpMethod.Post, "", """{"metadata":{}}"""), (HttpMethod.Delete, "", null), (HttpMethod.Get, "/items", null),
                (HttpMethod.Post, "/items", $$"""{"items":[{{Messages("x")}}]}"""), (HttpMethod.Get, $"/items/{item}", null), (HttpMethod.Delete, $"/items/{item}", null),
                (HttpMethod.Get, $"/items?after={item}", null),
            ])
        {
            var foreign = await SendAsync(method, $"{Conversations}/{id}{path}", body, "key-two");
            var never = await SendAsync(method, $"{Conversations}/{unknown}{path}", body, "key-two");

            foreign.AssertError(404, null, null);
            Assert.Equal($"Conversation with id '{id}' not found.", foreign.Json.Text("error.message"));
            Assert.Equal(never.Body.Replace(unknown, id, StringComparison.Ordinal), foreign.Body);
        }

        (await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"x"}"""), "key-two")).AssertError(404, null, null);
        (await PostAsync(WithModel($$"""{"input":[{"type":"item_reference","id":"{{item}}"}]}"""), "key-two")).AssertError(404, null, "input");
        Assert.Single((await GetAsync($"{Conversations}/{id}/items", "key-one")).AssertOk().Each("data"));
    }

    [Theory]
    [InlineData("conv_x")]
    [InlineData("resp_x")]
    [InlineData("x")]
    public async Task UnknownConversation_IsA404OnEveryWay(string id)
    {
        (await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"x"}"""))).AssertError(404, null, null);
        (await GetAsync($"{Conversations}/{id}")).AssertError(404, null, null);
        (await GetAsync($"{Conversations}/{id}/items?after=msg_x")).AssertError(404, null, null);
        (await DeleteAsync($"{Conversations}/{id}")).AssertError(404, null, null);
        Assert.Empty(Upstream.Calls);
    }

    [Fact]
    public async Task Expiry_IsMovedByUseAndBehavesLikeDeletion()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Store:Retention", "01:00:00")) with { Time = time });
        var id = await StartAsync("Q0");
        var first = await SayAsync(id, "Q1");
        for (var n = 0; n < 3; n++)
        {
            time.Advance(TimeSpan.FromMinutes(40));
            await SayAsync(id, "More", more: ",\"store\":false");
        }

        // The response was not used; the conversation, and with it its items, was.
        (await GetAsync("/v1/responses/" + first.Text("id"))).AssertError(404, null, null);
        (await GetAsync($"{Conversations}/{id}/items/{first.Text("output[0].id")}")).AssertOk();
        Assert.Equal(3, (await ItemsAsync(id)).Length);
        time.Advance(TimeSpan.FromMinutes(61));
        (await GetAsync($"{Conversations}/{id}")).AssertError(404, null, null);
        (await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"x"}"""))).AssertError(404, null, null);
    }

    [Fact]
    public async Task PolicyStoreNever_LetsConversationsBeReadAndErasedOnly()
    {
        var folder = Own(new OwnFolder()).Path;
        await UseOwnUpstreamAsync();
        string id;
        await using (var before = await TestGateway.StartAsync(GatewayFixture.OptionsFor(Upstream) with { StorePath = folder }))
        {
            using var content = new StringContent($$"""{"items":[{{Messages("Q0")}}]}""", Encoding.UTF8, "application/json");
            using var response = await before.Client.PostAsync(Conversations, content, Cancellation);
            id = (await Reply.ReadAsync(response)).AssertOk().Text("id")!;
        }

        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Policy:Store", "Never")) with { StorePath = folder });

        (await PostAsync("{}", path: Conversations)).AssertError(403, "storage_not_allowed", null);
        (await PostAsync("""{"metadata":{}}""", path: $"{Conversations}/{id}")).AssertError(403, "storage_not_allowed", null);
        (await PostAsync($$"""{"items":[{{Messages("x")}}]}""", path: $"{Conversations}/{id}/items")).AssertError(403, "storage_not_allowed", null);
        await SayAsync(id, "Q1");
        Assert.Equal(["Q0", "Q1"], Prompt);
        var item = Assert.Single(await ItemsAsync(id)).Text("id");
        (await DeleteAsync($"{Conversations}/{id}/items/{item}")).AssertOk();
        (await DeleteAsync($"{Conversations}/{id}")).AssertOk();
    }

    [Fact]
    public async Task LargeConversation_TakesNoMore()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:ContextBytes", "65536"));
        var big = new string('x', 30_000);
        var id = await StartAsync(big, big);

        var more = await PostAsync($$"""{"items":[{{Messages(big)}}]}""", path: $"{Conversations}/{id}/items");
        more.AssertError(400, "context_length_exceeded", "items");
        (await PostAsync($$"""{"items":[{{Messages(big, big, big)}}]}""", path: Conversations)).AssertError(400, "context_length_exceeded", "items");
        (await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":{{Quote(big)}}}"""))).AssertError(400, "context_length_exceeded", "input");
        (await DeleteAsync($"{Conversations}/{id}/items/{(await ItemsAsync(id))[0].Text("id")}")).AssertOk();
        await SayAsync(id, big);
    }

    [Fact]
    public async Task Logs_NeverHoldWhatAConversationHolds()
    {
        var gateway = await UseOwnGatewayAsync(("Logging:LogLevel:Default", "Trace"));
        var id = (await PostAsync($$$"""{"items":[{{{Messages("Confidential item")}}}],"metadata":{"k":"Confidential value"}}""", path: Conversations)).AssertOk().Text("id")!;

        await AddAsync(id, "Confidential addition");
        await SayAsync(id, "Confidential question");
        await PostAsync("""{"items":[{"type":"Confidential type"}]}""", path: $"{Conversations}/{id}/items");
        await DeleteAsync($"{Conversations}/{id}");

        Assert.DoesNotContain("Confidential", gateway.Logs.Text, StringComparison.Ordinal);
    }

    /// <summary>A folder that outlives the gateways of a test.</summary>
    private sealed class OwnFolder : IAsyncDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public string Path => _folder.Path;

        public ValueTask DisposeAsync()
        {
            _folder.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
