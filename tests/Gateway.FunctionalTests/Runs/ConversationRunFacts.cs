using System.Net.Http.Headers;
using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Runs;

/// <summary>Durable runs in a conversation: background responses, streams that can be resumed, and requests with an <c>Idempotency-Key</c>.</summary>
public abstract class ConversationRunFacts(GatewayFixture fixture) : RunTest(fixture)
{
    private const string Conversations = "/v1/conversations";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Background_IsAppendedAtItsEnd_AndTheNextTurnSeesIt(bool streamed)
    {
        var script = Held();
        Upstream.Enqueue(script);
        var conversation = await StartAsync("Q0");
        using var response = streamed ? await OpenAsync(Say(conversation, "Q1")) : null;
        var id = response is null ? (await QueueAsync(Say(conversation, "Q1"))).Text("id")! : await FirstIdAsync(response);
        await script.Hold.Reached;

        await AssertLockedAsync(conversation);
        var running = (await GetAsync("/v1/responses/" + id)).AssertOk();
        Assert.Equal(("in_progress", conversation), (running.Text("status"), running.Text("conversation.id")));
        Assert.Equal(["Q0"], await TextsAsync(conversation));
        script.Hold.Release();
        var done = await PollAsync(id, "completed");

        Assert.Equal(conversation, done.Text("conversation.id"));
        Assert.Equal(["Q0", "Q1", "Hello"], await TextsAsync(conversation));
        var next = await PollAsync((await QueueAsync(Say(conversation, "Q2"))).Text("id")!, "completed");
        Assert.Equal(["Q0", "Q1", "Hello", "Q2"], Upstream.LastCall.Messages.Select(message => (string?)message!["content"]));
        Assert.Equal(["Q0", "Q1", "Hello", "Q2", next.OutputText()], await TextsAsync(conversation));
        Assert.Equal([(await ItemsAsync(conversation))[3].GetRawText()], (await GetAsync($"/v1/responses/{next.Text("id")}/input_items")).AssertOk().Each("data").Select(item => item.GetRawText()));
    }

    [Fact]
    public async Task ManyAtOnce_OneIsAccepted()
    {
        var script = Held();
        Upstream.Enqueue(script);
        var conversation = await StartAsync("Q0");

        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(n => PostAsync(WithModel($"{{\"background\":true,{Say(conversation, "Q1")[1..]}"))));

        var accepted = Assert.Single(replies, reply => (int)reply.Status == 200);
        Assert.All(replies.Except([accepted]), reply => reply.AssertError(400, "conversation_locked", "conversation"));
        script.Hold.Release();
        await PollAsync(accepted.Json.Text("id")!, "completed");
        Assert.Single(Upstream.Calls);
        Assert.Equal(["Q0", "Q1", "Hello"], await TextsAsync(conversation));
    }

    [Fact]
    public async Task Queued_HoldsTheConversationUntilItIsMade()
    {
        await UseOwnAsync(("Gateway:Runs:Concurrent", "1"));
        var script = Held();
        Upstream.Enqueue(script);
        var first = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;
        var conversation = await StartAsync("Q0");
        var cancelled = (await QueueAsync(Say(conversation, "Q1"))).Text("id")!;

        await AssertLockedAsync(conversation);
        Assert.Equal("cancelled", (await CancelAsync(cancelled)).AssertOk().Text("status"));
        var deleted = (await QueueAsync(Say(conversation, "Q2"))).Text("id")!;
        await AssertLockedAsync(conversation);
        (await DeleteAsync("/v1/responses/" + deleted)).AssertOk();
        var made = (await QueueAsync(Say(conversation, "Q3"))).Text("id")!;
        await AssertLockedAsync(conversation);
        script.Hold.Release();

        await PollAsync(first, "completed");
        var done = await PollAsync(made, "completed");
        Assert.Equal(["Q0", "Q3", done.OutputText()], await TextsAsync(conversation));
        await CreateAsync(Say(conversation, "Q4"));
    }

    [Theory]
    [InlineData("cancel")]
    [InlineData("delete")]
    [InlineData("fail")]
    public async Task EndWithoutAnAnswer_FreesTheConversationAndAppendsNothing(string how)
    {
        var script = Held();
        Upstream.Enqueue(how == "fail" ? new ChatScript { Steps = [.. script.Steps.TakeWhile(step => step != script.Hold), script.Hold, new ResetStep()] } : script);
        var conversation = await StartAsync("Q0");
        var id = (await QueueAsync(Say(conversation, "Q1"))).Text("id")!;
        await script.Hold.Reached;

        switch (how)
        {
            case "cancel":
                Assert.Equal("cancelled", (await CancelAsync(id)).AssertOk().Text("status"));
                break;
            case "delete":
                (await DeleteAsync("/v1/responses/" + id)).AssertOk();
                break;
            default:
                Upstream.Default = _ => ChatScript.ResetBeforeAnswer();
                script.Hold.Release();
                await PollAsync(id, "failed");
                Upstream.Default = ScriptedUpstream.Greeting;
                break;
        }

        Assert.Equal(["Q0"], await TextsAsync(conversation));
        var next = await CreateAsync(Say(conversation, "Q2"));
        Assert.Equal(["Q0", "Q2", next.OutputText()], await TextsAsync(conversation));

        // What failed or was cancelled is the conversation's all the same, and goes with it.
        Assert.Equal(how == "delete" ? 404 : 200, (int)(await GetAsync("/v1/responses/" + id)).Status);
        (await DeleteAsync($"{Conversations}/{conversation}")).AssertOk();
        (await GetAsync("/v1/responses/" + id)).AssertError(404, null, null);
    }

    [Fact]
    public async Task StreamWithAWindow_IsCutOff_AndComesBackToTheRest()
    {
        await UseOwnAsync(("Gateway:Store:ResumeWindow", "00:01:00"));
        var script = Held();
        Upstream.Enqueue(script);
        var conversation = await StartAsync("Q0");
        List<string> seen;
        using (var response = await OpenStreamAsync(Say(conversation, "Q1")))
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation)))
        {
            seen = await ReadEventsAsync(reader, 5);
        }

        await AssertLockedAsync(conversation);
        using var again = await OpenFollowAsync(IdOf(seen[0]), 4);
        script.Hold.Release();

        var stream = ResponseStream.Parse(string.Concat(seen) + await again.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(("completed", "Hello"), (stream.Final.Text("status"), stream.Text));
        Assert.Equal(["Q0", "Q1", "Hello"], await TextsAsync(conversation));
        await CreateAsync(Say(conversation, "Q2"));
    }

    [Fact]
    public async Task StreamWithAWindow_ThatNobodyComesBackTo_FreesTheConversation()
    {
        await UseOwnAsync(("Gateway:Store:ResumeWindow", "00:00:01"));
        var script = Held();
        Upstream.Enqueue(script);
        var conversation = await StartAsync("Q0");
        string id;
        using (var response = await OpenStreamAsync(Say(conversation, "Q1")))
        {
            id = await FirstIdAsync(response);
        }

        await PollAsync(id, "cancelled");

        var next = await CreateAsync(Say(conversation, "Q2"));
        Assert.Equal(["Q0", "Q2", next.OutputText()], await TextsAsync(conversation));
    }

    [Fact]
    public async Task StreamWithAWindow_ThatIsRefusedByTheUpstream_FreesTheConversation()
    {
        await UseOwnAsync(("Gateway:Store:ResumeWindow", "00:01:00"));
        Upstream.Enqueue(ChatScript.Of(400, """{"error":{"message":"no such thing","type":"invalid_request_error"}}"""));
        var conversation = await StartAsync("Q0");

        using (var refused = await OpenStreamAsync(Say(conversation, "Q1")))
        {
            Assert.Equal(400, (int)refused.StatusCode);
        }

        await CreateAsync(Say(conversation, "Q2"));
    }

    [Theory]
    [InlineData("")]
    [InlineData(",\"stream\":true")]
    [InlineData(",\"background\":true")]
    public async Task IdempotencyKey_GivesTheFirstResponseAgain(string more)
    {
        var conversation = await StartAsync("Q0");
        var json = WithModel(Say(conversation, "Q1", more));

        var first = await PostOnceAsync(json, "a" + conversation);
        Assert.Equal(200, (int)first.Status);
        var id = first.Json.ValueKind == JsonValueKind.Object ? first.Json.Text("id")! : IdOf(EventsOf(first.Body)[0]);
        await PollAsync(id, "completed");
        var again = await PostOnceAsync(json, "a" + conversation);

        if (more.Contains("background", StringComparison.Ordinal))
        {
            Assert.Equal((id, "completed"), (again.AssertOk().Text("id"), again.Json.Text("status")));
        }
        else
        {
            Assert.Equal(first.Body, again.Body);
        }

        (await PostOnceAsync(WithModel(Say(conversation, "other")), "a" + conversation)).AssertError(409, "idempotency_key_reused", "Idempotency-Key");
        Assert.Single(Upstream.Calls);
        Assert.Equal(3, (await ItemsAsync(conversation)).Length);
    }

    [Fact]
    public async Task IdempotencyKey_ManyAtOnce_AreMadeOnce()
    {
        var conversation = await StartAsync("Q0");
        var json = WithModel(Say(conversation, "Q1"));

        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => PostOnceAsync(json, "race" + conversation)));

        Assert.Single(replies.Select(reply => reply.AssertOk().Text("id")).Distinct());
        Assert.Single(Upstream.Calls);
        Assert.Equal(3, (await ItemsAsync(conversation)).Length);
    }

    [Fact]
    public async Task IdempotencyKey_OfARefusedRequest_CanBeUsedAgain()
    {
        var script = Held();
        Upstream.Enqueue(script);
        var conversation = await StartAsync("Q0");
        var running = (await QueueAsync(Say(conversation, "Q1"))).Text("id")!;
        await script.Hold.Reached;
        var json = WithModel(Say(conversation, "Q2"));

        (await PostOnceAsync(json, "locked" + conversation)).AssertError(400, "conversation_locked", "conversation");
        script.Hold.Release();
        await PollAsync(running, "completed");

        (await PostOnceAsync(json, "locked" + conversation)).AssertOk();
        Assert.Equal(5, (await ItemsAsync(conversation)).Length);
    }

    [Fact]
    public async Task DeletedItem_IsNotReplayedEither()
    {
        var conversation = await StartAsync("Q0");
        using var response = await OpenAsync(Say(conversation, "Q1"));
        var id = await FirstIdAsync(response);
        await PollAsync(id, "completed");
        Assert.Equal("response.completed", ResponseStream.Parse(await FollowAsync(id)).Types.Last());

        (await DeleteAsync($"{Conversations}/{conversation}/items/{(await ItemsAsync(conversation))[^1].Text("id")}")).AssertOk();

        (await GetAsync($"/v1/responses/{id}?stream=true")).AssertError(400, "unsupported_value", "stream");
        Assert.Empty((await GetAsync("/v1/responses/" + id)).AssertOk().Each("output"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ConversationIsDeletedUnderARun_TheResponseFailsAndKeepsNoText(bool isNoticedAtTheEnd)
    {
        await UseOwnAsync(("Gateway:Store:ConversationLease", isNoticedAtTheEnd ? "00:10:00" : "00:00:01"));
        var script = Held();
        Upstream.Enqueue(script);
        var conversation = await StartAsync("Q0");
        using var response = await OpenAsync(Say(conversation, "Q1"));
        var id = await FirstIdAsync(response);
        await script.Hold.Reached;

        (await DeleteAsync($"{Conversations}/{conversation}")).AssertOk();
        if (isNoticedAtTheEnd)
        {
            script.Hold.Release();
        }

        var told = ResponseStream.Parse(await FollowAsync(id));
        Assert.Equal(("response.failed", "conversation_deleted"), (told.Types.Last(), told.Final.Text("error.code")));
        await AssertDeletedUnderAsync(id);
        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task ConversationIsDeletedUnderAQueuedRun_TheResponseFailsWithoutACall()
    {
        await UseOwnAsync(("Gateway:Runs:Concurrent", "1"));
        var script = Held();
        Upstream.Enqueue(script);
        var first = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;
        var conversation = await StartAsync("Q0");
        var id = (await QueueAsync(Say(conversation, "Q1"))).Text("id")!;

        (await DeleteAsync($"{Conversations}/{conversation}")).AssertOk();
        script.Hold.Release();

        await PollAsync(first, "completed");
        await AssertDeletedUnderAsync(id);
        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task ConversationIsDeletedUnderAForegroundResponse_ItIsNotFound()
    {
        await UseOwnAsync(("Gateway:Store:ConversationLease", "00:00:01"));
        var script = new ChatScript { ContentType = ChatScript.Json, Steps = [new HoldStep(), .. ChatAnswer.Say("Hello").ToJson().Steps] };
        Upstream.Enqueue(script);
        var conversation = await StartAsync("Q0");
        var answer = PostAsync(WithModel(Say(conversation, "Q1")));
        await script.Hold.Reached;

        (await DeleteAsync($"{Conversations}/{conversation}")).AssertOk();

        (await answer).AssertError(404, "conversation_deleted", "conversation");
    }

    private protected async Task<string> StartAsync(string text) =>
        (await PostAsync($$"""{"items":[{"role":"user","content":"{{text}}"}]}""", path: Conversations)).AssertOk().Text("id")!;

    private protected static string Say(string conversation, string text, string more = "") => $$"""{"conversation":"{{conversation}}","input":"{{text}}"{{more}}}""";

    private async Task AssertDeletedUnderAsync(string id)
    {
        var failed = await PollAsync(id, "failed");
        Assert.Equal("conversation_deleted", failed.Text("error.code"));
        Assert.Empty(failed.Each("output"));
        Assert.Empty((await GetAsync($"/v1/responses/{id}/input_items")).AssertOk().Each("data"));
        (await DeleteAsync("/v1/responses/" + id)).AssertOk();
    }

    private async Task AssertLockedAsync(string conversation)
    {
        foreach (var more in (string[])["", ",\"stream\":true", ",\"background\":true"])
        {
            (await PostAsync(WithModel(Say(conversation, "no", more)))).AssertError(400, "conversation_locked", "conversation");
        }

        (await PostAsync("""{"items":[{"role":"user","content":"no"}]}""", path: $"{Conversations}/{conversation}/items")).AssertError(400, "conversation_locked", "conversation");
    }

    private async Task<JsonElement[]> ItemsAsync(string conversation) => [.. (await GetAsync($"{Conversations}/{conversation}/items?order=asc&limit=100")).AssertOk().Each("data")];

    private async Task<string?[]> TextsAsync(string conversation) => [.. (await ItemsAsync(conversation)).Select(item => item.Text("content[0].text"))];

    private static async Task<string> FirstIdAsync(HttpResponseMessage response)
    {
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation), leaveOpen: true);
        return IdOf((await ReadEventsAsync(reader, 1))[0]);
    }

    private async Task<Reply> PostOnceAsync(string json, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = new StringContent(json, new MediaTypeHeaderValue("application/json")) };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await Gateway.Client.SendAsync(request, Cancellation);
        return await Reply.ReadAsync(response);
    }
}
