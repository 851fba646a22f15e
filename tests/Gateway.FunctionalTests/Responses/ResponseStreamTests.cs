using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Responses;

/// <summary>The checker of streams itself: a good stream passes, and each way of breaking it is seen.</summary>
public sealed class ResponseStreamTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";

    public static TheoryData<string, string> Breaks => new()
    {
        { "data: [DONE]\n\n", "" },
        { "data: [DONE]\n\n", "data: [DONE]\n\nevent: x\n\n" },
        { "event: response.created\n", "event: response.queued\n" },
        { "\"sequence_number\":3", "\"sequence_number\":4" },
        { "\"delta\":\"Hello\"", "\"delta\":\"Hullo\"" },
        { "\"output_index\":1", "\"output_index\":2" },
        { "\"content_index\":0,\"delta\"", "\"content_index\":1,\"delta\"" },
        { "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\"", "event: response.output_item.gone\ndata: {\"type\":\"response.output_item.gone\"" },
        { "event: response.function_call_arguments.delta\ndata: {\"type\":\"response.function_call_arguments.delta\"", ": gone\n\nevent: response.ping\ndata: {\"type\":\"response.ping\"" },
        { "\"parallel_tool_calls\":true", "\"parallel_tool_calls\":null" },
        { "\"presence_penalty\":0", "\"presence_penalties\":0" },
        { "\"arguments\":\"{\\\"city\\\":\\\"Oslo\\\"}\"", "\"arguments\":\"{}\"" },
        { "\"error\":null", "\"error\":{}" },
    };

    [Theory]
    [MemberData(nameof(Breaks))]
    public async Task Parse_BrokenStream_Throws(string part, string broken)
    {
        var body = await GoodStreamAsync();
        Assert.Contains(part, body, StringComparison.Ordinal);
        ResponseStream.Parse(body);
        var at = body.IndexOf(part, StringComparison.Ordinal);

        var bad = body[..at] + broken + body[(at + part.Length)..];

        Assert.ThrowsAny<Exception>(() => ResponseStream.Parse(bad));
    }

    [Fact]
    public async Task Parse_MissingEvent_Throws()
    {
        var blocks = (await GoodStreamAsync()).Split("\n\n");
        for (var i = 0; i < blocks.Length - 1; i++)
        {
            var bad = string.Join("\n\n", blocks.Where((_, index) => index != i));
            Assert.ThrowsAny<Exception>(() => ResponseStream.Parse(bad));
        }
    }

    private async Task<string> GoodStreamAsync()
    {
        Upstream.Enqueue(new ChatAnswer { Reasoning = "Hm.", Text = "Hello", ToolCalls = [new("call_a", "get_weather", """{"city":"Oslo"}""")] });
        using var response = await OpenStreamAsync($$"""{"input":"Hi","tools":[{{Weather}}]}""");
        return await response.Content.ReadAsStringAsync(Cancellation);
    }
}
