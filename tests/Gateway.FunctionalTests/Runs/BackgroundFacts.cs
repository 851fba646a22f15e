using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Store;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.FunctionalTests.Runs;

/// <summary>Facts of background responses (contract, E1, E3, E5, 4.4 row 12, 4.6, 4.8) that hold on every store.</summary>
public abstract class BackgroundFacts(GatewayFixture fixture) : RunTest(fixture)
{
    [Fact]
    public async Task Background_IsQueued_AndPolledToItsEnd()
    {
        var script = Held();
        Upstream.Enqueue(script);

        var queued = await QueueAsync("""{"input":"Hi","metadata":{"a":"b"}}""");
        var id = queued.Text("id")!;
        await script.Hold.Reached;
        var running = await PollAsync(id, "in_progress");
        script.Hold.Release();
        var done = await PollAsync(id, "completed");

        Assert.True(queued.At("background").GetBoolean());
        ResponseShape.Assert(running);
        ResponseShape.AssertFinal(done);
        Assert.Equal(("Hello", 18), (done.OutputText(), done.Number("usage.total_tokens")));
        foreach (var member in (string[])["id", "created_at", "background", "model", "metadata", "tools", "text", "store"])
        {
            Assert.Equal(queued.At(member).GetRawText(), done.At(member).GetRawText());
            Assert.Equal(queued.At(member).GetRawText(), running.At(member).GetRawText());
        }

        var next = await CreateAsync($$"""{"input":"Go on","previous_response_id":"{{id}}"}""");
        Assert.Equal("completed", next.Text("status"));
        Assert.Equal(["user", "assistant", "user"], Upstream.LastCall.Roles);
    }

    [Fact]
    public async Task Running_InputItemsAreShown_AndItCanNotBeContinued()
    {
        var script = Held();
        Upstream.Enqueue(script);
        var id = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;

        var running = (await GetAsync($"/v1/responses/{id}/input_items")).AssertOk();
        (await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{id}}"}"""))).AssertError(409, "previous_response_in_progress", "previous_response_id");
        script.Hold.Release();
        await PollAsync(id, "completed");

        Assert.Equal("Hi", running.Text("data[0].content[0].text"));
        Assert.Equal(running.GetRawText(), (await GetAsync($"/v1/responses/{id}/input_items")).AssertOk().GetRawText());
    }

    [Fact]
    public async Task BackgroundStream_BeginsQueued_AndIsKept()
    {
        var stream = await StreamAsync("""{"input":"Hi","background":true}""");

        Assert.Equal(["response.created", "response.queued", "response.in_progress", "response.output_item.added"], stream.Types.Take(4));
        Assert.Equal(["queued", "queued", "in_progress"], stream.Events.Take(3).Select(e => e.Text("response.status")));
        Assert.Equal(("completed", "Hello from the scripted model."), (stream.Final.Text("status"), stream.Text));
        Assert.Equal(stream.Final.GetRawText(), (await GetAsync("/v1/responses/" + stream.Id)).AssertOk().GetRawText());
    }

    [Fact]
    public async Task Follow_BehindEveryEvent_GivesTheRestByteForByte_LiveAndAfterTheEnd()
    {
        var script = Held("Hel", "lo, world");
        Upstream.Enqueue(script);
        using var response = await OpenAsync("""{"input":"Hi"}""");
        await script.Hold.Reached;
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var first = await ReadEventsAsync(reader, 6);
        var id = IdOf(first[0]);
        var live = new List<HttpResponseMessage>();
        for (var after = -1; after < first.Count; after++)
        {
            live.Add(await OpenFollowAsync(id, after < 0 ? null : Math.Min(after, first.Count - 2)));
        }

        script.Hold.Release();
        var body = string.Concat(first) + await reader.ReadToEndAsync(Cancellation);

        var events = EventsOf(body);
        ResponseStream.Parse(body);
        for (var i = 0; i < live.Count; i++)
        {
            Assert.Equal(string.Concat(events.Skip(Math.Min(i, first.Count - 1))), await live[i].Content.ReadAsStringAsync(Cancellation));
            live[i].Dispose();
        }

        Assert.Equal(body, await FollowAsync(id));
        for (var after = 0; after < events.Count + 2; after++)
        {
            Assert.Equal(string.Concat(events.Skip(Math.Min(after + 1, events.Count - 1))), await FollowAsync(id, after));
        }
    }

    [Fact]
    public async Task Client_LeavesBehindAnyEvent_AndComesBack_LosesNothing()
    {
        var total = EventsOf(await ReadAllAsync()).Count - 1;
        for (var count = 1; count < total; count++)
        {
            var script = Held();
            Upstream.Enqueue(script);
            List<string> seen;
            using (var response = await OpenAsync("""{"input":"Hi"}"""))
            using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation)))
            {
                if (count > 5)
                {
                    script.Hold.Release();
                }

                seen = await ReadEventsAsync(reader, count);
            }

            script.Hold.Release();
            var id = IdOf(seen[0]);
            var rest = await FollowAsync(id, count - 1);

            var stream = ResponseStream.Parse(string.Concat(seen) + rest);
            Assert.Equal(("completed", "Hello"), (stream.Final.Text("status"), stream.Text));
            Assert.Equal(string.Concat(seen) + rest, await FollowAsync(id));
        }

        async Task<string> ReadAllAsync()
        {
            var script = Held();
            script.Hold.Release();
            Upstream.Enqueue(script);
            using var response = await OpenAsync("""{"input":"Hi"}""");
            return await response.Content.ReadAsStringAsync(Cancellation);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cancel_Running_EndsItWithTheOutputSoFar(bool streamed)
    {
        var script = Held();
        Upstream.Enqueue(script);
        using var response = streamed ? await OpenAsync("""{"input":"Hi"}""") : null;
        using var reader = response is null ? null : new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var seen = reader is null ? [] : await ReadEventsAsync(reader, 6);
        var id = reader is null ? (await QueueAsync("""{"input":"Hi"}""")).Text("id")! : IdOf(seen[0]);
        await script.Hold.Reached;

        var cancelled = (await CancelAsync(id)).AssertOk();

        ResponseShape.Assert(cancelled);
        Assert.Equal(("cancelled", JsonValueKind.Null), (cancelled.Text("status"), cancelled.At("error").ValueKind));
        Assert.Equal(("incomplete", "Hel"), (cancelled.Text("output[0].status"), cancelled.OutputText()));
        await (await Upstream.NextCallAsync(Cancellation)).ClientLeft.WaitAsync(TimeSpan.FromSeconds(10), Cancellation);
        Assert.Equal(cancelled.GetRawText(), (await CancelAsync(id)).AssertOk().GetRawText());
        Assert.Equal(cancelled.GetRawText(), (await GetAsync("/v1/responses/" + id)).AssertOk().GetRawText());
        (await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{id}}"}"""))).AssertError(400, "previous_response_not_found", "previous_response_id");
        if (reader is not null)
        {
            var stream = ResponseStream.Parse(string.Concat(seen) + await reader.ReadToEndAsync(Cancellation));
            Assert.Equal("response.failed", stream.Types.Last());
            Assert.Equal(cancelled.GetRawText(), stream.Final.GetRawText());
        }
    }

    [Theory]
    [InlineData("Gateway:Runs:Concurrent")]
    [InlineData("Gateway:Policy:OpenStreams")]
    public async Task Cancel_Queued_EndsItWithoutACall(string limit)
    {
        await UseOwnAsync((limit, "1"));
        var script = Held();
        Upstream.Enqueue(script);
        var first = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;
        var second = (await QueueAsync("""{"input":"Wait"}""")).Text("id")!;
        Assert.Equal("queued", (await GetAsync("/v1/responses/" + second)).AssertOk().Text("status"));

        var cancelled = (await CancelAsync(second)).AssertOk();

        Assert.Equal(("cancelled", 0), (cancelled.Text("status"), cancelled.At("output").GetArrayLength()));
        script.Hold.Release();
        await PollAsync(first, "completed");
        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task Queued_IsMadeWhenThereIsRoom()
    {
        await UseOwnAsync(("Gateway:Runs:Concurrent", "1"));
        var script = Held();
        Upstream.Enqueue(script);
        var first = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;
        using var response = await OpenAsync("""{"input":"Wait"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var seen = await ReadEventsAsync(reader, 2);

        script.Hold.Release();

        await PollAsync(first, "completed");
        var stream = ResponseStream.Parse(string.Concat(seen) + await reader.ReadToEndAsync(Cancellation));
        Assert.Equal("completed", stream.Final.Text("status"));
    }

    [Fact]
    public async Task Cancel_Ended_Foreground_Unknown()
    {
        var done = await PollAsync((await QueueAsync("""{"input":"Hi"}""")).Text("id")!, "completed");
        var foreground = await CreateAsync("""{"input":"Hi"}""");

        Assert.Equal(done.GetRawText(), (await CancelAsync(done.Text("id")!)).AssertOk().GetRawText());
        (await CancelAsync(foreground.Text("id")!)).AssertError(400, null, null);
        (await CancelAsync("resp_unknown")).AssertError(404, null, null);
        (await DeleteAsync("/v1/responses/" + done.Text("id"))).AssertOk();
        (await CancelAsync(done.Text("id")!)).AssertError(404, null, null);
    }

    [Fact]
    public async Task Delete_Running_EndsAndForgetsIt()
    {
        var script = Held();
        Upstream.Enqueue(script);
        using var response = await OpenAsync("""{"input":"Hi"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var id = IdOf((await ReadEventsAsync(reader, 6))[0]);

        (await DeleteAsync("/v1/responses/" + id)).AssertOk();

        var rest = EventsOf(await reader.ReadToEndAsync(Cancellation));
        Assert.Equal(2, rest.Count);
        Assert.StartsWith("event: error\n", rest[0], StringComparison.Ordinal);
        Assert.Equal(6, JsonElement.Parse(rest[0].Split("\ndata: ")[1]).Number("sequence_number"));
        Assert.Equal("data: [DONE]\n\n", rest[1]);
        await (await Upstream.NextCallAsync(Cancellation)).ClientLeft.WaitAsync(TimeSpan.FromSeconds(10), Cancellation);
        (await GetAsync("/v1/responses/" + id)).AssertError(404, null, null);
        (await GetAsync($"/v1/responses/{id}?stream=true")).AssertError(404, null, null);
        (await DeleteAsync("/v1/responses/" + id)).AssertError(404, null, null);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Upstream_Fails_TheResponseFails(bool streamed)
    {
        Upstream.Default = _ => ChatScript.Of(500, """{"error":{"message":"broken"}}""");

        var failed = streamed
            ? (await StreamAsync("""{"input":"Hi","background":true}""")).Final
            : await PollAsync((await QueueAsync("""{"input":"Hi"}""")).Text("id")!, "failed");

        Assert.Equal("failed", failed.Text("status"));
        Assert.NotEmpty(failed.Text("error.code")!);
        Assert.Equal(failed.GetRawText(), (await GetAsync("/v1/responses/" + failed.Text("id"))).AssertOk().GetRawText());
    }

    [Fact]
    public async Task Stream_OfOneWithoutAnEventLog_IsRefused()
    {
        var script = Held();
        Upstream.Enqueue(script);
        var id = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;

        (await GetAsync($"/v1/responses/{id}?stream=true")).AssertError(400, "unsupported_value", "stream");
        script.Hold.Release();
        await PollAsync(id, "completed");
        (await GetAsync($"/v1/responses/{id}?stream=true")).AssertError(400, "unsupported_value", "stream");
        (await GetAsync($"/v1/responses/{(await StreamAsync("""{"input":"Hi"}""")).Id}?stream=true")).AssertError(400, "unsupported_value", "stream");
        (await GetAsync($"/v1/responses/{id}?stream=yes")).AssertError(400, "invalid_type", "stream");
        (await GetAsync($"/v1/responses/{id}?starting_after=1")).AssertError(400, "unsupported_value", "starting_after");
        (await GetAsync($"/v1/responses/{id}?stream=true&starting_after=-1")).AssertError(400, "integer_below_min_value", "starting_after");
        (await GetAsync($"/v1/responses/{id}?stream=true&starting_after=x")).AssertError(400, "invalid_type", "starting_after");
    }

    [Fact]
    public async Task Refused_BeforeItIsQueued()
    {
        (await PostAsync(WithModel("""{"input":"Hi","background":true,"store":false}"""))).AssertError(400, "unsupported_value", "store");
        (await PostAsync("""{"model":"nobody","input":"Hi","background":true}""")).AssertError(400, "model_not_found", "model");
        Assert.Empty(Upstream.Calls);

        await UseOwnAsync(("Gateway:Policy:Store", "Never"));
        (await PostAsync(WithModel("""{"input":"Hi","background":true}"""))).AssertError(400, "unsupported_value", "background");
    }

    [Fact]
    public async Task Queue_IsFull_TellsSo()
    {
        await UseOwnAsync(("Gateway:Runs:Concurrent", "1"), ("Gateway:Runs:Queue", "2"), ("Gateway:Policy:QueuedRuns", "2"));
        var script = Held();
        Upstream.Enqueue(script);
        var first = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;
        var second = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;

        (await PostAsync(WithModel("""{"input":"Hi","background":true}"""))).AssertError(429, "rate_limit_exceeded", null, "rate_limit_error");

        script.Hold.Release();
        await PollAsync(first, "completed");
        await PollAsync(second, "completed");
        await PollAsync((await QueueAsync("""{"input":"Hi"}""")).Text("id")!, "completed");
    }

    [Fact]
    public async Task Tenant_HasEnoughWaiting_IsToldSo_AndTheOthersAreNot()
    {
        await UseOwnAsync(
            ("Gateway:Runs:Concurrent", "1"), ("Gateway:Policy:QueuedRuns", "10"), ("Gateway:Tenants:one:Keys:0", "key-one"),
            ("Gateway:Tenants:one:Policy:QueuedRuns", "2"), ("Gateway:Tenants:two:Keys:0", "key-two"));
        var script = Held();
        Upstream.Enqueue(script);
        var first = (await QueueAsync("""{"input":"Hi"}""", "key-one")).Text("id")!;
        await script.Hold.Reached;
        var second = (await QueueAsync("""{"input":"Hi"}""", "key-one")).Text("id")!;

        var refused = await PostAsync(WithModel("""{"input":"Hi","background":true}"""), "key-one");

        refused.AssertError(429, "rate_limit_exceeded", null, "rate_limit_error");
        Assert.Equal("1", refused.Headers.GetValues("Retry-After").Single());
        Assert.Contains("this API key's tenant", refused.Body, StringComparison.Ordinal);
        var others = (await QueueAsync("""{"input":"Hi"}""", "key-two")).Text("id")!;
        script.Hold.Release();
        await PollAsync(first, "completed", "key-one");
        await PollAsync(second, "completed", "key-one");
        await PollAsync(others, "completed", "key-two");
        await PollAsync((await QueueAsync("""{"input":"Hi"}""", "key-one")).Text("id")!, "completed", "key-one");
    }

    [Fact]
    public async Task Tenant_WithMoreWaitingRunsThanAreLookedAt_DoesNotKeepTheOthersWaiting()
    {
        // One is all that the first tenant may have made at once, and 300 are more than a replica with two places looks at.
        await UseOwnAsync(
            ("Gateway:Runs:Concurrent", "2"), ("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:one:Policy:OpenStreams", "1"),
            ("Gateway:Tenants:two:Keys:0", "key-two"), ("Gateway:Tenants:two:Policy:OpenStreams", "1"));
        var script = Held();
        var others = Held();
        Upstream.Enqueue(script).Enqueue(others);
        var first = (await QueueAsync("""{"input":"Hi"}""", "key-one")).Text("id")!;
        await script.Hold.Reached;
        await QueueAsync("""{"input":"Hi"}""", "key-two");
        await others.Hold.Reached;
        await Task.WhenAll(Enumerable.Range(0, 300).Select(_ => QueueAsync("""{"input":"Hi"}""", "key-one")));
        var waiting = (await QueueAsync("""{"input":"Hi"}""", "key-two")).Text("id")!;

        others.Hold.Release();

        await PollAsync(waiting, "completed", "key-two");
        Assert.Equal("in_progress", (await GetAsync("/v1/responses/" + first, "key-one")).AssertOk().Text("status"));
    }

    [Fact]
    public async Task StreamsThatClientsWaitFor_DoNotKeepBackgroundResponsesWaiting()
    {
        await UseOwnAsync(("Gateway:Runs:Concurrent", "1"), ("Gateway:Store:ResumeWindow", "00:10:00"));
        var script = Held();
        Upstream.Enqueue(script);
        using var stream = await OpenStreamAsync("""{"input":"Hi"}""");
        await script.Hold.Reached;

        await PollAsync((await QueueAsync("""{"input":"Hi"}""")).Text("id")!, "completed");
        script.Hold.Release();
    }

    [Fact]
    public async Task StreamThatWaits_IsFollowed_DoesNotHoldThePlaceItWaitsFor()
    {
        await UseOwnAsync(
            ("Gateway:Runs:Concurrent", "1"), ("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:two:Keys:0", "key-two"),
            ("Gateway:Tenants:two:Policy:OpenStreams", "1"));
        var script = Held();
        Upstream.Enqueue(script);
        var first = (await QueueAsync("""{"input":"Hi"}""", "key-one")).Text("id")!;
        await script.Hold.Reached;
        using var response = await OpenAsync("""{"input":"Hi"}""", "key-two");

        script.Hold.Release();
        await PollAsync(first, "completed", "key-one");

        var body = await response.Content.ReadAsStringAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(15), Cancellation);
        Assert.EndsWith("data: [DONE]\n\n", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Followers_OfOneTenant_LeavePlacesForTheOthers()
    {
        await UseOwnAsync(
            ("Gateway:Runs:Followers", "2"), ("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:two:Keys:0", "key-two"));
        var script = Held();
        Upstream.Enqueue(script);
        using var response = await OpenAsync("""{"input":"Hi"}""", "key-one");
        await script.Hold.Reached;
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var id = IdOf((await ReadEventsAsync(reader, 1))[0]);

        var refused = await GetAsync($"/v1/responses/{id}?stream=true", "key-one");

        refused.AssertError(429, "rate_limit_exceeded", null, "rate_limit_error");
        Assert.Contains("this API key's tenant", refused.Body, StringComparison.Ordinal);
        using var other = await OpenAsync("""{"input":"Hi"}""", "key-two");
        Assert.EndsWith("data: [DONE]\n\n", await other.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        script.Hold.Release();
        await reader.ReadToEndAsync(Cancellation);
        Assert.EndsWith("data: [DONE]\n\n", (await GetAsync($"/v1/responses/{id}?stream=true", "key-one")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lease_IsGivenUpWithinACall_TheStreamGoesOnLegally()
    {
        var call = new ChatToolCall("call_a", "get_weather", """{"city":"Oslo"}""");
        var script = new ChatStream().Role().Text("Let me see.").ToolCall(0, call.Id, call.Name, "{\"city\"").Hold().ToScript();
        Upstream.Enqueue(script).Enqueue(ChatAnswer.Call(call));
        using var response = await OpenAsync("""{"input":"Hi","tools":[{"type":"function","name":"get_weather","parameters":{"type":"object"}}]}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var seen = await ReadEventsAsync(reader, 11);
        var id = IdOf(seen[0]);
        Assert.True(ResponseId.TryParse(id, out var responseId));

        await Gateway.Services.GetRequiredService<IRunStore>().ReleaseAsync(new RunKey("default", responseId), 1, Cancellation);

        var stream = ResponseStream.Parse(string.Concat(seen) + await reader.ReadToEndAsync(Cancellation), wasResumed: true);
        Assert.Equal(["message", "function_call", "function_call"], stream.Final.Types("output"));
        Assert.Equal(("incomplete", "completed"), (stream.Final.Text("output[1].status"), stream.Final.Text("output[2].status")));
        Assert.Equal(stream.Final.GetRawText(), (await GetAsync("/v1/responses/" + id)).AssertOk().GetRawText());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Tenants_DoNotSeeEachOthers(bool ended)
    {
        await UseOwnAsync(("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:two:Keys:0", "key-two"));
        var script = Held();
        Upstream.Enqueue(script);
        using var response = await OpenAsync("""{"input":"Hi"}""", "key-one");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var id = IdOf((await ReadEventsAsync(reader, 6))[0]);
        if (ended)
        {
            script.Hold.Release();
            await PollAsync(id, "completed", "key-one");
        }

        (await GetAsync("/v1/responses/" + id, "key-two")).AssertError(404, null, null);
        (await GetAsync($"/v1/responses/{id}?stream=true", "key-two")).AssertError(404, null, null);
        (await GetAsync($"/v1/responses/{id}/input_items", "key-two")).AssertError(404, null, null);
        (await CancelAsync(id, "key-two")).AssertError(404, null, null);
        (await DeleteAsync("/v1/responses/" + id, "key-two")).AssertError(404, null, null);
        (await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{id}}"}"""), "key-two")).AssertError(400, "previous_response_not_found", "previous_response_id");

        script.Hold.Release();
        Assert.Equal("Hello", (await PollAsync(id, "completed", "key-one")).OutputText());
    }
}
