using System.Text.Json;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Responses;

/// <summary>Facts 21 to 31 of the contract's checklist that hold on every store: what is kept, and what a child sees.</summary>
public abstract class ChainFacts(GatewayFixture fixture) : FunctionalTest(fixture)
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";

    [Fact]
    public async Task Fact21_StoredResponse_GetReturnsTheSameObject()
    {
        var created = await CreateAsync("""{"input":"Hi","metadata":{"a":"b"},"temperature":0.3}""");

        var got = await GetAsync("/v1/responses/" + created.Text("id"));

        Assert.True(created.At("store").GetBoolean());
        Assert.Equal(created.GetRawText(), got.AssertOk().GetRawText());
    }

    [Fact]
    public async Task Fact22_StreamedResponse_IsStoredToo()
    {
        var stream = await StreamAsync("""{"input":"Hi"}""");

        var got = (await GetAsync("/v1/responses/" + stream.Id)).AssertOk();

        Assert.Equal(stream.Final.GetRawText(), got.GetRawText());
    }

    [Fact]
    public async Task Fact23_StoreFalse_LeavesNothingBehind()
    {
        var created = await CreateAsync("""{"input":"Hi","store":false}""");
        var id = created.Text("id")!;

        Assert.False(created.At("store").GetBoolean());
        (await GetAsync("/v1/responses/" + id)).AssertError(404, null, null);
        (await GetAsync($"/v1/responses/{id}/input_items")).AssertError(404, null, null);
        (await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{id}}"}"""))).AssertError(400, "previous_response_not_found", "previous_response_id");
        Assert.DoesNotContain((await GetAsync("/v1/responses?limit=100")).AssertOk().Each("data"), response => response.Text("id") == id);
    }

    [Fact]
    public async Task Fact25_ContextOfAChild_IsTheChainInOrder()
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"), ChatAnswer.Say("A2"), ChatAnswer.Say("A3"));

        var first = await CreateAsync("""{"input":"Q1"}""");
        var second = await CreateAsync($$"""{"input":"Q2","previous_response_id":"{{first.Text("id")}}"}""");
        var third = await StreamAsync($$"""{"input":[{"role":"user","content":"Q3"}],"previous_response_id":"{{second.Text("id")}}"}""");

        Assert.Equal(["Q1", "A1", "Q2", "A2", "Q3"], Contents(Upstream.LastCall));
        Assert.Equal(second.Text("id"), third.Final.Text("previous_response_id"));
    }

    [Fact]
    public async Task Fact26_InstructionsOfTheParent_AreNotInTheChildsPrompt()
    {
        var first = await CreateAsync("""{"input":"Q1","instructions":"Speak French."}""");

        var second = await CreateAsync($$"""{"input":"Q2","previous_response_id":"{{first.Text("id")}}"}""");

        Assert.Equal(["user", "assistant", "user"], Upstream.LastCall.Roles);
        Assert.Equal(JsonValueKind.Null, second.At("instructions").ValueKind);
    }

    [Fact]
    public async Task Fact27_Tools_AreNotInheritedButCallsRender()
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", """{"city":"Oslo"}""")));
        var first = await CreateAsync($$"""{"input":"Weather?","tools":[{{Weather}}]}""");

        await CreateAsync($$"""{"previous_response_id":"{{first.Text("id")}}","input":[{"type":"function_call_output","call_id":"{{first.Text("output[0].call_id")}}","output":"sunny"}]}""");

        Assert.False(Upstream.LastCall.Body.ContainsKey("tools"));
        Assert.Equal(["user", "assistant", "tool"], Upstream.LastCall.Roles);
        Assert.Equal("get_weather", Upstream.LastCall.Messages[1]!["tool_calls"]![0]!["function"]!["name"]!.GetValue<string>());
        Assert.Equal("sunny", Upstream.LastCall.Messages[2]!["content"]!.GetValue<string>());
    }

    [Fact]
    public async Task Fact28_Delete_ErasesAndEndsTheChain()
    {
        var first = await CreateAsync("""{"input":"Q1"}""");
        var second = await CreateAsync($$"""{"input":"Q2","previous_response_id":"{{first.Text("id")}}"}""");
        var third = await CreateAsync($$"""{"input":"Q3","previous_response_id":"{{second.Text("id")}}"}""");

        var deleted = (await DeleteAsync("/v1/responses/" + first.Text("id"))).AssertOk();

        Assert.Equal((first.Text("id"), "response", true), (deleted.Text("id"), deleted.Text("object"), deleted.At("deleted").GetBoolean()));
        (await GetAsync("/v1/responses/" + first.Text("id"))).AssertError(404, null, null);
        (await DeleteAsync("/v1/responses/" + first.Text("id"))).AssertError(404, null, null);
        (await GetAsync("/v1/responses/" + second.Text("id"))).AssertOk();
        (await GetAsync("/v1/responses/" + third.Text("id"))).AssertOk();
        foreach (var parent in (JsonElement[])[first, second, third])
        {
            (await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{parent.Text("id")}}"}"""))).AssertError(400, "previous_response_not_found", "previous_response_id");
        }
    }

    [Fact]
    public async Task Fact29_TwoChildren_DoNotSeeEachOther()
    {
        Upstream.Default = request => ChatAnswer.Say("A to " + request["messages"]!.AsArray()[^1]!["content"]).For(request);
        var root = await CreateAsync("""{"input":"Root"}""");
        var left = await CreateAsync($$"""{"input":"Left","previous_response_id":"{{root.Text("id")}}"}""");
        var right = await CreateAsync($$"""{"input":"Right","previous_response_id":"{{root.Text("id")}}"}""");

        await CreateAsync($$"""{"input":"Left 2","previous_response_id":"{{left.Text("id")}}"}""");
        Assert.Equal(["Root", "A to Root", "Left", "A to Left", "Left 2"], Contents(Upstream.LastCall));
        await CreateAsync($$"""{"input":"Right 2","previous_response_id":"{{right.Text("id")}}"}""");
        Assert.Equal(["Root", "A to Root", "Right", "A to Right", "Right 2"], Contents(Upstream.LastCall));
    }

    [Fact]
    public async Task Fact29_ChildrenAtTheSameTime_BothSucceedAndStayApart()
    {
        Upstream.Default = request => ChatAnswer.Say("A to " + request["messages"]!.AsArray()[^1]!["content"]).For(request);
        var root = await CreateAsync("""{"input":"Root"}""");

        var children = await Task.WhenAll(Enumerable.Range(0, 8).Select(i =>
            CreateAsync($$"""{"input":"C{{i}}","previous_response_id":"{{root.Text("id")}}"}""")));

        for (var i = 0; i < children.Length; i++)
        {
            await CreateAsync($$"""{"input":"More","previous_response_id":"{{children[i].Text("id")}}"}""");
            Assert.Equal(["Root", "A to Root", $"C{i}", $"A to C{i}", "More"], Contents(Upstream.LastCall));
        }
    }

    [Fact]
    public async Task Fact30_InputItems_AreThatRequestsOwnAndPage()
    {
        var first = await CreateAsync("""{"input":"Q1"}""");
        var input = string.Join(',', Enumerable.Range(1, 5).Select(i => $$"""{"role":"user","content":"N{{i}}"}"""));
        var second = await CreateAsync($$"""{"input":[{{input}}],"previous_response_id":"{{first.Text("id")}}"}""");
        var path = $"/v1/responses/{second.Text("id")}/input_items";

        var all = (await GetAsync(path)).AssertOk();
        Assert.Equal(["N5", "N4", "N3", "N2", "N1"], all.Each("data").Select(item => item.Text("content[0].text")));
        Assert.All(all.Each("data"), item => Assert.Equal(("message", "user", "completed", "input_text"), (item.Text("type"), item.Text("role"), item.Text("status"), item.Text("content[0].type"))));

        var page = (await GetAsync(path + "?limit=2&order=asc")).AssertOk();
        Assert.Equal(["N1", "N2"], page.Each("data").Select(item => item.Text("content[0].text")));
        Assert.True(page.At("has_more").GetBoolean());
        Assert.Equal((page.Text("data[0].id"), page.Text("data[1].id")), (page.Text("first_id"), page.Text("last_id")));
        var rest = (await GetAsync($"{path}?limit=10&order=asc&after={page.Text("last_id")}")).AssertOk();
        Assert.Equal(["N3", "N4", "N5"], rest.Each("data").Select(item => item.Text("content[0].text")));
        Assert.False(rest.At("has_more").GetBoolean());
        var before = (await GetAsync($"{path}?order=asc&before={rest.Text("first_id")}")).AssertOk();
        Assert.Equal(["N1", "N2"], before.Each("data").Select(item => item.Text("content[0].text")));
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=101", "limit")]
    [InlineData("order=sideways", "order")]
    [InlineData("after=msg_unknown", "after")]
    public async Task InputItems_BadQuery_IsRefused(string query, string param)
    {
        var created = await CreateAsync("""{"input":"Hi"}""");

        var reply = await GetAsync($"/v1/responses/{created.Text("id")}/input_items?{query}");

        Assert.Equal(400, (int)reply.Status);
        Assert.Equal(param, reply.Json.Text("error.param"));
    }

    [Fact]
    public async Task Fact31_Metadata_RoundTrips()
    {
        var created = await CreateAsync("""{"input":"Hi","metadata":{"ключ":"значение","emoji":"👋","empty":""}}""");

        var got = (await GetAsync("/v1/responses/" + created.Text("id"))).AssertOk();

        Assert.Equal(("значение", "👋", ""), (got.Text("metadata.ключ"), got.Text("metadata.emoji"), got.Text("metadata.empty")));
    }

    [Fact]
    public async Task ItemReference_IsReplacedByTheStoredItem()
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"));
        var first = await CreateAsync("""{"input":"Q1"}""");

        await CreateAsync($$"""{"input":[{"role":"user","content":"Before"},{"type":"item_reference","id":"{{first.Text("output[0].id")}}"},{"role":"user","content":"After"}]}""");

        Assert.Equal(["Before", "A1", "After"], Contents(Upstream.LastCall));
    }

    [Fact]
    public async Task ItemReference_Unknown_Is404() =>
        (await PostAsync(WithModel("""{"input":[{"type":"item_reference","id":"msg_unknown"}]}"""))).AssertError(404, null, "input");

    [Fact]
    public async Task FailedParent_CanBeRetrievedButNotContinued()
    {
        Upstream.Enqueue(Misbehaviours.Of(Misbehaviour.EndsWithoutFinish).Single().CreateReaction());
        var stream = await StreamAsync("""{"input":"Hi"}""");
        Assert.Equal("failed", stream.Final.Text("status"));

        Assert.Equal("failed", (await GetAsync("/v1/responses/" + stream.Id)).AssertOk().Text("status"));
        (await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{stream.Id}}"}"""))).AssertError(400, "previous_response_not_found", "previous_response_id");
    }

    private static IEnumerable<string> Contents(RecordedCall call) => call.Messages.Select(m => m!["content"]!.GetValue<string>());

    [Fact]
    public async Task ParentWithDeepTools_GivesItsModelToARequestThatNamesNone()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:JsonDepth", "200"));

        // Left out of the call, since it is bound to nothing, and echoed.
        var schema = string.Concat(Enumerable.Repeat("{\"a\":", 80)) + "{}" + new string('}', 80);
        using var content = new StringContent(
            $$"""{"model":"{{GatewayFixture.Model}}","input":"Hi","tools":[{"type":"web_search","filters":{{schema}}}]}""", new System.Net.Http.Headers.MediaTypeHeaderValue("application/json"));
        using var reply = await Gateway.Client.PostAsync(new Uri("/v1/responses", UriKind.Relative), content, Cancellation);
        var body = await reply.Content.ReadAsStringAsync(Cancellation);
        Assert.True(reply.IsSuccessStatusCode, body);
        var id = body[(body.IndexOf("resp_", StringComparison.Ordinal))..].Split('"')[0];

        var child = (await PostAsync($$"""{"input":"And?","previous_response_id":"{{id}}"}""")).AssertOk();

        Assert.Equal(GatewayFixture.Model, child.Text("model"));
    }
}
