using System.Text;
using Gateway.Protocol.ChatCompletions;

namespace Gateway.Protocol.Tests.ChatCompletions;

/// <summary>The expected values read: input, cached, cache writes, output, reasoning, total.</summary>
public sealed class UsageReaderTests
{
    [Theory]
    [InlineData("""{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}""", "5 0 0 7 0 12")]
    [InlineData("""{"prompt_tokens":5,"completion_tokens":7}""", "5 0 0 7 0 12")]
    [InlineData("""{"prompt_tokens":5,"completion_tokens":7,"total_tokens":20}""", "5 0 0 7 0 20")]
    [InlineData("""{"prompt_tokens":5,"completion_tokens":7,"total_tokens":0}""", "5 0 0 7 0 12")]
    [InlineData("""{"total_tokens":5,"prompt_tokens":5}""", "5 0 0 0 0 5")]
    [InlineData("""{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0}}""", "9 8 0 1 0 10")] // OpenAI, vLLM
    [InlineData("""{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":null,"completion_tokens_details":null}""", "9 0 0 1 0 10")]
    [InlineData("""{"prompt_tokens":9,"completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":3,"x":{"y":[1]}}}""", "9 0 0 4 3 13")]
    [InlineData("""{"prompt_tokens":9,"completion_tokens":4,"reasoning_tokens":3}""", "9 0 0 4 3 13")] // SGLang
    [InlineData("""{"prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":3}""", "9 6 0 4 0 13")] // DeepSeek
    [InlineData("""{"prompt_tokens":9,"completion_tokens":4,"cached_tokens":6}""", "9 6 0 4 0 13")] // Kimi
    [InlineData("""{"prompt_tokens":9,"completion_tokens":4,"cache_read_input_tokens":6,"cache_creation_input_tokens":2}""", "9 6 2 4 0 13")] // LiteLLM
    [InlineData("""{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":6,"cache_write_tokens":1}}""", "9 6 1 4 0 13")]
    [InlineData("""{"input_tokens":36,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":123}""", "36 4 2 87 5 123")]
    [InlineData("""{"prompt_tokens":9,"completion_tokens":4,"cached_tokens":60}""", "9 9 0 4 0 13")]
    [InlineData("""{"prompt_tokens":5.9,"completion_tokens":7.0}""", "5 0 0 7 0 12")]
    [InlineData("""{"prompt_tokens":-5,"completion_tokens":7,"total_tokens":-1}""", "0 0 0 7 0 7")]
    [InlineData("""{"prompt_tokens":1e2,"completion_tokens":1e-2}""", "100 0 0 0 0 100")]
    [InlineData("""{"prompt_tokens":"5","completion_tokens":null,"total_tokens":[1,2],"cached_tokens":{"a":1}}""", "0 0 0 0 0 0")]
    [InlineData("""{"prompt_tokens":9e18,"completion_tokens":9e18,"total_tokens":1e400}""", "0 0 0 0 0 0")] // no count
    [InlineData("""{ "prompt_tokens" : 1 , "unknown" : { "prompt_tokens" : 50 } , "completion_tokens" : 2 }""", "1 0 0 2 0 3")]
    [InlineData("""{"prompt_tokens_details":{"cached_tokens":3},"prompt_tokens":4}""", "4 3 0 0 0 4")]
    public void Read_Shape_IsUnderstood(string json, string expected) => Assert.Equal(expected, Read(json));

    [Fact]
    public void Read_SeveralReports_LastCountsAndKeepsEarlierDetails()
    {
        Assert.Equal("9 6 0 4 2 13", Read(
            """{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":6},"reasoning_tokens":2}""",
            """{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":null}"""));
        Assert.Equal("9 7 0 4 0 13", Read(
            """{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}""",
            """{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":7}}"""));
    }

    [Fact]
    public void Read_EmptyReport_IsNoUsage()
    {
        var reader = new UsageReader();
        Assert.False(reader.HasUsage);

        reader.Read("{}"u8);
        reader.Read("""{"cost":1,"prompt_tokens_details":{"cached_tokens":5}}"""u8);
        Assert.False(reader.HasUsage);

        reader.Read("""{"completion_tokens":0}"""u8);
        Assert.True(reader.HasUsage);
    }

    [Fact]
    public void ReadTimings_CacheN_IsCached()
    {
        var reader = new UsageReader();
        reader.Read("""{"prompt_tokens":9,"completion_tokens":4}"""u8);

        reader.ReadTimings("""{"prompt_n":2,"cache_n":7,"predicted_per_second":12.5,"x":{"cache_n":9}}"""u8);

        Assert.Equal("9 7 0 4 0 13", Text(reader));
    }

    [Fact]
    public void Read_OddNamesAndDepth_AreSkipped()
    {
        var deep = string.Concat(Enumerable.Repeat("[", 100)) + string.Concat(Enumerable.Repeat("]", 100));

        Assert.Equal("3 0 0 4 0 7", Read($$"""{"\ud800":1,"\ud800\ud800":{"a":1},"deep":{{deep}},"prompt_tokens":3,"completion_tokens":4}"""));
        Assert.Equal("3 2 0 0 0 3", Read("""{"prompt_tokens":3,"prompt_tokens_details":{"\udc00":1,"cached_tokens":2}}"""));
    }

    private static string Read(params string[] reports)
    {
        var reader = new UsageReader();
        foreach (var json in reports)
        {
            reader.Read(Encoding.UTF8.GetBytes(json));
        }

        return Text(reader);
    }

    private static string Text(UsageReader reader)
    {
        var usage = reader.Usage;
        return FormattableString.Invariant(
            $"{usage.InputTokens} {usage.CachedTokens} {usage.CacheWriteTokens} {usage.OutputTokens} {usage.ReasoningTokens} {usage.TotalTokens}");
    }
}
