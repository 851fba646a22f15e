using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Tests.ChatCompletions;

public sealed class ChatChunkReaderTests
{
    [Theory]
    [InlineData("""{"choices":[{"index":0,"delta":{"role":"assistant","content":"hi"},"finish_reason":null}]}""", """content="hi" """)]
    [InlineData("""{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}""", """content="" """)]
    [InlineData("""{"choices":[{"delta":{"role":null,"content":null,"tool_calls":null},"matched_stop":null}]}""", "")]
    [InlineData("""{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"a":1}}""", """content="hi" finish="stop" usage={"a":1}""")]
    [InlineData("""{"choices":[{"text":"hi","finish_reason":"length"}]}""", """content="hi" finish="length" """)]
    [InlineData("""{"choices":[{"delta":{"content":"hi"},"text":null}]}""", """content="hi" """)]
    [InlineData("""{"choices":[{"delta":{"content":"hi"},"text":""}]}""", """content="hi" """)]
    [InlineData("""{"choices":[{"delta":{"content":"hi"},"message":null}]}""", """content="hi" """)]
    [InlineData("""{"choices":[{"delta":{"content":[{"type":"text","text":"a"}]}}]}""", """content=[{"type":"text","text":"a"}]""")]
    [InlineData("""{"choices":[{"delta":{"content":5,"reasoning":{},"refusal":[],"tool_calls":"x","function_call":[]}}]}""", "")]
    [InlineData("""{"choices":[{"delta":{"reasoning":"a"}}]}""", """reasoning="a" """)]
    [InlineData("""{"choices":[{"delta":{"reasoning_content":"a","content":null}}]}""", """reasoning="a" """)]
    [InlineData("""{"choices":[{"delta":{"reasoning_text":"a"}}]}""", """reasoning="a" """)]
    [InlineData("""{"choices":[{"delta":{"thinking":"a"}}]}""", """reasoning="a" """)]
    [InlineData("""{"choices":[{"delta":{"thinking":"d","reasoning_text":"c","reasoning_content":"b","reasoning":"a"}}]}""", """reasoning="a" """)]
    [InlineData("""{"choices":[{"delta":{"reasoning":"","reasoning_content":"b"}}]}""", """reasoning="b" """)]
    [InlineData("""{"choices":[{"delta":{"reasoning":5,"thinking":"d"}}]}""", """reasoning="d" """)]
    [InlineData("""{"choices":[{"delta":{"reasoning_details":[{"text":"a"}]}}]}""", """details=[{"text":"a"}]""")]
    [InlineData("""{"choices":[{"delta":{"refusal":"no"}}]}""", """refusal="no" """)]
    [InlineData("""{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}""", """calls=[{"index":0}]""")]
    [InlineData("""{"choices":[{"delta":{"tool_calls":{"index":0}}}]}""", """calls={"index":0}""")]
    [InlineData("""{"choices":[{"delta":{"function_call":{"name":"f"}}}]}""", """function={"name":"f"}""")]
    [InlineData("""{"choices":[{"delta":{"content":"a"},"logprobs":{"content":[1],"refusal":[]}}]}""", """content="a" logprobs=[1]""")]
    [InlineData("""{"choices":[{"delta":{"content":"a"},"logprobs":{"content":null}}]}""", """content="a" """)]
    [InlineData("""{"choices":[{"delta":{},"finish_reason":""}]}""", "")]
    [InlineData("""{"choices":[{"delta":{},"finish_reason":7}]}""", "")]
    [InlineData("""{"choices":[]}""", "")]
    [InlineData("""{"choices":[null,1,{"delta":null}]}""", "")]
    [InlineData("""{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}},{"index":2,"delta":{"content":"c"}}]}""", """content="a" """)]
    [InlineData("""{"choices":[{"index":1,"delta":{"content":"b"}}]}""", "")]
    [InlineData("""{"choices":[{"index":1e0,"delta":{"content":"b"}}]}""", """content="b" """)]
    [InlineData("""{"usage":{"a":1},"timings":{"cache_n":1},"choices":[{"delta":{"content":"a"}}]}""", """content="a" usage={"a":1} timings={"cache_n":1}""")]
    [InlineData("""{"choices":[],"usage":null,"timings":[]}""", "")]
    [InlineData("""{"choices":[{"delta":{"\ud800":1,"content":"a"}}]}""", """content="a" """)]
    [InlineData("""{"\udfff":1,"object":"\ud800","choices":[{"\ud800":[],"delta":{"content":"a"}}]}""", """content="a" """)]
    [InlineData("""{"choices":[{"delta":{"\u0063ontent":"a"}}]}""", """content="a" """)]
    public void TryRead_Chunk_TakesWhatCounts(string json, string expected)
    {
        Assert.Equal($"choices {expected}".Trim(), Read(new ChatChunkReader(), Encoding.UTF8.GetBytes(json)));
    }

    [Theory]
    [InlineData("""{"error":{"message":"m"}}""")]
    [InlineData("""{"error":"m"}""")]
    [InlineData("""{"object":"error","message":"m"}""")]
    [InlineData("""{"code":400,"message":"m"}""")]
    [InlineData("""{"detail":"m"}""")]
    [InlineData("""{"detail":[{"msg":"m"}]}""")]
    [InlineData("""{"message":"m","choices":null}""")]
    public void TryRead_Error_IsTheWholeChunk(string json) =>
        Assert.Equal($"error={json}", Read(new ChatChunkReader(), Encoding.UTF8.GetBytes(json)));

    [Theory]
    [InlineData("{}", "")]
    [InlineData("""{"usage":{"prompt_tokens":1}}""", """usage={"prompt_tokens":1}""")]
    [InlineData("""{"error":null,"message":null,"object":"chat.completion.chunk"}""", "")]
    public void TryRead_WithoutChoices_IsNoError(string json, string expected) =>
        Assert.Equal(expected, Read(new ChatChunkReader(), Encoding.UTF8.GetBytes(json)));

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"{}\"")]
    [InlineData("{")]
    [InlineData("""{"choices":[{"delta":{"content":"a""")]
    [InlineData("""{"choices":[]} x""")]
    [InlineData("""{"choices":[]}{}""")]
    [InlineData("""{"choices":[],}""")]
    public void TryRead_NoJsonObject_IsRefused(string json) => Assert.Null(Read(new ChatChunkReader(), Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void TryRead_InvalidUtf8_BecomesTheReplacementCharacter()
    {
        var json = Encoding.Latin1.GetBytes("{\"choices\":[{\"delta\":{\"content\":\"a\u00ffb\u00e2\u0082\",\"tool_calls\":[{\"id\":\"\u00c0\"}]},\"finish_reason\":\"st\u00f0p\"}]}");

        Assert.Equal("choices content=\"a\uFFFDb\uFFFD\" calls=[{\"id\":\"\uFFFD\"}] finish=\"st\uFFFDp\"", Read(new ChatChunkReader(), json));
    }

    [Fact]
    public void TryRead_SameShapeAgain_AllocatesNothing()
    {
        var reader = new ChatChunkReader();
        var chunks = Enumerable.Range(0, 1000).Select(i => Encoding.UTF8.GetBytes(
            $$$"""{"id":"x","nonce":"{{{i:D6}}}","choices":[{"index":0,"delta":{"content":"word{{{i}}}"},"finish_reason":null}],"pad":"{{{i:D6}}}"}""")).ToArray();
        // What is remembered of a shape grows with the longest chunk of it.
        Assert.All(chunks, chunk => Assert.True(reader.TryRead(chunk, out _)));
        var before = GC.GetAllocatedBytesForCurrentThread();

        foreach (var chunk in chunks)
        {
            reader.TryRead(chunk, out _);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [InlineData("""{"choices":[{"delta":{"content":"a"}}]}""", true)]
    [InlineData("""{"choices":[{"delta":{"content":""}}]}""", false)]
    [InlineData("""{"choices":[{"delta":{"content":[]}}]}""", false)]
    [InlineData("""{"choices":[{"delta":{"reasoning":"a"}}]}""", true)]
    [InlineData("""{"choices":[{"delta":{"role":"assistant","reasoning":"","refusal":""},"finish_reason":""}]}""", false)]
    [InlineData("""{"choices":[{"delta":{"refusal":"a"}}]}""", true)]
    [InlineData("""{"choices":[{"delta":{"tool_calls":[]}}]}""", false)]
    [InlineData("""{"choices":[{"delta":{"tool_calls":[{}]}}]}""", true)]
    [InlineData("""{"choices":[{"delta":{},"finish_reason":"stop"}]}""", true)]
    [InlineData("""{"choices":[],"usage":{}}""", false)]
    public void IsMeaningful_TellsWhatAClientSees(string json, bool meaningful)
    {
        Assert.True(new ChatChunkReader().TryRead(Encoding.UTF8.GetBytes(json), out var chunk));

        Assert.Equal(meaningful, chunk.IsMeaningful);
    }

    [Property(MaxTest = 3000)]
    public Property TryRead_AnySequence_ReadsEachChunkAsAFreshReaderDoes() => Prop.ForAll(Chunk.ListOf().ToArbitrary(), chunks =>
    {
        var reader = new ChatChunkReader();
        foreach (var chunk in chunks)
        {
            var json = Encoding.Latin1.GetBytes(chunk);
            Assert.Equal(Read(new ChatChunkReader(), json), Read(reader, json));
        }
    });

    /// <summary>Chunks that share much with each other, so that what the reader remembers nearly fits. In Latin-1, a character a byte.</summary>
    private static Gen<string> Chunk
    {
        get
        {
            var text = Gen.Elements(
                "a", "b", "ab", "", "content", "\u00C3\u00A9", "\u00FF", "\\n", "\\ud83d", "\\\"", "\"", "\",\"content\":\"b", "x}", "\n", "\u001f", "\\u00e9");
            var value = text.Select(t => $"\"{t}\"");
            var name = Gen.Elements("content", "content", "content", "reasoning", "reasoning_content", "thinking", "refusal", "role");
            var member = Gen.OneOf(
                name.Zip(value, (n, v) => $"\"{n}\":{v}"),
                name.Zip(value, (n, v) => $"\"{n}\":{v}"),
                Gen.Elements(
                    "\"content\":null", "\"reasoning\":\"\"", "\"content\":\"\"", "\"tool_calls\":[{\"index\":0}]", "\"tool_calls\":[]", "\"function_call\":{}",
                    "\"reasoning_details\":[{\"text\":\"a\"}]", "\"content\":[{\"text\":\"a\"}]"));
            var delta = member.ListOf(2).Select(members => string.Join(',', members)).Or(member);
            var open = Gen.Elements("{\"choices\":[{\"delta\":{", "{\"choices\":[{\"index\":0,\"delta\":{", "{\"choices\":[{\"index\":1,\"delta\":{", "{\"id\":\"a\",\"choices\":[{\"delta\":{", "{\"choices\":[{\"message\":{");
            var close = Gen.Elements(
                "}}]}", "}}]}", "}}]}", "},\"finish_reason\":null}]}", "},\"finish_reason\":\"stop\"}]}", "}}],\"usage\":{\"prompt_tokens\":1}}", "},\"text\":\"a\"}]}",
                "}},{\"index\":0,\"delta\":{\"content\":\"a\"}}]}", "}}],\"error\":\"a\"}", "},\"logprobs\":{\"content\":[]}}]}", "}}", "}}]} ");
            return from o in open from d in delta from c in close select o + d + c;
        }
    }

    /// <summary>Every member that is there; null when the chunk is refused.</summary>
    private static string? Read(ChatChunkReader reader, byte[] json)
    {
        if (!reader.TryRead(json, out var chunk))
        {
            return null;
        }

        var text = new StringBuilder(chunk.HasChoices ? "choices " : "");
        Add(text, "content", chunk.Content);
        Add(text, "reasoning", chunk.Reasoning);
        Add(text, "details", chunk.ReasoningDetails);
        Add(text, "refusal", chunk.Refusal);
        Add(text, "calls", chunk.ToolCalls);
        Add(text, "function", chunk.FunctionCall);
        Add(text, "logprobs", chunk.Logprobs);
        Add(text, "finish", chunk.FinishReason);
        Add(text, "usage", chunk.Usage);
        Add(text, "timings", chunk.Timings);
        Add(text, "error", chunk.Error);
        return text.ToString().TrimEnd();
    }

    private static void Add(StringBuilder text, string name, ReadOnlySpan<byte> value)
    {
        if (!value.IsEmpty)
        {
            Assert.True(JsonText.IsUtf8(value));
            text.Append(name).Append('=').Append(Encoding.UTF8.GetString(value)).Append(' ');
        }
    }
}
