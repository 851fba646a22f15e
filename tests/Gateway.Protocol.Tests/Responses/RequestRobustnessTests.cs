using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Tests.Translation;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Responses;

/// <summary>Whatever the bytes are: an error of the catalogue or a request, at once.</summary>
public sealed class RequestRobustnessTests
{
    private const string Full =
        """
        {"model":"m","stream":true,"store":true,"instructions":"sys","metadata":{"a":"b"},"temperature":0.5,"max_output_tokens":100,
        "tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true},{"type":"custom","name":"c","format":{"type":"text"}},
        {"type":"namespace","name":"n","tools":[{"type":"function","name":"g"}]},{"type":"web_search"}],
        "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},
        "text":{"format":{"type":"json_schema","name":"s","schema":{"type":"object"}}},"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"],
        "input":[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"input_text","text":"\ud83d\ude00"},{"type":"input_image","image_url":"data:image/png;base64,AA"}]},
        {"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"t"}]},
        {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},{"type":"custom_tool_call","call_id":"c2","name":"c","input":"x\ny"},
        {"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"o"}]},{"type":"custom_tool_call_output","call_id":"c2","output":"p"}]}
        """;

    private static readonly RouteProfile[] Profiles =
    [
        RouteProfile.Generic,
        new()
        {
            AlternateRoles = true,
            NoSystemRole = true,
            SystemMerge = SystemMerge.Leading,
            EmptyAssistantContent = EmptyAssistantContent.Omit,
            ReasoningIn = ReasoningIn.ThinkTags,
            ReasoningReplay = ReasoningReplay.All,
            ToolCallId = ToolCallIds.Short9,
            NamedToolChoice = NamedToolChoice.Filter,
            RequiredToolChoice = RequiredToolChoice.Unsupported,
            JsonSchema = JsonSchemaMode.JsonObjectPlusPrompt,
            ReasoningEffort = ReasoningEffort.EnableThinking,
        },
        new()
        {
            DeveloperRole = DeveloperRole.Keep,
            ToolContent = ToolContent.Parts,
            ReasoningIn = ReasoningIn.ReasoningContent,
            FileParts = true,
            ImageDetail = true,
            Identity = Forwarding.Forward,
            StrictFunctions = Forwarding.Forward,
            ReasoningEffort = ReasoningEffort.ReasoningEffort,
            ReasoningEfforts = ["low", "high"],
        },
    ];

    [Property(MaxTest = 2000)]
    public void Parse_RandomBytes_NeverThrows(byte[] bytes) => AssertAnswered(bytes);

    [Property(MaxTest = 3000)]
    public Property Parse_MutatedRequest_NeverThrows()
    {
        var body = Encoding.UTF8.GetBytes(Full.ReplaceLineEndings(""));
        var mutation =
            from start in Gen.Choose(0, body.Length - 1)
            from length in Gen.Choose(0, 40)
            from insert in Gen.Elements(
                "", "\"", "{", "[", "]", "}", ",", ":", "null", "1", "-", "1e400", "\\", "\\ud800", "\u0000", "\n", "true", "[[[[", "\"type\":", "é")
            select (start, length, insert);
        return Prop.ForAll(mutation.ListOf(3).ToArbitrary(), mutations =>
        {
            var text = body;
            foreach (var (start, length, insert) in mutations)
            {
                var at = Math.Min(start, text.Length);
                text = [.. text[..at], .. Encoding.UTF8.GetBytes(insert), .. text[Math.Min(text.Length, at + length)..]];
            }

            AssertAnswered(text);
        });
    }

    [Fact]
    public void Parse_CutAnywhere_IsRefused()
    {
        var body = Encoding.UTF8.GetBytes(Full.ReplaceLineEndings(""));
        for (var length = 0; length < body.Length; length++)
        {
            var error = RequestParser.Parse(body.AsMemory(0, length), RequestRules.Default, out _);
            Assert.NotNull(error);
            Assert.Equal((400, null, null), (error.Status, error.Code, error.Param));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("17")]
    [InlineData("not json")]
    [InlineData("{\"model\":\"m\",\"input\":\"hi\"} x")]
    [InlineData("{\"model\":\"m\",\"input\":\"hi\"}{}")]
    [InlineData("{\"model\":\"m\",\"input\":\"hi\",}")]
    [InlineData("{\"model\":\"m\",\"temperature\":NaN}")]
    [InlineData("{\"model\":\"m\",\"temperature\":01}")]
    [InlineData("{\"model\":\"m\",\"temperature\":Infinity}")]
    [InlineData("{'model':'m'}")]
    [InlineData("// comment\n{}")]
    [InlineData("{\"model\":\"a\nb\",\"input\":\"hi\"}")]
    [InlineData("{\"model\":\"\\x41\",\"input\":\"hi\"}")]
    [InlineData("{\"model\":\"\\u12\",\"input\":\"hi\"}")]
    public void Parse_NotAJsonObject_IsNotParsed(string body)
    {
        var error = Requests.Reject(body);

        Assert.Equal((400, null, null), (error.Status, error.Code, error.Param));
        Assert.StartsWith("We could not parse the JSON body of your request.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_InvalidUtf8_IsRefusedAnywhere()
    {
        byte[] body = [.. "{\"model\":\"m\",\"input\":\"hi\",\"unknown\":\""u8, 0xC3, 0x28, .. "\"}"u8];

        var error = RequestParser.Parse(body, RequestRules.Default, out _);

        Assert.NotNull(error);
        Assert.Null(error.Code);
    }

    [Fact]
    public void Parse_ByteOrderMark_IsSkipped()
    {
        byte[] body = [0xEF, 0xBB, 0xBF, .. "{\"model\":\"m\",\"input\":\"hi\"}"u8];

        Assert.Null(RequestParser.Parse(body, RequestRules.Default, out var request));
        Assert.NotNull(request);
    }

    [Theory]
    [InlineData("a\\ud83d", "a\uFFFD")]
    [InlineData("\\ude00\\ud83d", "\uFFFD\uFFFD")]
    [InlineData("\\uD83D\\uDE00", "😀")]
    [InlineData("\\ud83d\\ud83d\\ude00", "\uFFFD😀")]
    [InlineData("\\\\ud83d", "\\ud83d")]
    [InlineData("\\\\\\ud83dx", "\\\uFFFDx")]
    public void Parse_LoneSurrogate_BecomesTheReplacementCharacter(string escaped, string text)
    {
        var request = Requests.Parse($$"""{"model":"m","input":"hi","instructions":"{{escaped}}"}""");

        Assert.Equal(text, request.Instructions);
    }

    [Fact]
    public void Parse_LoneSurrogate_LeavesTheCallersBytes()
    {
        var body = Encoding.UTF8.GetBytes("""{"model":"m","input":"\ud83d"}""");
        var before = body.ToArray();

        Assert.Null(RequestParser.Parse(body, RequestRules.Default, out var request));

        Assert.Equal(before, body);
        Assert.NotNull(request);
        Assert.Contains("\\ufffd", Requests.Text(request.Input[0].Json), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{\"a\":")]
    public void Parse_DeepNesting_IsRefusedAtOnce(string open)
    {
        var deep = string.Concat(Enumerable.Repeat(open, 10_000));

        Assert.Null(Requests.Reject($$"""{"model":"m","input":{{deep}}""").Code);
        Assert.Null(Requests.Reject($$"""{"model":"m","input":"x","unknown":{{deep}}""").Code);
    }

    [Fact]
    public void Parse_NestingWithinTheLimit_IsAccepted()
    {
        var nested = string.Concat(Enumerable.Repeat("[", 60)) + string.Concat(Enumerable.Repeat("]", 60));

        Requests.Parse($$"""{"model":"m","input":[{"role":"user","content":"x","extra":{{nested}}}]}""");
    }

    [Fact]
    public void Parse_HugeBodies_AreAnswered()
    {
        // Anything but a linear time would take hours here.
        const int Size = 20 * 1024 * 1024;
        Assert.Equal("string_above_max_length", Requests.Reject($$"""{"model":"m","input":"{{new string('x', Size)}}"}""").Code);
        Requests.Parse($$"""{"model":"m","input":[{"role":"user","content":"{{new string('x', Size)}}"}]}""");
        Requests.Parse($$"""{"model":"m","input":[{"role":"user","content":"{{string.Concat(Enumerable.Repeat("\\ud83d", Size / 6))}}"}]}""");
        Requests.Parse($$"""{"model":"m","input":[{"role":"user","content":"{{string.Concat(Enumerable.Repeat("\\\"", Size / 2))}}"}]}""");

        var manyMembers = string.Join(',', Enumerable.Range(0, 1_000_000).Select(i => $"\"member{i}\":1"));
        Requests.Parse($$"""{"model":"m","input":"x",{{manyMembers}}}""");
        var manyItems = string.Join(',', Enumerable.Repeat("""{"role":"user","content":"x"}""", 600_000));
        Assert.Equal("array_above_max_length", Requests.Reject(Requests.WithInput(manyItems)).Code);
        var manyKeys = string.Join(',', Enumerable.Range(0, 1_000_000).Select(i => $"\"k{i}\":\"\""));
        Assert.Equal("object_above_max_properties", Requests.Reject(Requests.With($$"""
            "metadata":{{{manyKeys}}}
            """)).Code);
    }

    /// <summary>A request that is accepted can also be checked, translated and stored without an exception.</summary>
    private static void AssertAnswered(byte[] body)
    {
        var error = RequestParser.Parse(body, RequestRules.Default, out var request);
        if (error is not null)
        {
            Assert.Null(request);
            Assert.Equal(400, error.Status);
            return;
        }

        Assert.NotNull(request);
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        _ = ContextRules.Check(request.Input, null);
        foreach (var profile in Profiles)
        {
            output.ResetWrittenCount();
            if (ChatRequestWriter.Write(Chats.Of(request, profile), output) is null)
            {
                using var document = System.Text.Json.JsonDocument.Parse(output.WrittenMemory);
            }
        }

        foreach (var item in request.Input)
        {
            output.ResetWrittenCount();
            ItemTable.WriteWithId(item, "msg_1", output);
            Assert.Null(ItemTable.TryParse(output.WrittenMemory.ToArray(), "input[0]", out var stored));
            Assert.Equal(item.Kind, stored.Kind);
            Assert.True(stored.HasId);
        }
    }
}
