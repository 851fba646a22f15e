using System.ClientModel;
using System.Text.Json;
using Gateway.Testing.Scripting;
using OpenAI.Conversations;
using OpenAI.Responses;

#pragma warning disable OPENAI001 // The SDK marks these clients as for evaluation; they are what stock clients use.

namespace Gateway.FunctionalTests.Sdk;

/// <summary>Conversations through the OpenAI .NET SDK, as it comes, against the gateway.</summary>
public sealed class DotNetConversationTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private ConversationClient Conversations =>
        new(new ApiKeyCredential("any"), new ConversationClientOptions { Endpoint = new Uri(Gateway.BaseAddress, "/v1") });

    private ResponsesClient Responses =>
        new(new ApiKeyCredential("any"), new ResponsesClientOptions { Endpoint = new Uri(Gateway.BaseAddress, "/v1") });

    [Fact]
    public async Task Conversation_IsMadeReadChangedAndDeleted()
    {
        var options = new ConversationCreationOptions { Items = { ResponseItem.CreateUserMessageItem("N0") }, Metadata = { ["topic"] = "test" } };

        ConversationResource created = await Conversations.CreateConversationAsync(options, Cancellation);
        ConversationResource got = await Conversations.GetConversationAsync(created.Id, Cancellation);
        ConversationResource changed = await Conversations.UpdateConversationAsync(
            created.Id, new ConversationUpdateOptions(new Dictionary<string, string> { ["a"] = "b" }), Cancellation);
        ConversationDeletionResult deleted = await Conversations.DeleteConversationAsync(created.Id, Cancellation);

        Assert.Equal(("conversation", "test", created.CreatedAt), (created.Object, created.Metadata["topic"], got.CreatedAt));
        Assert.Equal("b", Assert.Single(changed.Metadata, pair => pair.Key == "a").Value);
        Assert.Equal((created.Id, "conversation.deleted", true), (deleted.ConversationId, deleted.Object, deleted.Deleted));
        Assert.Equal(404, (await Assert.ThrowsAsync<ClientResultException>(() => Conversations.GetConversationAsync(created.Id, Cancellation))).Status);
    }

    [Fact]
    public async Task Items_AreAddedPagedReadAndDeleted()
    {
        ConversationResource conversation = await Conversations.CreateConversationAsync(new ConversationCreationOptions(), Cancellation);
        var body = BinaryContent.Create(BinaryData.FromString("""{"items":[{"type":"message","role":"user","content":"N0"},{"type":"message","role":"user","content":"N1"}]}"""));
        var added = Json(await Conversations.CreateConversationItemsAsync(conversation.Id, body, [IncludedConversationItemProperty.MessageInputImageUri]));
        body = BinaryContent.Create(BinaryData.FromString("""{"items":[{"type":"message","role":"user","content":"N2"}]}"""));
        await Conversations.CreateConversationItemsAsync(conversation.Id, body);

        var texts = new List<string?>();
        await foreach (var page in Conversations.GetConversationItemsAsync(conversation.Id, 2, "asc", null, []).GetRawPagesAsync())
        {
            texts.AddRange(Json(page).Each("data").Select(item => item.Text("content[0].text")));
        }

        var first = added.Text("data[0].id")!;
        var got = Json(await Conversations.GetConversationItemAsync(conversation.Id, first));
        var left = Json(await Conversations.DeleteConversationItemAsync(conversation.Id, first));

        Assert.Equal(["N0", "N1", "N2"], texts);
        Assert.Equal((first, "N0"), (got.Text("id"), got.Text("content[0].text")));
        Assert.Equal((conversation.Id, "conversation"), (left.Text("id"), left.Text("object")));
        Assert.Equal(404, (await Assert.ThrowsAsync<ClientResultException>(() => Conversations.GetConversationItemAsync(conversation.Id, first))).Status);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Responses_InAConversation_ContinueIt(bool streamed)
    {
        Upstream.Enqueue(ChatAnswer.Say("A1"), ChatAnswer.Say("A2"));
        ConversationResource conversation = await Conversations.CreateConversationAsync(new ConversationCreationOptions(), Cancellation);

        await RunAsync(conversation.Id, "Q1", streamed);
        var second = await RunAsync(conversation.Id, "Q2", streamed);

        Assert.Equal(conversation.Id, second.ConversationOptions.ConversationId);
        Assert.Equal(["Q1", "A1", "Q2"], Upstream.LastCall.Messages.Select(message => (string?)message!["content"]));
        ResponseResult got = await Responses.GetResponseAsync(second.Id, Cancellation);
        Assert.Equal((conversation.Id, "A2"), (got.ConversationOptions.ConversationId, got.GetOutputText()));
    }

    [Fact]
    public async Task UnknownConversation_IsA404()
    {
        var error = await Assert.ThrowsAsync<ClientResultException>(() => RunAsync("conv_unknown", "Q1", streamed: false));

        Assert.Equal(404, error.Status);
        Assert.Contains("Conversation with id 'conv_unknown' not found.", error.Message, StringComparison.Ordinal);
    }

    private async Task<ResponseResult> RunAsync(string conversation, string text, bool streamed)
    {
        var options = new CreateResponseOptions(GatewayFixture.Model, [ResponseItem.CreateUserMessageItem(text)])
        {
            ConversationOptions = new ResponseConversationOptions(conversation),
        };
        if (!streamed)
        {
            return await Responses.CreateResponseAsync(options, Cancellation);
        }

        options.StreamingEnabled = true;
        ResponseResult? final = null;
        await foreach (var update in await Responses.CreateResponseStreamingAsync(options, Cancellation))
        {
            final = update is StreamingResponseCompletedUpdate completed ? completed.Response : final;
        }

        return final!;
    }

    private static JsonElement Json(ClientResult result) => JsonElement.Parse(result.GetRawResponse().Content.ToString());
}
