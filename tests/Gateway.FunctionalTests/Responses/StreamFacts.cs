using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Responses;

/// <summary>Facts 34 to 41, 43 to 60 and 82 of the contract's checklist. Those that hold for every stream are checked by <see cref="ResponseStream"/> in each test that streams.</summary>
public sealed class StreamFacts(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";

    private static readonly ChatAnswer Everything = new()
    {
        Reasoning = "Let me think.",
        Text = "Hello, 你好 👋🏽",
        ToolCalls = [new("call_a", "get_weather", """{"city":"Oslo"}"""), new("call_b", "get_weather", """{"city":"Rome"}""")],
        Usage = new(36, 87, 5, 20),
    };

    [Fact]
    public async Task Facts34To41_ResponseObject_IsCompleteInJsonAndInEverySnapshot()
    {
        Upstream.Enqueue(Everything, Everything);

        var created = await CreateAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""");
        var stream = await StreamAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""");

        Assert.Equal(["reasoning", "message", "function_call", "function_call"], created.Types("output"));
        Assert.Equal(["reasoning", "message", "function_call", "function_call"], stream.Final.Types("output"));
    }

    [Fact]
    public async Task Fact38_Usage_HasBothDetails()
    {
        Upstream.Enqueue(Everything);

        var usage = (await CreateAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""")).At("usage");

        Assert.Equal((36, 87, 123, 5, 20), (
            usage.Number("input_tokens"), usage.Number("output_tokens"), usage.Number("total_tokens"),
            usage.Number("input_tokens_details.cached_tokens"), usage.Number("output_tokens_details.reasoning_tokens")));
    }

    [Fact]
    public async Task Fact38_UsageOfTwoRounds_IsSummed()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:ProfileOptions:required_tool_choice", "filter_retry"));
        Upstream.Enqueue(
            ChatAnswer.Say("No.") with { Usage = new(10, 3, 2, 1) },
            ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", "{}")) with { Usage = new(20, 5, 4, 2) });

        var usage = (await CreateAsync($$"""{"input":"Hi","tools":[{{Weather}}],"tool_choice":"required"}""")).At("usage");

        Assert.Equal((30, 8, 38, 6, 3), (
            usage.Number("input_tokens"), usage.Number("output_tokens"), usage.Number("total_tokens"),
            usage.Number("input_tokens_details.cached_tokens"), usage.Number("output_tokens_details.reasoning_tokens")));
    }

    [Fact]
    public async Task Fact39_Output_NeverHoldsInputItems()
    {
        var first = await CreateAsync("""{"input":"Hi"}""");
        var second = await CreateAsync($$"""{"input":"Again","previous_response_id":"{{first.Text("id")}}"}""");

        Assert.All(second.Each("output"), item => Assert.Equal("assistant", item.Text("role")));
        Assert.Single(second.Each("output"));
    }

    [Fact]
    public async Task Fact43_EachEvent_IsItsTypeAndOneLineOfData()
    {
        Upstream.Enqueue(Everything);
        using var response = await OpenStreamAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""");

        var blocks = (await response.Content.ReadAsStringAsync(Cancellation)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[..^1];

        Assert.True(blocks.Length > 10, $"There are {blocks.Length} events.");
        Assert.All(blocks, block =>
        {
            var lines = block.Split('\n');
            Assert.Equal(2, lines.Length);
            Assert.StartsWith("data: ", lines[1], StringComparison.Ordinal);
            Assert.Equal(lines[0], "event: " + JsonElement.Parse(lines[1]["data: ".Length..]).Text("type"));
        });
    }

    [Fact]
    public async Task Fact44_SequenceNumbers_CountFromZero()
    {
        Upstream.Enqueue(Everything);

        var events = (await StreamAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""")).Events;

        Assert.Equal(Enumerable.Range(0, events.Count), events.Select(e => e.Number("sequence_number")));
    }

    [Fact]
    public async Task Fact45_PlainText_HasExactlyTheEventsOfTheContract()
    {
        Upstream.Enqueue(new ChatStream().Role().Text("Hel", "lo").End());

        var stream = await StreamAsync("""{"input":"Hi"}""");

        Assert.Equal(
            [
                "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added", "response.output_text.delta",
                "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
            ],
            stream.Types);
        Assert.Equal("Hello", stream.Text);
    }

    [Fact]
    public async Task Fact45_ReasoningThenParallelCalls_HaveExactlyTheEventsOfTheContract()
    {
        Upstream.Enqueue(new ChatStream().Role().Reasoning("reasoning", "Need both")
            .ToolCall(0, "call_a", "get_weather", "{\"city\":", "\"Oslo\"}").ToolCall(1, "call_b", "get_weather", "{\"city\":\"Rome\"}").End("tool_calls"));

        var stream = await StreamAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""");

        Assert.Equal(
            [
                "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added", "response.reasoning_text.delta",
                "response.reasoning_text.done", "response.content_part.done", "response.output_item.done",
                "response.output_item.added", "response.function_call_arguments.delta", "response.function_call_arguments.delta",
                "response.function_call_arguments.done", "response.output_item.done",
                "response.output_item.added", "response.function_call_arguments.delta", "response.function_call_arguments.done", "response.output_item.done",
                "response.completed",
            ],
            stream.Types);
    }

    [Fact]
    public async Task ReasoningSummary_Asked_IsToldAsSummaryPartsToo()
    {
        Upstream.Enqueue(Everything);

        var stream = await StreamAsync($$$"""{"input":"Hi","tools":[{{{Weather}}}],"reasoning":{"summary":"auto"}}""");

        Assert.Equal("Let me think.", string.Concat(stream.Of("response.reasoning_summary_text.delta").Select(e => e.Text("delta"))));
        Assert.Equal("Let me think.", stream.Final.Text("output[0].summary[0].text"));
    }

    [Fact]
    public async Task Fact46_Headers_AreThoseOfAnUnbufferedStream()
    {
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");

        Assert.Equal("text/event-stream; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        Assert.True(response.Headers.CacheControl!.NoCache);
        Assert.Equal("no", response.Headers.GetValues("X-Accel-Buffering").Single());
        ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
    }

    [Theory]
    [InlineData("stop", "response.completed")]
    [InlineData("length", "response.incomplete")]
    [InlineData("error", "response.failed")]
    public async Task Fact46_Stream_EndsWithOneTerminalEventAndDone(string finish, string terminal)
    {
        Upstream.Enqueue(new ChatAnswer { Text = "Hello", FinishReason = finish });
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");

        var lines = (await response.Content.ReadAsStringAsync(Cancellation)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        string[] terminals = ["event: response.completed", "event: response.incomplete", "event: response.failed"];
        Assert.Equal(["event: " + terminal], lines.Intersect(terminals));
        Assert.Equal(("event: " + terminal, "data: [DONE]"), (lines[^3], lines[^1]));
    }

    [Theory]
    [InlineData("stop")]
    [InlineData("length")]
    [InlineData("content_filter")]
    public async Task Fact47_JsonAndStream_GiveEqualFinalObjects(string finish)
    {
        Upstream.Enqueue(Everything with { FinishReason = finish }, Everything with { FinishReason = finish });
        var request = $$"""{"input":"Hi","tools":[{{Weather}}],"metadata":{"a":"b"},"temperature":0.2}""";

        var json = await CreateAsync(request);
        var stream = await StreamAsync(request);

        Assert.Equal(WithoutIds(json), WithoutIds(stream.Final));
    }

    [Fact]
    public async Task Fact48_EachItem_IsAddedThenFilledThenDone()
    {
        Upstream.Enqueue(Everything);

        var stream = await StreamAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""");

        var items = stream.Events.Where(e => e.Find("output_index") is not null).GroupBy(e => e.Number("output_index")).ToArray();
        Assert.Equal(4, items.Length);
        Assert.All(items, item =>
        {
            var types = item.Select(e => e.Text("type")!).ToList();
            Assert.Equal(("response.output_item.added", "response.output_item.done"), (types[0], types[^1]));
            var lastDelta = types.FindLastIndex(type => type.EndsWith(".delta", StringComparison.Ordinal));
            Assert.InRange(lastDelta, 1, types.FindIndex(type => type.EndsWith(".done", StringComparison.Ordinal)) - 1);
        });
    }

    [Fact]
    public async Task Fact49_Ids_AreTheSameFromAddedToTheFinalObject()
    {
        Upstream.Enqueue(Everything);

        var stream = await StreamAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""");

        Assert.Single(stream.Events.Where(e => e.Find("response") is not null).Select(e => e.Text("response.id")).Distinct());
        foreach (var (item, index) in stream.Final.Each("output").Select((item, index) => (item, index)))
        {
            var events = stream.Events.Where(e => e.Find("output_index")?.GetInt32() == index).ToArray();
            Assert.All(events, e => Assert.Equal(item.Text("id"), (e.Find("item.id") ?? e.At("item_id")).GetString()));
            Assert.All(
                events.Where(e => e.Find("item") is not null), e => Assert.Equal(item.Find("call_id")?.GetString(), e.Find("item.call_id")?.GetString()));
        }
    }

    [Fact]
    public async Task Fact50_MultiByteCharactersSplitByTheUpstream_ArriveWhole()
    {
        Upstream.Enqueue(Misbehaviours.Of(Misbehaviour.SplitEveryByte).Single().CreateReaction());

        var stream = await StreamAsync("""{"input":"Hi"}""");

        Assert.Equal(Misbehaviours.Text, stream.Text);
        Assert.Equal(Misbehaviours.Text, stream.Final.OutputText());
    }

    [Fact]
    public async Task Fact51_OutputIndexes_AreContiguous()
    {
        Upstream.Enqueue(Everything);

        var stream = await StreamAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""");

        Assert.Equal([0, 1, 2, 3], stream.Of("response.output_item.added").Select(e => e.Number("output_index")));
        Assert.Equal(stream.Final.Each("output").Select(item => item.Text("id")), stream.Of("response.output_item.added").Select(e => e.Text("item.id")));
    }

    [Fact]
    public async Task Fact52_WholeArgumentsAtOnce_GiveADelta()
    {
        Upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", "")));

        var stream = await StreamAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""");

        Assert.NotEmpty(stream.Of("response.function_call_arguments.delta"));
        Assert.Equal("{}", stream.Final.Text("output[0].arguments"));
    }

    [Fact]
    public async Task Fact53_UpstreamClosesWithoutFinishReason_IsFailed()
    {
        Upstream.Enqueue(Misbehaviours.Of(Misbehaviour.EndsWithoutFinish).Single().CreateReaction());

        var stream = await StreamAsync("""{"input":"Hi"}""");

        Assert.Equal("response.failed", stream.Types.Last());
        Assert.Equal("Hello, wörld", stream.Final.OutputText());
        Assert.Equal("incomplete", stream.Final.Text("output[0].status"));
    }

    [Fact]
    public async Task Fact54_UpstreamErrorBeforeTheFirstByte_IsAnHttpStatus()
    {
        Upstream.Enqueue(ChatScript.Of(400, """{"error":{"message":"bad things","type":"invalid_request_error"}}"""));

        using var response = await OpenStreamAsync("""{"input":"Hi"}""");

        (await Reply.ReadAsync(response)).AssertError(400, null, null);
    }

    [Fact]
    public async Task Facts54And55_UpstreamErrorAfterTheFirstByte_IsFailedWithItsError()
    {
        Upstream.Enqueue(Misbehaviours.Of(Misbehaviour.ErrorChunkMidway).First().CreateReaction());

        var stream = await StreamAsync("""{"input":"Hi"}""");

        Assert.Equal("failed", stream.Final.Text("status"));
        foreach (var member in (string[])["code", "message", "type"])
        {
            Assert.NotEmpty(stream.Final.Text("error." + member)!);
        }

        Assert.NotNull(stream.Final.Find("error.param"));
    }

    [Fact]
    public async Task Fact56_TopLevelError_IsOnNoEvent()
    {
        Upstream.Enqueue(Misbehaviours.Of(Misbehaviour.ErrorChunkMidway).First().CreateReaction());

        var stream = await StreamAsync("""{"input":"Hi"}""");

        Assert.Equal("response.failed", stream.Types.Last());
        Assert.DoesNotContain(stream.Events, e => e.Find("error") is not null);
    }

    [Fact]
    public async Task Fact57_Silence_IsFilledWithComments()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:KeepAliveInterval", "00:00:01"));
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation), Encoding.UTF8);
        var body = new StringBuilder();

        var comments = 0;
        while (comments < 2)
        {
            var line = await reader.ReadLineAsync(Cancellation).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            body.Append(line).Append('\n');
            comments += line!.StartsWith(':') ? 1 : 0;
        }

        script.Hold.Release();
        body.Append(await reader.ReadToEndAsync(Cancellation));
        var stream = ResponseStream.Parse(body.ToString());
        Assert.Equal(Misbehaviours.Text, stream.Text);
    }

    [Fact]
    public async Task Fact57_SilenceBeforeTheFirstToken_IsFilledWithComments()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:KeepAliveInterval", "00:00:01"));
        var script = Misbehaviours.Of(Misbehaviour.HangBeforeFirstByte).Single().Script;
        Upstream.Enqueue(script);
        using var response = await OpenStreamAsync("""{"input":"Hi"}""").WaitAsync(TimeSpan.FromSeconds(20));
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation), Encoding.UTF8);
        var body = new StringBuilder();

        string? line;
        do
        {
            line = await reader.ReadLineAsync(Cancellation).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            body.Append(line).Append('\n');
        }
        while (!line!.StartsWith(':'));

        script.Hold.Release();
        body.Append(await reader.ReadToEndAsync(Cancellation));
        Assert.Equal(Misbehaviours.Text, ResponseStream.Parse(body.ToString()).Text);
    }

    [Fact]
    public async Task Fact57_SilenceOfAnAnswerThatIsNotStreamed_IsFilledWithComments()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:KeepAliveInterval", "00:00:01"));
        var hold = new HoldStep();
        Upstream.Enqueue(new ChatScript
        {
            ContentType = ChatScript.Json,
            Steps = [new SendStep(default), hold, new SendStep("""{"choices":[{"message":{"role":"assistant","content":"Late"},"finish_reason":"stop"}]}"""u8.ToArray())],
        });
        using var response = await OpenStreamAsync("""{"input":"Hi"}""").WaitAsync(TimeSpan.FromSeconds(20));
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation), Encoding.UTF8);
        var body = new StringBuilder();

        string? line;
        do
        {
            line = await reader.ReadLineAsync(Cancellation).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            body.Append(line).Append('\n');
        }
        while (!line!.StartsWith(':'));

        hold.Release();
        body.Append(await reader.ReadToEndAsync(Cancellation));
        Assert.Equal("Late", ResponseStream.Parse(body.ToString()).Text);
    }

    [Fact]
    public async Task Fact82_GenerateFalse_MakesNoUpstreamCall()
    {
        var stream = await StreamAsync("""{"input":"Hi","generate":false}""");
        var created = await CreateAsync("""{"input":"Hi","generate":false}""");

        Assert.Equal(["response.created", "response.in_progress", "response.completed"], stream.Types);
        Assert.Empty(created.Each("output"));
        Assert.Empty(Upstream.Calls);
    }

    [Fact]
    public async Task Fact57_DefaultKeepAlive_IsFifteenSeconds()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(DateTimeOffset.UtcNow);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream) with { Time = time });
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation), Encoding.UTF8);
        await script.Hold.Reached;
        var deltas = 0;
        while (deltas < 2)
        {
            var line = await reader.ReadLineAsync(Cancellation);
            Assert.False(line!.StartsWith(':'));
            deltas += line == "event: response.output_text.delta" ? 1 : 0;
        }

        var comment = ReadCommentAsync(reader);
        for (var step = 0; step < 4 && !comment.IsCompleted; step++)
        {
            // The gateway may set its timer just after a step of the clock, so that only the next one fires it.
            time.Advance(TimeSpan.FromSeconds(15));
            await Task.WhenAny(comment.WaitAsync(TimeSpan.FromSeconds(3)));
        }

        Assert.StartsWith(":", await comment.WaitAsync(TimeSpan.FromSeconds(1)), StringComparison.Ordinal);
        script.Hold.Release();
    }

    [Theory]
    [InlineData(Misbehaviour.HangBeforeFirstByte, true)]
    [InlineData(Misbehaviour.HangMidStream, true)]
    [InlineData(Misbehaviour.HangBeforeFirstByte, false)]
    public async Task Fact58_ClientAbort_CancelsUpstreamWithinASecond(Misbehaviour hang, bool stream)
    {
        Upstream.Enqueue(Misbehaviours.Of(hang).Single().CreateReaction());
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        using var content = new StringContent(WithModel($$"""{"input":"Hi","stream":{{(stream ? "true" : "false")}}}"""), Encoding.UTF8, "application/json");
        var request = Gateway.Client.PostAsync("/v1/responses", content, leave.Token);
        var call = await Upstream.NextCallAsync(Cancellation);

        var left = Stopwatch.GetTimestamp();
        await leave.CancelAsync();
        var seen = await call.ClientLeft.WaitAsync(TimeSpan.FromSeconds(10));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        Assert.True(Stopwatch.GetElapsedTime(left, seen) < TimeSpan.FromSeconds(1), $"It took {Stopwatch.GetElapsedTime(left, seen)}.");
    }

    [Fact]
    public async Task Fact58_ClientAbortOfAStream_StoresNothing()
    {
        await UseOwnGatewayAsync();
        Upstream.Enqueue(Misbehaviours.Of(Misbehaviour.HangMidStream).Single().CreateReaction());
        var response = await OpenStreamAsync("""{"input":"Hi"}""");
        string? id;
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation)))
        {
            await reader.ReadLineAsync(Cancellation);
            id = JsonElement.Parse((await reader.ReadLineAsync(Cancellation))!["data: ".Length..]).Text("response.id");
        }

        response.Dispose();
        await Upstream.LastCall.ClientLeft.WaitAsync(TimeSpan.FromSeconds(10));

        (await GetAsync("/v1/responses/" + id)).AssertError(404, null, null);
        Assert.Empty((await GetAsync("/v1/responses")).AssertOk().Each("data"));
    }

    [Fact]
    public async Task ClientAbortOfAStream_UpstreamCallIsCountedAsCancelled()
    {
        await UseOwnGatewayAsync();
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        var response = await OpenStreamAsync("""{"input":"Hi"}""");
        await script.Hold.Reached;

        response.Dispose();

        await Upstream.LastCall.ClientLeft.WaitAsync(TimeSpan.FromSeconds(10));
        await Gateway.Metrics.WaitForSumAsync("gateway.upstream.in_flight", 0);
        Assert.Equal("cancelled", Gateway.Metrics.Of("gateway.upstream.requests").Single().Tags["outcome"]);
    }

    [Theory]
    [InlineData("length", "max_output_tokens")]
    [InlineData("content_filter", "content_filter")]
    public async Task Facts59And60_CutAnswer_IsIncompleteWithItsReason(string finish, string reason)
    {
        Upstream.Enqueue(new ChatAnswer { Reasoning = "Hm.", Text = "Cut here", FinishReason = finish });

        var stream = await StreamAsync("""{"input":"Hi"}""");

        Assert.Equal("response.incomplete", stream.Types.Last());
        Assert.Equal(("incomplete", reason), (stream.Final.Text("status"), stream.Final.Text("incomplete_details.reason")));
        Assert.Equal(("message", "incomplete", "Cut here"), (stream.Final.Text("output[1].type"), stream.Final.Text("output[1].status"), stream.Final.OutputText()));
    }

    [Fact]
    public async Task IncompleteParent_CanBeContinued()
    {
        Upstream.Enqueue(new ChatAnswer { Text = "Cut here", FinishReason = "length" });
        var first = await CreateAsync("""{"input":"Hi"}""");

        await CreateAsync($$"""{"input":"Go on","previous_response_id":"{{first.Text("id")}}"}""");

        Assert.Equal(["user", "assistant", "user"], Upstream.LastCall.Roles);
    }

    [Fact]
    public async Task Tokens_ArriveOneByOneWhileTheUpstreamHolds()
    {
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));

        var deltas = 0;
        while (deltas < 2)
        {
            var line = await reader.ReadLineAsync(Cancellation).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
            deltas += line!.StartsWith("event: response.output_text.delta", StringComparison.Ordinal) ? 1 : 0;
        }

        Assert.False(script.Hold.Reached.IsCanceled);
        script.Hold.Release();
        await reader.ReadToEndAsync(Cancellation);
        await Upstream.LastCall.Finished;
    }

    private static async Task<string> ReadCommentAsync(StreamReader reader)
    {
        string? line;
        do
        {
            line = await reader.ReadLineAsync();
        }
        while (line is not null && !line.StartsWith(':'));

        return line ?? "(end)";
    }

    /// <summary>The object with everything that differs between two equal responses replaced: ids, call ids and times.</summary>
    private static string WithoutIds(JsonElement response)
    {
        var node = JsonNode.Parse(response.GetRawText())!.AsObject();
        node["id"] = "";
        node["created_at"] = 0;
        node["completed_at"] = 0;
        foreach (var item in node["output"]!.AsArray())
        {
            item!["id"] = "";
        }

        return node.ToJsonString();
    }
}
