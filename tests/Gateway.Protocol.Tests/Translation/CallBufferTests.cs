using System.Text;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

public sealed class CallBufferTests
{
    [Theory]
    [InlineData("""{"a":1}""", """{"a":1}""")]
    [InlineData("""{"a"|:1|}""", """{"a":1}""")]
    [InlineData("""{"a":1}|{"a":1}""", """{"a":1}""")] // all once more at the end
    [InlineData("""{"a"|:1}|{"a":1}""", """{"a":1}""")]
    [InlineData("""{"a"|{"a":1}""", """{"a":1}""")] // the whole completes the beginning
    [InlineData("""{|{"a":1}""", """{"a":1}""")]
    [InlineData("""{"a":|{"b":1}|}""", """{"a":{"b":1}}""")]
    [InlineData("""{}|{"a":1}""", """{"a":1}""")] // a placeholder
    [InlineData("""{}|{"a"|:1}""", """{"a":1}""")]
    [InlineData("""{}|{|"a":1}""", """{"a":1}""")]
    [InlineData("{}|{}", "{}")]
    [InlineData("{}", "{}")]
    [InlineData("bare| text", "bare text")]
    [InlineData("""{"a":"}"|,"b":2}""", """{"a":"}","b":2}""")]
    public void AddArguments_Pieces_GiveTheArgumentsOnce(string pieces, string arguments)
    {
        using var call = new CallBuffer();

        foreach (var piece in pieces.Split('|'))
        {
            call.AddArguments(Encoding.UTF8.GetBytes(piece));
        }

        Assert.Equal(arguments, Encoding.UTF8.GetString(call.Arguments.WrittenSpan));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("{", false)]
    [InlineData("{}", true)]
    [InlineData(" {\"a\":[1]}\n", true)]
    [InlineData("{\"a\":{}", false)]
    [InlineData("{\"a\":\"}", false)]
    [InlineData("{}{}", false)]
    [InlineData("{} x", false)]
    [InlineData("[]", false)]
    [InlineData("[{}", false)]
    [InlineData("x}", false)]
    public void HasWholeArguments_OnlyForOneObject(string arguments, bool whole)
    {
        using var call = new CallBuffer();
        if (arguments.Length > 0)
        {
            call.AddArguments(Encoding.UTF8.GetBytes(arguments));
        }

        Assert.Equal(whole, call.HasWholeArguments);
    }
}
