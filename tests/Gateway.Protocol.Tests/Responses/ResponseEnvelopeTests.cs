using System.Text;
using System.Text.Json;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Responses.Fireworks;

namespace Gateway.Protocol.Tests.Responses;

public sealed class ResponseEnvelopeTests
{
    private const string SilentEcho =
        """
        "background":false,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"m","parallel_tool_calls":true,
        "previous_response_id":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"prompt_cache_key":null,"service_tier":"default",
        "store":true,"temperature":1,"top_p":1,"presence_penalty":0,"frequency_penalty":0,"top_logprobs":0,
        "text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"truncation":"disabled","user":null,"metadata":{},
        "conversation":null
        """;

    private const string FullRequest =
        """
        {"model":"m","input":"hi","instructions":"say \"é😀\"\u0001","previous_response_id":"resp_0","background":false,"max_output_tokens":100,
          "max_tool_calls":3,"temperature":0.7,"top_p":0.25,"presence_penalty":-1.5,"frequency_penalty":2,"top_logprobs":4,"parallel_tool_calls":false,
          "reasoning":{"effort":"low","summary":"auto","context":"all_turns","mode":"pro"},"safety_identifier":"s","prompt_cache_key":"k",
          "prompt_cache_retention":"24h","service_tier":"flex","truncation":"auto","user":"u","metadata":{
            "a" : "b\n"
          },
          "text":{"format":{"type":"json_schema","name":"n","description":"d","schema":{
            "type" : "object"
          },"strict":false},"verbosity":"high"},
          "tools":[{"type":"function","name":"f","parameters":{ "type" :
            "object"}}],
          "tool_choice":{ "type":"function",
            "name":"f" }}
        """;

    private const string FullEcho =
        """
        "background":false,"instructions":"say \"é😀\"\u0001","max_output_tokens":100,"max_tool_calls":3,"model":"m","parallel_tool_calls":false,
        "previous_response_id":"resp_0","reasoning":{"effort":"low","summary":"auto","context":"all_turns","mode":"pro"},"safety_identifier":"s",
        "prompt_cache_key":"k","prompt_cache_retention":"24h","service_tier":"default","store":false,"temperature":0.7,"top_p":0.25,
        "presence_penalty":-1.5,"frequency_penalty":2,"top_logprobs":4,
        "text":{"format":{"type":"json_schema","name":"n","description":"d","schema":{"type":"object"},"strict":false},"verbosity":"high"},
        "tool_choice":{"type":"function","name":"f"},
        "tools":[{"type":"function","name":"f","parameters":{"type":"object"},"description":null,"strict":true}],
        "truncation":"auto","user":"u","metadata":{"a":"b\n"},"conversation":null
        """;

    private static readonly Usage SomeUsage = new(36, 4, 2, 87, 5, 123);

    [Fact]
    public void Write_SilentRequest_HasEveryKeyWithItsDefault()
    {
        using var envelope = Envelope(Dialect.OpenAi, new ResponsesRequest { Input = [] }, store: true);

        AssertJson(
            $$"""
            {"id":"resp_1","object":"response","created_at":1750216721,"status":"in_progress","completed_at":null,"error":null,"incomplete_details":null,
            "output":[],"usage":null,{{SilentEcho}}}
            """,
            Write(envelope, new ResponseState()));
    }

    [Fact]
    public void Write_FullRequest_IsEchoedInOneLine()
    {
        using var envelope = Envelope(Dialect.OpenAi, Requests.Parse(FullRequest), store: false, maxToolCalls: 3);

        var json = Write(envelope, new ResponseState());

        Assert.DoesNotContain('\n', json);
        AssertJson(
            $$"""
            {"id":"resp_1","object":"response","created_at":1750216721,"status":"in_progress","completed_at":null,"error":null,"incomplete_details":null,
            "output":[],"usage":null,{{FullEcho}}}
            """,
            json);
    }

    [Fact]
    public void Write_OpenAi_TakesFinishedItemsAndUsageAsTheyAre()
    {
        using var envelope = Envelope(Dialect.OpenAi, new ResponsesRequest { Input = [], ConversationId = "conv_1" }, store: true);
        var state = new ResponseState { Status = ResponseStatus.Completed, CompletedAt = 1750216730, Usage = SomeUsage };
        state.Output.Add("""{"id":"a"}"""u8.ToArray());
        state.Output.Add("""{"id":"b"}"""u8.ToArray());

        var json = Write(envelope, state);

        Assert.Contains(""" "status":"completed","completed_at":1750216730,"error":null """.Trim(), json, StringComparison.Ordinal);
        Assert.Contains(""" "output":[{"id":"a"},{"id":"b"}],"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":123}, """.Trim(), json, StringComparison.Ordinal);
        Assert.Equal("conv_1", JsonElement.Parse(json).GetProperty("conversation").GetProperty("id").GetString());
    }

    [Theory]
    [InlineData(ResponseStatus.InProgress, "in_progress")]
    [InlineData(ResponseStatus.Completed, "completed")]
    [InlineData(ResponseStatus.Incomplete, "incomplete")]
    [InlineData(ResponseStatus.Failed, "failed")]
    [InlineData(ResponseStatus.Cancelled, "cancelled")]
    [InlineData(ResponseStatus.Queued, "queued")]
    public void Write_Status_IsTheApisWord(ResponseStatus status, string word)
    {
        using var envelope = Envelope(Dialect.OpenAi, new ResponsesRequest { Input = [] }, store: true);

        Assert.Equal(word, JsonElement.Parse(Write(envelope, new ResponseState { Status = status })).GetProperty("status").GetString());
    }

    [Fact]
    public void Write_Failure_HasTheFourMembersOfAnError()
    {
        using var envelope = Envelope(Dialect.OpenAi, new ResponsesRequest { Input = [] }, store: true);
        var state = new ResponseState { Status = ResponseStatus.Failed, Error = ApiError.UpstreamError("a \"b\"\n") };

        Assert.Equal(
            """{"message":"a \"b\"\n","type":"server_error","param":null,"code":"upstream_error"}""",
            JsonElement.Parse(Write(envelope, state)).GetProperty("error").GetRawText());
    }

    [Fact]
    public void Write_Incomplete_GivesTheReason()
    {
        using var envelope = Envelope(Dialect.OpenAi, new ResponsesRequest { Input = [] }, store: true);
        var state = new ResponseState { Status = ResponseStatus.Incomplete, IncompleteReason = "max_output_tokens" };

        Assert.Equal(
            """{"reason":"max_output_tokens"}""", JsonElement.Parse(Write(envelope, state)).GetProperty("incomplete_details").GetRawText());
    }

    [Theory]
    [InlineData(TextFormatKind.JsonObject, null, """{"type":"json_object"}""")]
    [InlineData(TextFormatKind.JsonSchema, null, """{"type":"json_schema","name":"n","description":null,"schema":{"a":1},"strict":true}""")]
    [InlineData(TextFormatKind.JsonSchema, true, """{"type":"json_schema","name":"n","description":null,"schema":{"a":1},"strict":true}""")]
    [InlineData(TextFormatKind.JsonSchema, false, """{"type":"json_schema","name":"n","description":null,"schema":{"a":1},"strict":false}""")]
    public void Write_TextFormat_IsEchoedWithStrict(TextFormatKind kind, bool? strict, string echoed)
    {
        var request = new ResponsesRequest { Input = [], TextFormat = new TextFormat(kind, "n", null, "{\"a\":1}"u8.ToArray(), strict) };
        using var envelope = Envelope(Dialect.OpenAi, request, store: true);

        Assert.Equal(
            echoed, JsonElement.Parse(Write(envelope, new ResponseState())).GetProperty("text").GetProperty("format").GetRawText());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WriteBody_OpenAi_IsWhatEventsShow(bool store)
    {
        using var envelope = Envelope(Dialect.OpenAi, Requests.Parse(FullRequest), store);
        var state = new ResponseState { Status = ResponseStatus.Completed, CompletedAt = 2, Usage = SomeUsage };
        state.Output.Add("""{"id":"a"}"""u8.ToArray());
        using var body = new PooledBuffer();

        envelope.WriteBody(state, ["""{"id":"in"}"""u8.ToArray()], body);

        Assert.Equal(Write(envelope, state), Encoding.UTF8.GetString(body.WrittenSpan));
    }

    [Theory]
    [InlineData(true, true, "\"resp_1\"", """[{"id":"in"},{"id":"a"}]""")]
    [InlineData(false, true, "null", """[{"id":"in"},{"id":"a"}]""")]
    [InlineData(false, false, "null", """[{"id":"in"}]""")]
    public void WriteBody_Fireworks_FollowsItsRules(bool store, bool hasOutput, string id, string output)
    {
        using var envelope = Envelope(FireworksDialect.Instance, new ResponsesRequest { Input = [] }, store);
        var state = new ResponseState { Status = ResponseStatus.Completed, CompletedAt = 2, Usage = SomeUsage };
        if (hasOutput)
        {
            state.Output.Add("""{"id":"a"}"""u8.ToArray());
        }

        using var body = new PooledBuffer();

        envelope.WriteBody(state, ["""{"id":"in"}"""u8.ToArray()], body);

        AssertJson(
            $$$"""
            {"id":{{{id}}},"object":"response","created_at":1750216721,"status":"completed","completed_at":2,"error":null,"incomplete_details":null,
            "output":{{{output}}},
            "usage":{"prompt_tokens":36,"completion_tokens":87,"total_tokens":123,"prompt_tokens_details":{"cached_tokens":4}},
            {{{(store ? SilentEcho : SilentEcho.Replace("\"store\":true", "\"store\":false", StringComparison.Ordinal))}}}}
            """,
            Encoding.UTF8.GetString(body.WrittenSpan));
    }

    [Fact]
    public void Write_FireworksEvent_KeepsTheIdAndShowsModelItemsOnly()
    {
        using var envelope = Envelope(FireworksDialect.Instance, new ResponsesRequest { Input = [] }, store: false);
        var state = new ResponseState { Status = ResponseStatus.Failed, Error = ApiError.PreviousResponseNotFound("x") };
        state.Output.Add("""{"id":"a"}"""u8.ToArray());

        var json = JsonElement.Parse(Write(envelope, state));

        Assert.Equal("resp_1", json.GetProperty("id").GetString());
        Assert.Equal("""[{"id":"a"}]""", json.GetProperty("output").GetRawText());
        Assert.Equal("previous_response_not_found", json.GetProperty("error").GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("what was there before")]
    public void WriteForStore_OutputSplicedAtTheOffset_IsTheWholeObject(string before)
    {
        using var openAi = Envelope(Dialect.OpenAi, Requests.Parse(FullRequest), store: true);
        using var fireworks = Envelope(FireworksDialect.Instance, Requests.Parse(FullRequest), store: true);
        var state = new ResponseState { Status = ResponseStatus.Incomplete, IncompleteReason = "content_filter", Usage = SomeUsage };
        state.Output.Add("""{"id":"a"}"""u8.ToArray());
        state.Output.Add("""{"id":"b"}"""u8.ToArray());
        foreach (var envelope in (ResponseEnvelope[])[openAi, fireworks])
        {
            using var stored = new PooledBuffer(1);
            stored.Append(Encoding.UTF8.GetBytes(before));

            var offset = envelope.WriteForStore(state, stored);

            var json = Encoding.UTF8.GetString(stored.WrittenSpan)[before.Length..];
            Assert.Equal(Write(openAi, state), json.Insert(offset, """{"id":"a"},{"id":"b"}"""));
        }
    }

    private static ResponseEnvelope Envelope(Dialect dialect, ResponsesRequest request, bool store, int? maxToolCalls = null) =>
        new(dialect, "resp_1", 1750216721, "m", request, store, maxToolCalls);

    private static string Write(ResponseEnvelope envelope, ResponseState state)
    {
        using var output = new PooledBuffer(1);
        envelope.Write(state, output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    /// <summary>The same members in the same order with the same values; escapes may differ.</summary>
    private static void AssertJson(string expected, string actual) =>
        Assert.Equal(JsonSerializer.Serialize(JsonElement.Parse(expected)), JsonSerializer.Serialize(JsonElement.Parse(actual)));
}
