using System.Text;
using Gateway.Protocol.ChatCompletions;

namespace Gateway.Protocol.Tests.ChatCompletions;

public sealed class PromptSizeTests
{
    private static readonly int Envelope = """{"role":"user","content":""}""".Length;

    [Theory]
    [InlineData("abcd", 4)]
    [InlineData("äбλ", 3)]
    [InlineData("你好", 6)]
    [InlineData("👋", 4)]
    public void Of_Text_CountsBytesAndLettersOfTwoBytesOnce(string text, int size) =>
        Assert.Equal(Envelope + size, PromptSize.Of(Chat($$"""{"role":"user","content":"{{text}}"}""")));

    [Fact]
    public void Of_Tools_CountsThem() =>
        Assert.Equal(Envelope + 3, PromptSize.Of(Encoding.UTF8.GetBytes("""{"model":"m","messages":[{"role":"user","content":""}],"tools":[1],"temperature":1}""")));

    [Fact]
    public void Of_Image_DoesNotDependOnItsBytes()
    {
        static long Size(int bytes) => PromptSize.Of(Chat(
            $$$"""{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,{{{new string('A', bytes)}}}"}}]}"""));

        Assert.Equal(Size(4), Size(400_000));
        Assert.InRange(Size(4), 4096, 4200);
    }

    [Fact]
    public void EstimateTokens_IsAQuarterRoundedUp() => Assert.Equal((Envelope + 4 + 3) / 4, PromptSize.EstimateTokens(Chat("""{"role":"user","content":"abcd"}""")));

    [Fact]
    public void IsEmpty_WithoutMessages_IsTrue()
    {
        Assert.True(PromptSize.IsEmpty(Chat("")));
        Assert.False(PromptSize.IsEmpty(Chat("""{"role":"user","content":""}""")));
    }

    private static ReadOnlyMemory<byte> Chat(string messages) => Encoding.UTF8.GetBytes($$"""{"model":"m","messages":[{{messages}}]}""");
}
