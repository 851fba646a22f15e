using Gateway.Tools;

namespace Gateway.Tests.Tools;

public sealed class ToolArgumentsTests
{
    [Theory]
    [InlineData("""{"query":"cats"}""", "cats")]
    [InlineData("""{ "more" : [1,{"query":"inner"}], "query" : "cats" , "last":{} }""", "cats")]
    [InlineData("""{"query":"a\n\"b\"\u00e9"}""", "a\n\"b\"é")]
    [InlineData("""{"qu\u0065ry":"cats"}""", "cats")]
    [InlineData("""{"query":"dogs","query":"cats"}""", "cats")]
    [InlineData("""{"query":"dogs","query":null}""", "")]
    [InlineData("""{"query":"\ud83d"}""", "\ufffd")]
    [InlineData("""{"query":"\ud83d\ude00"}""", "😀")]
    [InlineData("""{"\ud83d":"dogs","query":"cats"}""", "cats")]
    [InlineData("""{"query":["cats"]}""", "")]
    [InlineData("""{"Query":"cats"}""", "")]
    [InlineData("{}", "")]
    [InlineData("", "")]
    [InlineData("\"query\"", "")]
    [InlineData("""{"query":"cats""", "")]
    [InlineData("""{"query":"cats"} {}""", "")]
    public void TextOf_Arguments_IsTheTextOfThatName(string arguments, string text) => Assert.Equal(text, ToolArguments.TextOf(arguments, "query"));

    [Theory]
    [InlineData(255, true)]
    [InlineData(256, false)]
    public void IsObject_Nesting_IsBounded(int arrays, bool isObject)
    {
        var arguments = $$"""{"query":"cats","more":{{new string('[', arrays)}}{{new string(']', arrays)}}}""";

        Assert.Equal(isObject, ToolArguments.IsObject(arguments));
        Assert.Equal(isObject ? "cats" : "", ToolArguments.TextOf(arguments, "query"));
    }
}
