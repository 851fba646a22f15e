using System.ClientModel;
using System.Text;
using Gateway.Testing.Scripting;
using OpenAI.Responses;

#pragma warning disable OPENAI001 // The SDK marks its Responses client as for evaluation; it is what stock clients use.

namespace Gateway.FunctionalTests.Sdk;

/// <summary>The OpenAI .NET SDK, as it comes, against the gateway.</summary>
public sealed class DotNetSdkTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private static readonly FunctionTool Weather = ResponseTool.CreateFunctionTool(
        "get_weather", BinaryData.FromString("""{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"""), strictModeEnabled: true, "The weather of a city");

    [Fact]
    public async Task Create_PlainText_IsRead()
    {
        Upstream.Enqueue(new ChatAnswer { Text = "Hello, 你好 👋", Usage = new(11, 7, 5, 3) });

        ResponseResult response = await Client().CreateResponseAsync(GatewayFixture.Model, "Hi");

        Assert.Equal("Hello, 你好 👋", response.GetOutputText());
        Assert.Equal(ResponseStatus.Completed, response.Status);
        Assert.Equal((11, 7, 18, 5, 3), (
            response.Usage.InputTokenCount, response.Usage.OutputTokenCount, response.Usage.TotalTokenCount,
            response.Usage.InputTokenDetails.CachedTokenCount, response.Usage.OutputTokenDetails.ReasoningTokenCount));
        Assert.Equal(GatewayFixture.Model, response.Model);
    }

    [Fact]
    public async Task Create_Streamed_GivesTypedUpdates()
    {
        Upstream.Enqueue(new ChatAnswer { Reasoning = "Let me see.", Text = "Hello, 你好 👋" });
        var text = new StringBuilder();
        var reasoning = new StringBuilder();
        ResponseResult? final = null;

        await foreach (var update in await Client().CreateResponseStreamingAsync(Options("Hi", stream: true)))
        {
            switch (update)
            {
                case StreamingResponseOutputTextDeltaUpdate delta:
                    text.Append(delta.Delta);
                    break;
                case StreamingResponseReasoningTextDeltaUpdate delta:
                    reasoning.Append(delta.Delta);
                    break;
                case StreamingResponseCompletedUpdate completed:
                    final = completed.Response;
                    break;
            }
        }

        Assert.Equal(("Let me see.", "Hello, 你好 👋"), (reasoning.ToString(), text.ToString()));
        Assert.Equal(text.ToString(), final!.GetOutputText());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ToolCall_AnsweredWithPreviousResponseId_GoesRound(bool streamed)
    {
        Upstream.Enqueue(
            ChatAnswer.Call(new ChatToolCall("call_a", "get_weather", """{"city":"Oslo"}"""), new ChatToolCall("call_b", "get_weather", """{"city":"Rome"}""")),
            ChatAnswer.Say("Cold in Oslo, warm in Rome."));
        var ask = Options("Weather in Oslo and Rome?");
        ask.Tools.Add(Weather);
        ask.ToolChoice = ResponseToolChoice.CreateRequiredChoice();
        var asked = await RunAsync(ask, streamed);
        var calls = asked.OutputItems.OfType<FunctionCallResponseItem>().ToArray();
        Assert.Equal(["""{"city":"Oslo"}""", """{"city":"Rome"}"""], calls.Select(call => call.FunctionArguments.ToString()));

        var answer = new CreateResponseOptions { Model = GatewayFixture.Model, PreviousResponseId = asked.Id };
        answer.Tools.Add(Weather);
        foreach (var call in calls)
        {
            answer.InputItems.Add(ResponseItem.CreateFunctionCallOutputItem(call.CallId, "fine"));
        }

        var answered = await RunAsync(answer, streamed);

        Assert.Equal("Cold in Oslo, warm in Rome.", answered.GetOutputText());
        Assert.Equal(["user", "assistant", "tool", "tool"], Upstream.LastCall.Roles);
        Assert.Equal(asked.Id, answered.PreviousResponseId);
    }

    [Fact]
    public async Task ThreeTurns_ByPreviousResponseId_HaveTheWholeContext()
    {
        string? previous = null;
        for (var turn = 1; turn <= 3; turn++)
        {
            Upstream.Enqueue(ChatAnswer.Say($"A{turn}"));
            ResponseResult response = await Client().CreateResponseAsync(GatewayFixture.Model, $"Q{turn}", previous);
            previous = response.Id;
        }

        Assert.Equal(["Q1", "A1", "Q2", "A2", "Q3"], Upstream.LastCall.Messages.Select(m => m!["content"]!.GetValue<string>()));
    }

    [Fact]
    public async Task StructuredOutput_IsForwardedAndRead()
    {
        Upstream.Enqueue(ChatAnswer.Say("""{"n":1}"""));
        var options = Options("Give a number");
        options.TextOptions = new ResponseTextOptions
        {
            TextFormat = ResponseTextFormat.CreateJsonSchemaFormat(
                "number", BinaryData.FromString("""{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}"""), jsonSchemaIsStrict: true),
        };

        ResponseResult response = await Client().CreateResponseAsync(options);

        Assert.Equal("""{"n":1}""", response.GetOutputText());
        Assert.Equal(ResponseTextFormatKind.JsonSchema, response.TextOptions.TextFormat.Kind);
        Assert.Equal("number", Upstream.LastCall.Body["response_format"]!["json_schema"]!["name"]!.GetValue<string>());
    }

    [Fact]
    public async Task StoreFalse_CanNotBeRetrieved()
    {
        var options = Options("Hi");
        options.StoredOutputEnabled = false;

        ResponseResult response = await Client().CreateResponseAsync(options);

        var error = await Assert.ThrowsAsync<ClientResultException>(() => Client().GetResponseAsync(response.Id));
        Assert.Equal(404, error.Status);
    }

    [Fact]
    public async Task GetAndDelete_Work()
    {
        ResponseResult created = await Client().CreateResponseAsync(GatewayFixture.Model, "Hi");

        ResponseResult got = await Client().GetResponseAsync(created.Id);
        ResponseDeletionResult deleted = await Client().DeleteResponseAsync(created.Id);

        Assert.Equal((created.Id, created.GetOutputText(), created.CreatedAt), (got.Id, got.GetOutputText(), got.CreatedAt));
        Assert.Equal((created.Id, true), (deleted.ResponseId, deleted.Deleted));
        Assert.Equal(404, (await Assert.ThrowsAsync<ClientResultException>(() => Client().GetResponseAsync(created.Id))).Status);
    }

    [Fact]
    public async Task InputItems_ArePagedThrough()
    {
        var options = new CreateResponseOptions { Model = GatewayFixture.Model };
        for (var i = 0; i < 7; i++)
        {
            options.InputItems.Add(ResponseItem.CreateUserMessageItem($"N{i}"));
        }

        ResponseResult created = await Client().CreateResponseAsync(options);
        var texts = new List<string>();
        await foreach (var item in Client().GetResponseInputItemsAsync(new ResponseItemCollectionOptions(created.Id) { PageSizeLimit = 3, Order = ResponseItemCollectionOrder.Ascending }))
        {
            texts.Add(Assert.IsType<MessageResponseItem>(item, exactMatch: false).Content[0].Text);
        }

        Assert.Equal(["N0", "N1", "N2", "N3", "N4", "N5", "N6"], texts);
    }

    [Fact]
    public async Task Errors_KeepStatusAndMessage()
    {
        var unknownModel = await Assert.ThrowsAsync<ClientResultException>(() => Client().CreateResponseAsync("no-such-model", "Hi"));
        var unknownParent = await Assert.ThrowsAsync<ClientResultException>(() => Client().CreateResponseAsync(GatewayFixture.Model, "Hi", "resp_unknown"));

        Assert.Equal((400, 400), (unknownModel.Status, unknownParent.Status));
        Assert.Contains("model_not_found", unknownModel.Message, StringComparison.Ordinal);
        Assert.Contains("previous_response_not_found", unknownParent.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FailedStream_IsATypedUpdate()
    {
        Upstream.Enqueue(Misbehaviours.Of(Misbehaviour.EndsWithoutFinish).Single().CreateReaction());
        StreamingResponseUpdate? last = null;

        await foreach (var update in await Client().CreateResponseStreamingAsync(Options("Hi", stream: true)))
        {
            last = update;
        }

        var failed = Assert.IsType<StreamingResponseFailedUpdate>(last);
        Assert.Equal(ResponseStatus.Failed, failed.Response.Status);
        Assert.NotEmpty(failed.Response.Error.Message);
    }

    [Fact]
    public async Task IncompleteResponse_SaysWhy()
    {
        Upstream.Enqueue(new ChatAnswer { Text = "Cut", FinishReason = "length" });

        ResponseResult response = await Client().CreateResponseAsync(GatewayFixture.Model, "Hi");

        Assert.Equal((ResponseStatus.Incomplete, ResponseIncompleteStatusReason.MaxOutputTokens), (response.Status, response.IncompleteStatusDetails.Reason));
    }

    [Fact]
    public async Task Background_IsPolledToItsEnd()
    {
        var options = Options("Hi");
        options.BackgroundModeEnabled = true;

        ResponseResult response = await Client().CreateResponseAsync(options);
        Assert.Equal((ResponseStatus.Queued, true), (response.Status, response.BackgroundModeEnabled));
        while (response.Status is ResponseStatus.Queued or ResponseStatus.InProgress)
        {
            response = await Client().GetResponseAsync(response.Id, Cancellation);
        }

        Assert.Equal((ResponseStatus.Completed, "Hello from the scripted model."), (response.Status, response.GetOutputText()));
    }

    [Fact]
    public async Task BackgroundStream_IsResumed_AndCancelled()
    {
        Upstream.Enqueue(new ChatStream().Role().Text("Hel").Hold().ToScript());
        var options = Options("Hi", stream: true);
        options.BackgroundModeEnabled = true;
        var (id, seen) = ("", new List<StreamingResponseUpdate>());
        await foreach (var update in await Client().CreateResponseStreamingAsync(options, Cancellation))
        {
            seen.Add(update);
            if (update is StreamingResponseCreatedUpdate created)
            {
                id = created.Response.Id;
            }

            if (seen.Count == 4)
            {
                break;
            }
        }

        ResponseResult? cancelled = null;
        await foreach (var update in await Client().GetResponseStreamingAsync(
            new GetResponseOptions(id) { StreamingEnabled = true, StartingAfter = seen[^1].SequenceNumber }, Cancellation))
        {
            seen.Add(update);
            if (update is StreamingResponseOutputTextDeltaUpdate)
            {
                cancelled = await Client().CancelResponseAsync(id, Cancellation);
            }
        }

        Assert.Equal(Enumerable.Range(0, seen.Count), seen.Select(update => update.SequenceNumber));
        Assert.Equal((ResponseStatus.Cancelled, "Hel"), (cancelled!.Status, cancelled.GetOutputText()));
        var last = Assert.IsType<StreamingResponseFailedUpdate>(seen[^1]);
        Assert.Equal(ResponseStatus.Cancelled, last.Response.Status);
        Assert.Null(last.Response.Error);
    }

    private ResponsesClient Client() =>
        new(new ApiKeyCredential("any"), new ResponsesClientOptions { Endpoint = new Uri(Gateway.BaseAddress, "/v1") });

    private async Task<ResponseResult> RunAsync(CreateResponseOptions options, bool streamed)
    {
        if (!streamed)
        {
            return await Client().CreateResponseAsync(options);
        }

        options.StreamingEnabled = true;
        ResponseResult? final = null;
        await foreach (var update in await Client().CreateResponseStreamingAsync(options))
        {
            final = update is StreamingResponseCompletedUpdate completed ? completed.Response : final;
        }

        return final!;
    }

    private static CreateResponseOptions Options(string text, bool? stream = null) =>
        new(GatewayFixture.Model, [ResponseItem.CreateUserMessageItem(text)]) { StreamingEnabled = stream };
}
