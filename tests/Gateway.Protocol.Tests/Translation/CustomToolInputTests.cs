using System.Text;
using Gateway.Protocol.Json;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

public sealed class CustomToolInputTests
{
    [Theory]
    [InlineData("""{"input":"text"}""", "text")]
    [InlineData("""{"input":""}""", "")]
    [InlineData("""  { "input" : "a\nb\u00e9\ud83d\ude00" }  """, "a\nbé😀")]
    [InlineData("""{"input":"\ud83d"}""", "\uFFFD")]
    [InlineData("""{"why":{"input":"no"},"input":"yes"}""", "yes")]
    [InlineData("""{"\u0069nput":"text"}""", "text")]
    [InlineData("""{"\ud800":1,"input":"text"}""", "text")]
    [InlineData("""{"\ud800":1}""", """{"\ud800":1}""")]
    [InlineData("""{"input":"first","input":"second"}""", "first")]
    [InlineData("""{"input":"text"} trailing""", "text")]
    [InlineData("""{"input":5}""", """{"input":5}""")]
    [InlineData("""{"input":{"input":"x"}}""", """{"input":{"input":"x"}}""")]
    [InlineData("""{"text":"x"}""", """{"text":"x"}""")]
    [InlineData("{}", "{}")]
    [InlineData("", "")]
    [InlineData("*** Begin Patch", "*** Begin Patch")]
    [InlineData("\"quoted\"", "\"quoted\"")]
    [InlineData("[1]", "[1]")]
    [InlineData("{not json}", "{not json}")]
    [InlineData("""{"input":"cut""", "cut")]
    [InlineData("""{ "input" : "cut \"a\\\""", "cut \"a\\")]
    [InlineData("""{"input":"cut\u00""", "cut")]
    [InlineData("""{"input": """, "")]
    [InlineData("""{"inp""", "")]
    [InlineData("""{"other":"cut""", """{"other":"cut""")]
    public void Unwrap_Arguments_GivesTheText(string arguments, string text)
    {
        using var scratch = new PooledBuffer(1);

        Assert.Equal(text, Encoding.UTF8.GetString(CustomToolInput.Unwrap(Encoding.UTF8.GetBytes(arguments), scratch)));
    }

    [Fact]
    public void Unwrap_LongText_IsWhole()
    {
        using var scratch = new PooledBuffer(1);
        var text = new string('x', 100_000) + "\"\\";
        using var arguments = new PooledBuffer();
        arguments.Append("{\"input\":"u8);
        arguments.AppendString(text);
        arguments.Append("}"u8);

        Assert.Equal(text, Encoding.UTF8.GetString(CustomToolInput.Unwrap(arguments.WrittenSpan, scratch)));
    }
}
