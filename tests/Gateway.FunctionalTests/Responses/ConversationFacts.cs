using System.Text.Json;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Responses;

/// <summary>Responses that are made in a conversation, on every store: fact 77 of the contract's checklist, and what becomes of what is deleted.</summary>
public abstract class ConversationFacts(GatewayFixture fixture) : ConversationTest(fixture)
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Fact77_Response_AppendsItsInputAndOutputOnce(bool streamed)
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"), ChatAnswer.Say("A2"));
        var id = await StartAsync("Q0");

        var first = await SayAsync(id, "Q1", streamed, ",\"instructions\":\"Be brief.\"");
        var second = await RespondAsync($$"""{"conversation":{"id":"{{id}}"},"input":[{{Messages("Q2", "Q3")}}]}""", streamed);

        Assert.Equal(["Q0", "Q1", "A1", "Q2", "Q3"], Prompt);
        Assert.Equal((id, id), (first.Text("conversation.id"), second.Text("conversation.id")));
        Assert.Equal(["Q0", "Q1", "A1", "Q2", "Q3", "A2"], await TextsAsync(id));
        var items = await ItemsAsync(id);
        Assert.Equal(first.Text("output[0].id"), items[2].Text("id"));
        Assert.Equal(second.At("output[0]").GetRawText(), items[5].GetRawText());
        Assert.Equal(6, items.Select(item => item.Text("id")).Distinct().Count());
        Assert.Equal(second.GetRawText(), (await GetAsync("/v1/responses/" + second.Text("id"))).AssertOk().GetRawText());
        var inputs = (await GetAsync($"/v1/responses/{second.Text("id")}/input_items?order=asc")).AssertOk();
        Assert.Equal(items[3..5].Select(item => item.GetRawText()), inputs.Each("data").Select(item => item.GetRawText()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Fact77_SecondWriter_IsToldConversationLocked(bool streamed)
    {
        var id = await StartAsync("Q0");
        var hold = EnqueueHeld("A1");
        var first = SayAsync(id, "Q1", streamed);
        await hold.Reached;

        foreach (var stream in (string[])["false", "true"])
        {
            var second = await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"Q2","stream":{{stream}}}"""));
            second.AssertError(400, "conversation_locked", "conversation");
            Assert.Equal("Another process is currently operating on this conversation. Please retry in a few seconds.", second.Json.Text("error.message"));
        }

        (await PostAsync($$"""{"items":[{{Messages("Q2")}}]}""", path: $"{Conversations}/{id}/items")).AssertError(400, "conversation_locked", "conversation");
        Assert.Single(Upstream.Calls);
        hold.Release();
        await first;
        await SayAsync(id, "Q3");

        Assert.Equal(["Q0", "Q1", "A1", "Q3"], Prompt);
    }

    [Fact]
    public async Task Fact77_ManyWritersAtOnce_AppendWholeTurnsOrAreTold()
    {
        Upstream.Default = request => ChatAnswer.Say("A to " + request["messages"]!.AsArray()[^1]!["content"]).For(request);
        var id = await StartAsync();

        var replies = await Task.WhenAll(Enumerable.Range(0, 12).Select(n => PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"Q{{n}}"}"""))));

        var made = replies.Where(reply => (int)reply.Status == 200).ToArray();
        Assert.NotEmpty(made);
        Assert.All(replies.Except(made), reply => reply.AssertError(400, "conversation_locked", "conversation"));
        var texts = await TextsAsync(id);
        Assert.Equal(2 * made.Length, texts.Length);
        Assert.All(texts.Chunk(2), turn => Assert.Equal("A to " + turn[0], turn[1]));
    }

    [Fact]
    public async Task Writer_ThatLeaves_LetsOthersInAtOnce()
    {
        var id = await StartAsync("Q0");
        var hold = EnqueueHeld();
        using (var response = await OpenStreamAsync($$"""{"conversation":"{{id}}","input":"Q1"}"""))
        {
            await hold.Reached;
        }

        // The gateway learns of it from the connection.
        Reply reply;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        do
        {
            patience.Token.ThrowIfCancellationRequested();
            reply = await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"Q2"}"""));
        }
        while (reply.Json.Find("error.code")?.GetString() == "conversation_locked");
        reply.AssertOk();

        Assert.Equal(["Q0", "Q2"], Prompt);
    }

    [Theory]
    [InlineData("""{"input":"Q1","model":"unknown","conversation":"ID"}""", "model_not_found")]
    [InlineData("""{"input":[{"type":"function_call_output","call_id":"c","output":"o"}],"model":"scripted","conversation":"ID"}""", null)]
    [InlineData("""{"input":[{"type":"item_reference","id":"msg_unknown"}],"model":"scripted","conversation":"ID"}""", null)]
    public async Task RefusedRequest_LeavesNoLock(string json, string? code)
    {
        var id = await StartAsync("Q0");

        var refused = await PostAsync(json.Replace("ID", id, StringComparison.Ordinal));
        await SayAsync(id, "Q2");

        Assert.Equal(code, refused.Json.Text("error.code"));
        Assert.Equal(["Q0", "Q2"], Prompt);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task FailedResponse_LeavesTheConversationAsItWas(bool streamed)
    {
        var id = await StartAsync("Q0");
        Upstream.Enqueue(streamed
            ? Misbehaviours.Of(Misbehaviour.EndsWithoutFinish).Single().CreateReaction()
            : _ => ChatScript.Of(400, """{"error":{"message":"no","type":"invalid_request_error"}}"""));

        if (streamed)
        {
            var failed = (await StreamAsync($$"""{"conversation":"{{id}}","input":"Q1"}""")).Final;
            Assert.Equal(("failed", id), (failed.Text("status"), failed.Text("conversation.id")));
            Assert.Equal("failed", (await GetAsync("/v1/responses/" + failed.Text("id"))).AssertOk().Text("status"));
        }
        else
        {
            Assert.Equal(400, (int)(await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"Q1"}"""))).Status);
        }

        await SayAsync(id, "Q2");
        Assert.Equal(["Q0", "Q2"], Prompt);
    }

    [Fact]
    public async Task CutResponse_IsAppended()
    {
        var id = await StartAsync("Q0");
        Upstream.Enqueue(new ChatAnswer { Text = "Cut", FinishReason = "length" });

        var response = await SayAsync(id, "Q1");
        await SayAsync(id, "Q2");

        Assert.Equal("incomplete", response.Text("status"));
        Assert.Equal(["Q0", "Q1", "Cut", "Q2"], Prompt);
    }

    [Fact]
    public async Task StoreFalse_SeesTheConversationAndAppendsNothing()
    {
        var id = await StartAsync("Q0");

        var response = await SayAsync(id, "Q1", more: ",\"store\":false");

        Assert.Equal(["Q0", "Q1"], Prompt);
        Assert.Equal(id, response.Text("conversation.id"));
        Assert.Equal(["Q0"], await TextsAsync(id));
        var hold = EnqueueHeld();
        var writer = SayAsync(id, "Q2");
        await hold.Reached;
        await SayAsync(id, "Q3", more: ",\"store\":false");
        hold.Release();
        await writer;
    }

    [Fact]
    public async Task Instructions_AreOfOneResponse()
    {
        var id = await StartAsync("Q0");

        await SayAsync(id, "Q1", more: ",\"instructions\":\"Speak French.\"");
        await SayAsync(id, "Q2");

        Assert.Equal(["user", "user", "assistant", "user"], Upstream.LastCall.Roles);
        Assert.DoesNotContain(await TextsAsync(id), text => text!.Contains("French", StringComparison.Ordinal));
    }

    [Fact]
    public async Task EmptyInput_AnswersWhatIsThere()
    {
        var id = await StartAsync("Q0");

        await RespondAsync($$"""{"conversation":"{{id}}"}""");

        Assert.Equal(["Q0"], Prompt);
        Assert.Equal(2, (await ItemsAsync(id)).Length);
    }

    [Fact]
    public async Task PreviousResponseId_IntoAConversation_OpensAChainBesideIt()
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"), ChatAnswer.Say("A2"), ChatAnswer.Say("A3"), ChatAnswer.Say("A4"));
        var id = await StartAsync("Q0");
        var first = await SayAsync(id, "Q1");
        var last = await SayAsync(id, "Q2");

        var beside = await CreateAsync($$"""{"previous_response_id":"{{first.Text("id")}}","input":"B1"}""");
        Assert.Equal(["Q0", "Q1", "A1", "B1"], Prompt);
        Assert.Equal(JsonValueKind.Null, beside.At("conversation").ValueKind);
        await CreateAsync($$"""{"previous_response_id":"{{last.Text("id")}}","input":"C1"}""");
        Assert.Equal(["Q0", "Q1", "A1", "Q2", "A2", "C1"], Prompt);
        await CreateAsync($$"""{"previous_response_id":"{{beside.Text("id")}}","input":"B2"}""");
        Assert.Equal(["Q0", "Q1", "A1", "B1", "A3", "B2"], Prompt);

        Assert.Equal(["Q0", "Q1", "A1", "Q2", "A2"], await TextsAsync(id));
    }

    [Fact]
    public async Task Calls_AreAnsweredInTheConversation()
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", """{"city":"Oslo"}"""))).Enqueue(ChatAnswer.Say("Sunny."));
        var id = await StartAsync();
        var asked = await SayAsync(id, "Weather?", more: $",\"tools\":[{Weather}]");

        (await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"Never mind"}"""))).AssertError(400, null, "input");
        var answered = await RespondAsync($$"""
            {"conversation":"{{id}}","input":[{"type":"function_call_output","call_id":"{{asked.Text("output[0].call_id")}}","output":"sun"}]}
            """);

        Assert.Equal("Sunny.", answered.OutputText());
        Assert.Equal(["user", "assistant", "tool"], Upstream.LastCall.Roles);
        Assert.Equal(["message", "function_call", "function_call_output", "message"], (await ItemsAsync(id)).Select(item => item.Text("type")));
    }

    [Fact]
    public async Task DeletedItem_IsGoneEverywhere()
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"), ChatAnswer.Say("A2"), ChatAnswer.Say("A3"));
        var id = await StartAsync("Q0");
        var first = await RespondAsync($$"""{"conversation":"{{id}}","input":[{{Messages("Q1", "Q2")}}]}""");
        var items = await ItemsAsync(id);
        var question = items.Single(item => item.Find("content[0].text")!.Value.GetString() == "Q1").Text("id");
        var answer = first.Text("output[0].id");

        foreach (var item in (string?[])[question, answer])
        {
            var conversation = (await DeleteAsync($"{Conversations}/{id}/items/{item}")).AssertOk();
            Assert.Equal((id, "conversation"), (conversation.Text("id"), conversation.Text("object")));
            (await DeleteAsync($"{Conversations}/{id}/items/{item}")).AssertError(404, null, null);
            (await GetAsync($"{Conversations}/{id}/items/{item}")).AssertError(404, null, null);
        }

        Assert.Equal(["Q0", "Q2"], await TextsAsync(id));
        var response = (await GetAsync("/v1/responses/" + first.Text("id"))).AssertOk();
        Assert.Empty(response.Each("output"));
        Assert.Equal("Q2", Assert.Single((await GetAsync($"/v1/responses/{first.Text("id")}/input_items")).AssertOk().Each("data")).Text("content[0].text"));
        Assert.Empty((await GetAsync("/v1/responses")).AssertOk().Each("data").Single(listed => listed.Text("id") == first.Text("id")).Each("output"));
        await SayAsync(id, "Q3");
        Assert.Equal(["Q0", "Q2", "Q3"], Prompt);
        await CreateAsync($$"""{"previous_response_id":"{{first.Text("id")}}","input":"B1"}""");
        Assert.Equal(["Q0", "Q2", "B1"], Prompt);
        (await PostAsync(WithModel($$"""{"input":[{"type":"item_reference","id":"{{answer}}"}]}"""))).AssertError(404, null, "input");
    }

    [Fact]
    public async Task DeletedOutput_LeavesACallThatMustBeAnsweredOrDeletedToo()
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", "{}")));
        var id = await StartAsync();
        var call = (await SayAsync(id, "Weather?", more: $",\"tools\":[{Weather}]")).Text("output[0].call_id");
        await RespondAsync($$"""{"conversation":"{{id}}","input":[{"type":"function_call_output","call_id":"{{call}}","output":"sun"}]}""");
        var items = await ItemsAsync(id);

        (await DeleteAsync($"{Conversations}/{id}/items/{items[2].Text("id")}")).AssertOk();
        var refused = await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"Go on"}"""));
        refused.AssertError(400, null, "input");
        Assert.Equal($"No tool output found for function call {call}.", refused.Json.Text("error.message"));

        await RespondAsync($$"""{"conversation":"{{id}}","input":[{"type":"function_call_output","call_id":"{{call}}","output":"rain"},{{Messages("Go on")}}]}""");
        Assert.Contains("rain", Prompt);

        (await DeleteAsync($"{Conversations}/{id}/items/{items[1].Text("id")}")).AssertOk();
        refused = await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"Go on"}"""));
        refused.AssertError(400, null, "input");
        Assert.Equal($"No tool call found for function call output with call_id {call}.", refused.Json.Text("error.message"));
        var output = (await ItemsAsync(id)).Single(item => item.Text("type") == "function_call_output").Text("id");
        (await DeleteAsync($"{Conversations}/{id}/items/{output}")).AssertOk();
        await SayAsync(id, "Go on");
        Assert.DoesNotContain("tool", Upstream.LastCall.Roles);
    }

    [Fact]
    public async Task DeletedResponse_TakesItsItemsOutOfTheConversation()
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"), ChatAnswer.Say("A2"), ChatAnswer.Say("A3"));
        var id = await StartAsync("Q0");
        var first = await SayAsync(id, "Q1");
        var second = await SayAsync(id, "Q2");

        (await DeleteAsync("/v1/responses/" + first.Text("id"))).AssertOk();

        Assert.Equal(["Q0", "Q2", "A2"], await TextsAsync(id));
        (await GetAsync($"{Conversations}/{id}/items/{first.Text("output[0].id")}")).AssertError(404, null, null);
        await SayAsync(id, "Q3");
        Assert.Equal(["Q0", "Q2", "A2", "Q3"], Prompt);
        (await PostAsync(WithModel($$"""{"previous_response_id":"{{second.Text("id")}}","input":"B1"}"""))).AssertError(400, "previous_response_not_found", "previous_response_id");
    }

    [Fact]
    public async Task DeletedConversation_TakesItsItemsAndResponsesWithIt()
    {
        var id = await StartAsync("Q0");
        var response = await SayAsync(id, "Q1");
        var item = (await ItemsAsync(id))[0].Text("id");
        var beside = await CreateAsync($$"""{"previous_response_id":"{{response.Text("id")}}","input":"B1"}""");

        Assert.Equal($$"""{"id":"{{id}}","object":"conversation.deleted","deleted":true}""", (await DeleteAsync($"{Conversations}/{id}")).Body);

        var unknown = $"Conversation with id '{id}' not found.";
        foreach (var reply in (Reply[])
            [
                await DeleteAsync($"{Conversations}/{id}"), await GetAsync($"{Conversations}/{id}"), await GetAsync($"{Conversations}/{id}/items"),
                await GetAsync($"{Conversations}/{id}/items/{item}"), await DeleteAsync($"{Conversations}/{id}/items/{item}"),
                await PostAsync("""{"metadata":{}}""", path: $"{Conversations}/{id}"),
                await PostAsync($$"""{"items":[{{Messages("x")}}]}""", path: $"{Conversations}/{id}/items"),
                await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"x"}""")),
            ])
        {
            reply.AssertError(404, null, null);
            Assert.Equal(unknown, reply.Json.Text("error.message"));
        }

        (await GetAsync("/v1/responses/" + response.Text("id"))).AssertError(404, null, null);
        Assert.DoesNotContain((await GetAsync("/v1/responses?limit=100")).AssertOk().Each("data"), listed => listed.Text("id") == response.Text("id"));
        (await PostAsync(WithModel($$"""{"input":[{"type":"item_reference","id":"{{item}}"}]}"""))).AssertError(404, null, "input");
        (await PostAsync(WithModel($$"""{"previous_response_id":"{{beside.Text("id")}}","input":"B2"}"""))).AssertError(400, "previous_response_not_found", "previous_response_id");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task DeletedConversation_EndsTheResponseThatIsBeingMade(bool streamed)
    {
        var id = await StartAsync("Q0");
        var hold = EnqueueHeld();
        var writing = streamed
            ? StreamAsync($$"""{"conversation":"{{id}}","input":"Q1"}""").ContinueWith(stream => stream.Result.Final.At("error"), TaskScheduler.Default)
            : PostAsync(WithModel($$"""{"conversation":"{{id}}","input":"Q1"}""")).ContinueWith(reply => reply.Result.Json.At("error"), TaskScheduler.Default);
        await hold.Reached;

        (await DeleteAsync($"{Conversations}/{id}")).AssertOk();
        hold.Release();

        var error = await writing;
        Assert.Equal(("conversation_deleted", "conversation"), (error.Text("code"), error.Text("param")));
    }

    [Fact]
    public async Task ErasingIsNeverRefused_ThoughSomebodyWrites()
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"));
        var id = await StartAsync("Q0");
        var first = await SayAsync(id, "Q1");
        var item = (await ItemsAsync(id))[0].Text("id");
        var hold = EnqueueHeld("A2");
        var writing = SayAsync(id, "Q2");
        await hold.Reached;

        (await DeleteAsync($"{Conversations}/{id}/items/{item}")).AssertOk();
        (await DeleteAsync("/v1/responses/" + first.Text("id"))).AssertOk();
        (await PostAsync("""{"metadata":{"a":"b"}}""", path: $"{Conversations}/{id}")).AssertOk();
        hold.Release();
        await writing;

        Assert.Equal(["Q2", "A2"], await TextsAsync(id));
    }

    [Fact]
    public async Task ItemReference_FromAConversation_ResolvesAnywhere()
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"));
        var id = await StartAsync("Q0");
        await SayAsync(id, "Q1");
        var items = await ItemsAsync(id);

        await CreateAsync($$"""{"input":[{"type":"item_reference","id":"{{items[0].Text("id")}}"},{"id":"{{items[2].Text("id")}}"},{{Messages("N")}}]}""");

        Assert.Equal(["Q0", "A1", "N"], Prompt);
    }

    [Fact]
    public async Task ItemReference_IntoAConversation_IsKeptAsACopy()
    {
        Upstream.Enqueue(ChatAnswer.Say("A0"), ChatAnswer.Say("A1"));
        var elsewhere = await CreateAsync("""{"input":"Q0"}""");
        var reference = $$"""{"type":"item_reference","id":"{{elsewhere.Text("output[0].id")}}"}""";
        var id = (await PostAsync($$"""{"items":[{{reference}}]}""", path: Conversations)).AssertOk().Text("id")!;

        await RespondAsync($$"""{"conversation":"{{id}}","input":[{{reference}},{{Messages("Q1")}}]}""");
        (await PostAsync($$"""{"items":[{{reference}}]}""", path: $"{Conversations}/{id}/items")).AssertOk();
        (await DeleteAsync("/v1/responses/" + elsewhere.Text("id"))).AssertOk();

        Assert.Equal(["A0", "A0", "Q1", "A1", "A0"], await TextsAsync(id));
        Assert.Equal(5, (await ItemsAsync(id)).Select(item => item.Text("id")).Distinct().Count());
        Assert.All(await ItemsAsync(id), item => Assert.Equal("message", item.Text("type")));
        (await PostAsync($$"""{"items":[{{reference}}]}""", path: $"{Conversations}/{id}/items")).AssertError(404, null, "items");
    }

    [Fact]
    public async Task Duplicates_OfWhatTheConversationHolds_AreRefused()
    {
        var id = await StartAsync("Q0");
        var output = (await SayAsync(id, "Q1")).At("output[0]");
        var message = $"Duplicate item found with id {output.Text("id")}. Remove duplicate items from your input and try again.";

        foreach (var item in (string[])[output.GetRawText(), $$"""{"type":"item_reference","id":"{{output.Text("id")}}"}"""])
        {
            var response = await PostAsync(WithModel($$"""{"conversation":"{{id}}","input":[{{item}}]}"""));
            response.AssertError(400, null, "input");
            Assert.Equal(message, response.Json.Text("error.message"));
            var addition = await PostAsync($$"""{"items":[{{item}}]}""", path: $"{Conversations}/{id}/items");
            addition.AssertError(400, null, "items");
            Assert.Equal(message, addition.Json.Text("error.message"));
        }

        // Gone is gone: what was deleted may come back.
        (await DeleteAsync($"{Conversations}/{id}/items/{output.Text("id")}")).AssertOk();
        (await PostAsync($$"""{"items":[{{output.GetRawText()}}]}""", path: $"{Conversations}/{id}/items")).AssertOk();
        Assert.Equal(3, (await ItemsAsync(id)).Length);
    }

    [Fact]
    public async Task TurnOfAddedItems_IsNoResponse()
    {
        var id = await StartAsync("Q0");
        var item = (await ItemsAsync(id))[0].Text("id")!;
        var asResponse = "resp_" + item["msg_".Length..^1];

        (await GetAsync("/v1/responses/" + asResponse)).AssertError(404, null, null);
        (await DeleteAsync("/v1/responses/" + asResponse)).AssertError(404, null, null);
        (await PostAsync(WithModel($$"""{"previous_response_id":"{{asResponse}}","input":"x"}"""))).AssertError(400, "previous_response_not_found", "previous_response_id");
        Assert.Equal(["Q0"], await TextsAsync(id));
    }

    [Fact]
    public async Task IdempotencyKey_MakesAConversationOnce()
    {
        var key = "make-" + Guid.NewGuid();
        var json = $$"""{"metadata":{"a":"b"},"items":[{{Messages("Q0", "Q1")}}]}""";

        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => PostOnceAsync(Conversations, json, key)));
        var first = replies[0].AssertOk();
        var id = first.Text("id")!;

        Assert.Single(replies.Select(reply => reply.Body).Distinct());
        Assert.Equal(first.GetRawText(), (await GetAsync($"{Conversations}/{id}")).AssertOk().GetRawText());
        Assert.Equal(["Q0", "Q1"], await TextsAsync(id));
        var other = await PostOnceAsync(Conversations, "{}", key);
        other.AssertError(409, "idempotency_key_reused", "Idempotency-Key");
        Assert.Equal("false", other.Headers.GetValues("x-should-retry").Single());
        Assert.NotEqual(id, (await PostOnceAsync(Conversations, json, key + "b")).AssertOk().Text("id"));

        // What was deleted since does not come back.
        (await DeleteAsync($"{Conversations}/{id}")).AssertOk();
        Assert.Equal(first.GetRawText(), (await PostOnceAsync(Conversations, json, key)).AssertOk().GetRawText());
        (await GetAsync($"{Conversations}/{id}")).AssertError(404, null, null);
    }

    [Fact]
    public async Task IdempotencyKey_AddsItemsOnce()
    {
        var (id, elsewhere) = (await StartAsync("Q0"), await StartAsync());
        var (key, path, json) = ("add-" + id, $"{Conversations}/{id}/items", $$"""{"items":[{{Messages("Q1", "Q2")}}]}""");

        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => PostOnceAsync(path, json, key)));
        var first = replies[0].AssertOk();

        Assert.Single(replies.Select(reply => reply.Body).Distinct());
        Assert.Equal(["Q0", "Q1", "Q2"], await TextsAsync(id));
        (await PostOnceAsync(path, $$"""{"items":[{{Messages("Q3")}}]}""", key)).AssertError(409, "idempotency_key_reused", "Idempotency-Key");
        (await PostOnceAsync($"{Conversations}/{elsewhere}/items", json, key)).AssertError(409, "idempotency_key_reused", "Idempotency-Key");
        (await PostOnceAsync(path, json, "two words")).AssertError(400, "invalid_value", "Idempotency-Key");

        (await DeleteAsync($"{path}/{first.Text("data[0].id")}")).AssertOk();
        var left = (await PostOnceAsync(path, json, key)).AssertOk();
        Assert.Equal([first.At("data[1]").GetRawText()], left.Each("data").Select(item => item.GetRawText()));
        Assert.Equal(["Q0", "Q2"], await TextsAsync(id));
        (await DeleteAsync($"{Conversations}/{id}")).AssertOk();
        (await PostOnceAsync(path, json, key)).AssertError(404, null, null);
    }

    /// <summary>The first request took the key and added nothing, as one whose replica died in between.</summary>
    [Fact]
    public async Task IdempotencyKey_OfAnAdditionThatCameToNothing_AddsAtTheNextTry()
    {
        var id = await StartAsync("Q0");
        var (path, json) = ($"{Conversations}/{id}/items", $$"""{"items":[{{Messages("Q2")}}]}""");
        var hold = EnqueueHeld("A1");
        var writing = SayAsync(id, "Q1");
        await hold.Reached;

        (await PostOnceAsync(path, json, "late-" + id)).AssertError(400, "conversation_locked", "conversation");
        hold.Release();
        await writing;

        var added = (await PostOnceAsync(path, json, "late-" + id)).AssertOk();
        Assert.Equal(added.GetRawText(), (await PostOnceAsync(path, json, "late-" + id)).AssertOk().GetRawText());
        Assert.Equal(["Q0", "Q1", "A1", "Q2"], await TextsAsync(id));
    }

    [Fact]
    public async Task SeveralThousandItems_ArePagedAndAnswered()
    {
        var id = await StartAsync();
        var texts = Enumerable.Range(0, 3000).Select(n => $"item {n}").ToArray();
        foreach (var twenty in texts.Chunk(20))
        {
            await AddAsync(id, twenty);
        }

        await SayAsync(id, "Last");
        Assert.Equal([.. texts, "Last"], Prompt);

        var seen = new List<string?>();
        for (var after = ""; ;)
        {
            var page = (await GetAsync($"{Conversations}/{id}/items?limit=100{after}")).AssertOk();
            seen.AddRange(page.Each("data").Select(item => item.Text("content[0].text")));
            if (!page.At("has_more").GetBoolean())
            {
                break;
            }

            after = "&after=" + page.Text("last_id");
        }

        Assert.Equal(texts, Enumerable.Reverse(seen).Take(3000));
        Assert.Equal(3002, seen.Count);
        (await DeleteAsync($"{Conversations}/{id}")).AssertOk();
    }

    private Task<Reply> PostOnceAsync(string path, string json, string key) => SendAsync(HttpMethod.Post, path, json, null, ("Idempotency-Key", key));
}
