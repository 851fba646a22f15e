using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Store;

/// <summary>The built executable, killed with SIGKILL and started again on the same store: nothing told is lost, nothing half is kept.</summary>
public sealed class RestartTests : RestartTest
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task StreamedToolConversation_KilledBetweenTurns_GoesOn(string store)
    {
        await StartAsync(store);
        Upstream.Enqueue(
            new ChatAnswer { Reasoning = "I need the weather.", ToolCalls = [new("call_a", "get_weather", """{"city":"Oslo"}""")] },
            ChatAnswer.Say("It is sunny, 你好 👋."),
            ChatAnswer.Say("You asked about Oslo."));

        var asked = await StreamAsync($$"""{"input":"Weather in Oslo?","tools":[{{Weather}}]}""");
        var call = asked.Final.Each("output").Single(item => item.Text("type") == "function_call");
        await RestartAsync(store);
        var answered = await StreamAsync($$"""
            {"previous_response_id":"{{asked.Id}}","tools":[{{Weather}}],"input":[{"type":"function_call_output","call_id":"{{call.Text("call_id")}}","output":"sunny"}]}
            """);
        await RestartAsync(store);
        var last = await StreamAsync($$"""{"previous_response_id":"{{answered.Id}}","input":"What did I ask?"}""");
        await RestartAsync(store);

        Assert.Equal("You asked about Oslo.", last.Text);
        Assert.Equal(["user", "assistant", "tool", "assistant", "user"], Upstream.LastCall.Roles);
        Assert.Equal("It is sunny, 你好 👋.", Upstream.LastCall.Messages[3]!["content"]!.GetValue<string>());
        foreach (var stream in (ResponseStream[])[asked, answered, last])
        {
            Assert.Equal(stream.Final.GetRawText(), (await GetAsync("/v1/responses/" + stream.Id)).AssertOk().GetRawText());
        }

        Assert.Equal(new[] { last.Id, answered.Id, asked.Id }.Order(), (await GetAsync("/v1/responses")).AssertOk().Each("data").Select(response => response.Text("id")).Order());
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task Stream_KilledInTheMiddle_LeavesNothingHalfStored(string store)
    {
        await StartAsync(store);
        var first = await StreamAsync("""{"input":"Hi"}""");
        Upstream.Enqueue(Misbehaviours.Of(Misbehaviour.HangMidStream).Single().CreateReaction());
        using var request = Post($$"""{"stream":true,"input":"Go on","previous_response_id":"{{first.Id}}"}""");
        using var response = await Gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        string? line;
        string? id = null;
        do
        {
            line = await reader.ReadLineAsync(Cancellation);
            id ??= line!.StartsWith("data: ", StringComparison.Ordinal) ? JsonElement.Parse(line["data: ".Length..]).Text("response.id") : null;
        }
        while (line != "event: response.output_text.delta");

        await RestartAsync(store);

        (await GetAsync("/v1/responses/" + id)).AssertError(404, null, null);
        Assert.Equal([first.Id], (await GetAsync("/v1/responses")).AssertOk().Each("data").Select(r => r.Text("id")!));
        var again = await StreamAsync($$"""{"input":"Go on","previous_response_id":"{{first.Id}}"}""");
        Assert.Equal(["user", "assistant", "user"], Upstream.LastCall.Roles);
        Assert.Equal("completed", again.Final.Text("status"));
    }

    [Fact]
    public async Task Conversation_KilledWhileAResponseIsMadeInIt_GoesOnAtOnce()
    {
        await StartAsync("sqlite");
        var id = (await PostToAsync("/v1/conversations", """{"items":[{"role":"user","content":"Q0"}],"metadata":{"a":"b"}}""")).AssertOk().Text("id");
        Upstream.Enqueue(ChatAnswer.Say("A1"));
        await StreamAsync($$"""{"conversation":"{{id}}","input":"Q1"}""");
        var script = Misbehaviours.Of(Misbehaviour.HangMidStream).Single().Script;
        Upstream.Enqueue(script);
        using var request = Post($$"""{"stream":true,"input":"Q2","conversation":"{{id}}"}""");
        using var response = await Gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await script.Hold.Reached;

        await RestartAsync("sqlite");

        // The store is one process's: whoever held the conversation is gone.
        Assert.Equal("b", (await GetAsync($"/v1/conversations/{id}")).AssertOk().Text("metadata.a"));
        (await PostAsync($$"""{"conversation":"{{id}}","input":"Q3"}""")).AssertOk();
        Assert.Equal(["Q0", "Q1", "A1", "Q3"], Upstream.LastCall.Messages.Select(m => m!["content"]!.GetValue<string>()));
        Assert.Equal(5, (await GetAsync($"/v1/conversations/{id}/items")).AssertOk().Each("data").Count());
    }
}
