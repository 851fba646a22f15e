using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Fireworks;

/// <summary>Facts 85 to 90 of the contract's checklist, and the rest of its section 3.5: the dialect under <c>/inference/v1</c>.</summary>
public sealed class FireworksFacts(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Path = "/inference/v1/responses";
    private const string Model = "accounts/fireworks/models/qwen3-235b-a22b";

    [Fact]
    public async Task Fact85_Usage_HasTheKeysOfChatCompletions()
    {
        Upstream.Enqueue(new ChatAnswer { Text = "4", Usage = new(15, 8, 3) });

        var usage = (await CreateHereAsync("""{"input":"What is 2+2?"}""")).At("usage");

        Assert.Equal((15, 8, 23, 3), (usage.Number("prompt_tokens"), usage.Number("completion_tokens"), usage.Number("total_tokens"), usage.Number("prompt_tokens_details.cached_tokens")));
        Assert.Null(usage.Find("input_tokens"));
    }

    [Fact]
    public async Task Output_StartsWithTheInputMessages()
    {
        Upstream.Enqueue(ChatAnswer.Say("2 + 2 equals 4."));

        var created = await CreateHereAsync("""{"input":"What is 2+2?"}""");
        var got = (await GetAsync($"{Path}/{created.Text("id")}")).AssertOk();

        Assert.Equal(["user", "assistant"], created.Each("output").Select(item => item.Text("role")));
        Assert.Equal(("input_text", "What is 2+2?", "completed", "message"), (
            created.Text("output[0].content[0].type"), created.Text("output[0].content[0].text"), created.Text("output[0].status"), created.Text("output[0].type")));
        Assert.Equal(("output_text", "2 + 2 equals 4."), (created.Text("output[1].content[0].type"), created.Text("output[1].content[0].text")));
        Assert.Equal(created.GetRawText(), got.GetRawText());
    }

    [Fact]
    public async Task Fact86_StoreFalse_HasANullId()
    {
        var created = await CreateHereAsync("""{"input":"Hi","store":false}""");

        Assert.Equal(JsonValueKind.Null, created.At("id").ValueKind);
        Assert.False(created.At("store").GetBoolean());
    }

    [Fact]
    public async Task Fact87_Delete_AnswersItsMessageAndTheDeletionObject()
    {
        var created = await CreateHereAsync("""{"input":"What is the capital of France?","store":true}""");

        var deleted = (await DeleteAsync($"{Path}/{created.Text("id")}")).AssertOk();

        Assert.Equal(("Response deleted successfully", true), (deleted.Text("message"), deleted.At("deleted").GetBoolean()));
        Assert.Equal(404, (int)(await GetAsync($"{Path}/{created.Text("id")}")).Status);
    }

    [Fact]
    public async Task Fact89_AnotherAccountsHeader_Is403()
    {
        await UseOwnGatewayAsync(
            ("Gateway:Tenants:acme:Keys:0", "key-acme"), ("Gateway:Tenants:other:Keys:0", "key-other"), ("Gateway:Tenants:other:AccountId", "other-account"));

        Assert.Equal(200, (int)(await WithAccountAsync("key-acme", "acme")).Status);
        Assert.Equal(200, (int)(await WithAccountAsync("key-other", "other-account")).Status);
        var refused = await WithAccountAsync("key-acme", "other-account");
        Assert.Equal(403, (int)refused.Status);
        Assert.NotNull(refused.Json.Find("detail"));
        Assert.NotNull(refused.Json.Text("error.message"));

        var elsewhere = await SendAsync(HttpMethod.Post, "/v1/responses", WithModel("""{"input":"Hi"}"""), "key-acme", ("x-fireworks-account-id", "other-account"));
        Assert.Equal(200, (int)elsewhere.Status);
    }

    [Fact]
    public async Task AccountHeader_WithoutAnyKeys_IsIgnored() =>
        Assert.Equal(200, (int)(await WithAccountAsync(null, "your-account-id")).Status);

    [Fact]
    public async Task Fact90_UnknownParent_Is404WithDetail()
    {
        var reply = await PostAsync(Body("""{"input":"Hi","previous_response_id":"resp_unknown"}"""), path: Path);

        reply.AssertError(404, "previous_response_not_found", "previous_response_id");
        Assert.Equal("Previous response not found", reply.Json.Text("detail"));
    }

    [Fact]
    public async Task BadRequest_HasErrorAndDetail()
    {
        var reply = await PostAsync("""{"input":"Hi"}""", path: Path);

        Assert.Equal("model", reply.Json.Text("error.param"));
        Assert.NotNull(reply.Json.Find("detail"));
    }

    [Fact]
    public async Task Stream_HoldsOnlyModelItemsAndKeepsAnId()
    {
        Upstream.Enqueue(ChatAnswer.Say("Hello"));

        using var response = await Gateway.Client.PostAsync(Path, new StringContent(Body("""{"input":"Hi","stream":true,"store":false}"""), null, "application/json"), Cancellation);

        var stream = FireworksStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal("response.completed", stream.Types.Last());
        Assert.StartsWith("resp_", stream.Final.Text("id"), StringComparison.Ordinal);
        Assert.Equal(["assistant"], stream.Final.Each("output").Select(item => item.Text("role")));
        Assert.Equal(7, stream.Final.Number("usage.completion_tokens"));
    }

    [Fact]
    public async Task ThinkTags_StayInTheText()
    {
        Upstream.Enqueue(ChatAnswer.Say("<think>\nHm.\n</think>\nFour."));

        var created = await CreateHereAsync("""{"input":"What is 2+2?"}""");

        Assert.Equal("\nFour.", created.Text("output[1].content[0].text")!.Split("</think>")[^1]);
    }

    [Fact]
    public async Task MaxOutputTokens_MayBeOne()
    {
        await CreateHereAsync("""{"input":"Hi","max_output_tokens":1}""");

        Assert.Equal(1, Upstream.LastCall.Body["max_tokens"]!.GetValue<int>());
    }

    [Fact]
    public async Task Response_OfTheOtherDialect_IsShownInTheCallersDialect()
    {
        var created = await CreateAsync("""{"input":"Hi"}""");

        var here = (await GetAsync($"{Path}/{created.Text("id")}")).AssertOk();
        var there = (await GetAsync("/v1/responses/" + created.Text("id"))).AssertOk();

        Assert.Equal(11, here.Number("usage.prompt_tokens"));
        Assert.Equal(["user", "assistant"], here.Each("output").Select(item => item.Text("role")));
        ResponseShape.AssertFinal(there);
    }

    private static string Body(string json) => $"{{\"model\":\"{Model}\",{json[1..]}";

    private async Task<JsonElement> CreateHereAsync(string json)
    {
        var created = (await PostAsync(Body(json), path: Path)).AssertOk();
        Assert.Equal(("completed", Model), (created.Text("status"), created.Text("model")));
        Assert.True(created.At("created_at").TryGetInt64(out _));
        return created;
    }

    private Task<Reply> WithAccountAsync(string? key, string account) =>
        SendAsync(HttpMethod.Post, Path, Body("""{"input":"Hi"}"""), key, ("x-fireworks-account-id", account));
}
