using System.Diagnostics;
using System.Text;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Tests.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

public sealed class ChatRequestWriterTests
{
    /// <summary>A conversation as a chain sees it grow: what each turn adds as input, and what the model answered.</summary>
    private static readonly (string Input, string Output)[] Turns =
    [
        ("""{"role":"developer","content":"Be kind."},{"role":"user","content":"Hi \u00e9"}""", Assistant("Hello")),
        ("""{"role":"user","content":[{"type":"input_text","text":"Weather?"},{"type":"input_image","image_url":"https://x/y.png"}]}""", Call("c1", "f") + "," + Call("c2", "g")),
        (Output("c2", "rain") + "," + Output("c1", "sun"), Assistant("Let me see.") + "," + Call("c1", "f")),
        (Output("c1", "wind") + ",{\"role\":\"user\",\"content\":\"Be quick.\"}", Assistant("Windy.")),
        ("""{"role":"system","content":"Late."},{"role":"user","content":"And now?"}""", Call("c9", "f")),
        ("""{"type":"function_call_output","call_id":"c9","output":[{"type":"input_image","image_url":"data:image/png;base64,AA"}]}""", Assistant("Nice.")),
        ("""{"role":"user","content":"Bye"}""", Assistant("Bye")),
    ];

    [Theory]
    [InlineData(ToolCallIds.Keep)]
    [InlineData(ToolCallIds.Short9)]
    [InlineData(ToolCallIds.Index)]
    public void Write_GrowingChain_KeepsItsMessagesAsAPrefix(ToolCallIds ids)
    {
        var profile = RouteProfile.Generic with { SystemMerge = SystemMerge.Leading, ToolCallId = ids };
        var before = "";
        var items = "";
        foreach (var (input, output) in Turns)
        {
            items += (items.Length > 0 ? "," : "") + input;

            var messages = Chats.MessagesOf(items, profile);

            Assert.StartsWith(before, messages, StringComparison.Ordinal);
            Assert.True(messages.Length > before.Length);
            Assert.Equal(messages, Chats.MessagesOf(items, profile));
            before = messages;
            items += "," + output;
        }
    }

    [Fact]
    public void Write_StoredItems_GiveTheMessagesOfTheirRequest()
    {
        const string Items = """{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}""";
        var request = Requests.ParseInput(Items);
        var stored = request.Input.Select(item =>
        {
            var output = new System.Buffers.ArrayBufferWriter<byte>();
            ItemTable.WriteWithId(item, "msg_1", output);
            return ItemTable.View(output.WrittenMemory);
        }).ToList();

        var chat = Chats.Of(request);
        var again = new ChatRequest
        {
            Request = request,
            Model = chat.Model,
            Profile = chat.Profile,
            Items = stored,
            Stream = false,
            ToolChoice = chat.ToolChoice,
            Tools = chat.Tools,
        };

        Assert.Equal(Chats.Write(chat), Chats.Write(again));
    }

    [Fact]
    public void Write_UpstreamIds_AreSentInsteadOfTheClients()
    {
        var request = Requests.ParseInput(Call("call_a", "f") + "," + Output("call_a", "x"));
        var notes = new CallNotes();
        notes.Add("call_a", "functions.f:0");
        var body = Chats.Write(new ChatRequest
        {
            Request = request,
            Model = "m",
            Profile = RouteProfile.Generic,
            Items = request.Input,
            Stream = false,
            ToolChoice = ToolChoice.Auto,
            Tools = [],
            Notes = notes,
        });

        Assert.Contains("\"id\":\"functions.f:0\"", body, StringComparison.Ordinal);
        Assert.Contains("\"tool_call_id\":\"functions.f:0\"", body, StringComparison.Ordinal);
        Assert.DoesNotContain("call_a", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, true, true)]
    [InlineData(false, true, false)]
    [InlineData(true, false, false)]
    public void Write_HistoryToolsWithoutTools_AreSentWhereWanted(bool wanted, bool hasCalls, bool sent)
    {
        var request = Requests.ParseInput(hasCalls ? Call("c", "f") + "," + Output("c", "x") : """{"role":"user","content":"x"}""");
        var body = Chats.Write(new ChatRequest
        {
            Request = request,
            Model = "m",
            Profile = RouteProfile.Generic with { ToolsWithHistory = wanted },
            Items = request.Input,
            Stream = false,
            ToolChoice = ToolChoice.Auto,
            Tools = [],
            HistoryTools = [new Tool { Kind = ToolKind.Function, Name = "f", UpstreamName = "f" }],
        });

        Assert.Equal(sent, body.Contains("\"tools\":[", StringComparison.Ordinal));
        Assert.Equal(sent, body.Contains("\"tool_choice\":\"none\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(ImageUrls.Reject, """{"type":"input_image","image_url":"data:image/png;base64,AA"}""")]
    [InlineData(ImageUrls.Inline, """{"type":"input_image","image_url":"https://x/y.png"}""")]
    [InlineData(ImageUrls.Pass, """{"type":"input_image","file_id":"f"}""")]
    [InlineData(ImageUrls.Pass, """{"type":"input_file","file_id":"f"}""")]
    [InlineData(ImageUrls.Pass, """{"type":"input_file","file_url":"https://x/y"}""")]
    [InlineData(ImageUrls.Pass, """{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA=="}""")]
    [InlineData(ImageUrls.Pass, """{"type":"input_file","filename":"a.txt","file_data":"AA=="}""")]
    [InlineData(ImageUrls.Pass, """{"type":"input_file","filename":"a.txt","file_data":"data:text/plain;base64,A"}""")]
    public void Write_PartThatCanNotBeSent_IsRefusedByItsPath(ImageUrls images, string part)
    {
        var request = Requests.ParseInput($$"""{"role":"user","content":"x"},{"role":"user","content":[{"type":"input_text","text":"y"},{{part}}]}""");

        var error = Chats.Refuse(Chats.Of(request, RouteProfile.Generic with { ImageUrls = images }));

        Assert.Equal((400, "unsupported_value", "input[1].content[1]"), (error.Status, error.Code, error.Param));
    }

    [Fact]
    public void Write_ImageInASystemMessage_IsRefused()
    {
        var request = Requests.ParseInput("""{"role":"system","content":[{"type":"input_image","image_url":"data:,"}]}""");

        Assert.Equal("input[0].content[0]", Chats.Refuse(Chats.Of(request)).Param);
    }

    [Fact]
    public void Write_ImageThatWasFetched_IsSentAsItsDataUrl()
    {
        var messages = InlinedMessagesOf(
            """{"role":"user","content":[{"type":"input_text","text":"See"},{"type":"input_image","image_url":"https:\/\/x/y.png"}]}""",
            ("https://x/y.png", "data:image/png;base64,AA=="));

        Assert.Equal(
            """{"role":"user","content":[{"type":"text","text":"See"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}""", messages);
    }

    [Fact]
    public void Write_ImageThatIsGone_IsLeftOutWithANotice()
    {
        var messages = InlinedMessagesOf(
            """{"role":"user","content":[{"type":"input_text","text":"See"},{"type":"input_image","image_url":"https://x/y.png"}]}""", ("https://x/y.png", ""));

        Assert.Equal("""{"role":"user","content":"See\n[image omitted]"}""", messages);
    }

    [Theory]
    [InlineData("data:image/png;base64,AA==", """{"role":"tool","tool_call_id":"c","content":"[The image is in the next message.]"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}""")]
    [InlineData("", """{"role":"tool","tool_call_id":"c","content":"[image omitted]"}""")]
    public void Write_ImageOfAToolsOutput_IsSentAsItsDataUrlOrLeftOut(string dataUrl, string expected)
    {
        var messages = InlinedMessagesOf(
            Call("c", "f") + """,{"type":"function_call_output","call_id":"c","output":[{"type":"input_image","image_url":"https://x/y.png"}]}""", ("https://x/y.png", dataUrl));

        Assert.EndsWith(expected, messages, StringComparison.Ordinal);
    }

    private static string InlinedMessagesOf(string items, (string Url, string DataUrl) image)
    {
        var request = Requests.ParseInput(items);
        return Chats.Messages(Chats.Write(new ChatRequest
        {
            Request = request,
            Model = "m",
            Profile = RouteProfile.Generic with { ImageUrls = ImageUrls.Inline },
            Items = request.Input,
            Stream = false,
            ToolChoice = ToolChoice.Auto,
            Tools = [],
            InlinedImages = new Dictionary<string, ReadOnlyMemory<byte>> { [image.Url] = System.Text.Encoding.UTF8.GetBytes(image.DataUrl) },
        }));
    }

    [Theory]
    [InlineData("f", ",\"tools\":[F]}")]
    [InlineData("g", "]}")]
    public void Write_ChoiceOfToolsThatTheRoundDoesNotOffer_SendsOnlyOfferedOnes(string allowed, string end)
    {
        var request = Requests.Parse(Requests.With(
            $$$"""
            "tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}],
            "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"{{{allowed}}}"},{"type":"function","name":"g"}]}
            """));

        var body = Chats.Write(new ChatRequest
        {
            Request = request,
            Model = "m",
            Profile = RouteProfile.Generic,
            Items = request.Input,
            Stream = false,
            ToolChoice = request.ToolChoice,
            Tools = [request.Tools[0]],
        });

        Assert.EndsWith(
            end.Replace("F", """{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}""", StringComparison.Ordinal), body, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_InlineDataUrl_IsPassed()
    {
        var messages = Chats.MessagesOf(
            """{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AA","detail":"low"}]}""",
            RouteProfile.Generic with { ImageUrls = ImageUrls.Inline });

        Assert.Equal("""{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}""", messages);
    }

    [Theory]
    [InlineData("", "{}")]
    [InlineData("{\\\"a\\\":", "{}")]
    [InlineData("5", "{}")]
    [InlineData("[1]", "{}")]
    [InlineData("{} x", "{}")]
    [InlineData("{\\\"a\\\":\\\"\\u00e9\\\"}", "{\\\"a\\\":\\\"\\u00e9\\\"}")]
    public void Write_ReplayedArguments_AreAlwaysAnObject(string escaped, string sent)
    {
        var messages = Chats.MessagesOf(
            $$"""{"type":"function_call","call_id":"c","name":"f","arguments":"{{escaped}}"},""" + Output("c", "x"));

        Assert.Contains($"\"arguments\":\"{sent}\"", messages, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_TextOfMessages_KeepsItsEscapes()
    {
        var messages = Chats.MessagesOf("""{"role":"user","content":[{"type":"input_text","text":"a\u0000\/\ud83d\ude00"},{"type":"input_text","text":"\"b\""}]}""");

        Assert.Equal("""{"role":"user","content":"a\u0000\/\ud83d\ude00\n\"b\""}""", messages);
    }

    [Fact]
    public void Write_ThousandsOfItems_IsLinear()
    {
        var items = new StringBuilder("""{"role":"user","content":"x"}""");
        for (var i = 0; i < 4000; i++)
        {
            items.Append(',').Append(Call($"c{i}", "f")).Append(',').Append(Output($"c{i}", "y"));
        }

        var request = Requests.ParseInput(items.ToString());
        var watch = Stopwatch.StartNew();

        var body = Chats.Write(Chats.Of(request, RouteProfile.Generic with { ReasoningIn = ReasoningIn.Reasoning }));

        // Some tens of milliseconds in a debug build; the bound only has to tell linear from quadratic.
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"took {watch.Elapsed}");
        Assert.Contains("\"tool_call_id\":\"c3999\"", body, StringComparison.Ordinal);
    }

    private static string Assistant(string text) =>
        $$"""{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"{{text}}","annotations":[]}]}""";

    private static string Call(string id, string name) =>
        $$"""{"id":"fc_1","type":"function_call","status":"completed","call_id":"{{id}}","name":"{{name}}","arguments":"{\"a\":1}"}""";

    private static string Output(string id, string text) => $$"""{"type":"function_call_output","call_id":"{{id}}","output":"{{text}}"}""";
}
