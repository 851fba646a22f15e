using System.Text.Json;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Responses;

/// <summary>What a test of conversations has at hand: short ways to make and read them.</summary>
public abstract class ConversationTest(GatewayFixture fixture) : FunctionalTest(fixture)
{
    private protected const string Conversations = "/v1/conversations";

    /// <summary>The contents of the upstream's latest prompt.</summary>
    private protected IEnumerable<string?> Prompt => Upstream.LastCall.Messages.Select(message => (string?)message!["content"]);

    /// <summary>Makes a conversation with these user messages; its id.</summary>
    private protected async Task<string> StartAsync(params string[] texts) =>
        (await PostAsync($$"""{"items":[{{Messages(texts)}}]}""", path: Conversations)).AssertOk().Text("id")!;

    private protected static string Messages(params IEnumerable<string> texts) =>
        string.Join(',', texts.Select(text => $$"""{"role":"user","content":{{Quote(text)}}}"""));

    /// <summary>Adds user messages; the ids of the items.</summary>
    private protected async Task<string[]> AddAsync(string conversation, params string[] texts) =>
        [.. (await PostAsync($$"""{"items":[{{Messages(texts)}}]}""", path: $"{Conversations}/{conversation}/items")).AssertOk().Each("data").Select(item => item.Text("id")!)];

    /// <summary>Makes a response in the conversation, to a text, whole or streamed.</summary>
    private protected Task<JsonElement> SayAsync(string conversation, string text, bool streamed = false, string more = "") =>
        RespondAsync($$"""{"conversation":"{{conversation}}","input":{{Quote(text)}}{{more}}}""", streamed);

    private protected async Task<JsonElement> RespondAsync(string json, bool streamed = false) =>
        streamed ? (await StreamAsync(json)).Final : await CreateAsync(json);

    /// <summary>The items, oldest first.</summary>
    private protected async Task<JsonElement[]> ItemsAsync(string conversation) =>
        [.. (await GetAsync($"{Conversations}/{conversation}/items?order=asc&limit=100")).AssertOk().Each("data")];

    /// <summary>The texts of the items, oldest first.</summary>
    private protected async Task<string?[]> TextsAsync(string conversation) =>
        [.. (await ItemsAsync(conversation)).Select(item => item.Find("content[0].text")?.GetString() ?? item.Text("type"))];

    /// <summary>An answer that comes to a halt in its middle, for whichever kind of request.</summary>
    private protected HoldStep EnqueueHeld(string text = "Held.")
    {
        var hold = new HoldStep();
        Upstream.Enqueue(request =>
        {
            var script = ChatAnswer.Say(text).For(request);
            return script with { Steps = [.. script.Steps.Take(1), hold, .. script.Steps.Skip(1)] };
        });
        return hold;
    }
}
