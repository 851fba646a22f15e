using System.Text;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

public sealed class LogprobsTranslatorTests
{
    [Theory]
    [InlineData("[]", "", "")]
    [InlineData(
        """[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1e2,"bytes":[98]},{"token":"c","logprob":-2,"bytes":null}]}]""",
        """{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1e2,"bytes":[98]},{"token":"c","logprob":-2,"bytes":[]}]}""",
        """{"token":"a","logprob":-0.5,"top_logprobs":[{"token":"b","logprob":-1e2},{"token":"c","logprob":-2}]}""")]
    [InlineData(
        """[{"token":"a","logprob":-1},{"token":"b","logprob":0,"top_logprobs":null}]""",
        """{"token":"a","logprob":-1,"bytes":[],"top_logprobs":[]},{"token":"b","logprob":0,"bytes":[],"top_logprobs":[]}""",
        """{"token":"a","logprob":-1,"top_logprobs":[]},{"token":"b","logprob":0,"top_logprobs":[]}""")]
    [InlineData(
        """[{"token":5,"logprob":"x","bytes":"y","top_logprobs":{},"other":[{}]}]""",
        """{"token":"","logprob":0,"bytes":[],"top_logprobs":[]}""",
        """{"token":"","logprob":0,"top_logprobs":[]}""")]
    [InlineData(
        """[null,7,[{"token":"no"}],{"token":"a","logprob":-1,"top_logprobs":[null,{"token":"b","logprob":-2}]}]""",
        """{"token":"a","logprob":-1,"bytes":[],"top_logprobs":[{"token":"b","logprob":-2,"bytes":[]}]}""",
        """{"token":"a","logprob":-1,"top_logprobs":[{"token":"b","logprob":-2}]}""")]
    [InlineData(
        """[{"token":"token_id:7","\ud800":1,"logprob":-1}]""",
        """{"token":"token_id:7","logprob":-1,"bytes":[],"top_logprobs":[]}""",
        """{"token":"token_id:7","logprob":-1,"top_logprobs":[]}""")]
    [InlineData(
        """[{"token":" \n\"\u00e9\ud83d","logprob":-1}]""",
        """{"token":" \n\"é�","logprob":-1,"bytes":[],"top_logprobs":[]}""",
        """{"token":" \n\"é�","logprob":-1,"top_logprobs":[]}""")]
    public void Add_Tokens_GivesBothForms(string json, string part, string delta)
    {
        using var logprobs = new LogprobsTranslator();

        logprobs.Add(Encoding.UTF8.GetBytes(json));

        Assert.Equal(part, Encoding.UTF8.GetString(logprobs.Part));
        Assert.Equal(delta, Encoding.UTF8.GetString(logprobs.Delta));
    }

    [Fact]
    public void Add_PrettyPrinted_IsOneLine()
    {
        using var logprobs = new LogprobsTranslator();

        logprobs.Add("[\n  {\n    \"token\": \"a\",\n    \"logprob\": -1,\n    \"bytes\": [\r\n      97,\n      98\n    ],\n    \"top_logprobs\": [\n    ]\n  }\n]"u8);

        Assert.Equal("""{"token":"a","logprob":-1,"bytes":[97,98],"top_logprobs":[]}""", Encoding.UTF8.GetString(logprobs.Part));
    }

    [Fact]
    public void Add_SeveralChunks_AreJoinedUntilCleared()
    {
        using var logprobs = new LogprobsTranslator();

        logprobs.Add("""[{"token":"a","logprob":-1}]"""u8);
        logprobs.Add("""[{"token":"b","logprob":-2}]"""u8);
        Assert.Equal("""{"token":"a","logprob":-1,"top_logprobs":[]},{"token":"b","logprob":-2,"top_logprobs":[]}""", Encoding.UTF8.GetString(logprobs.Delta));
        logprobs.Clear();

        Assert.True(logprobs.Part.IsEmpty);
        Assert.True(logprobs.Delta.IsEmpty);
    }

    [Fact]
    public void Add_DeepMember_IsSkipped()
    {
        using var logprobs = new LogprobsTranslator();
        var deep = string.Concat(Enumerable.Repeat("[", 100)) + string.Concat(Enumerable.Repeat("]", 100));

        logprobs.Add(Encoding.UTF8.GetBytes($$"""[{"token":"a","logprob":-1,"x":{{deep}}}]"""));

        Assert.Equal("""{"token":"a","logprob":-1,"top_logprobs":[]}""", Encoding.UTF8.GetString(logprobs.Delta));
    }
}
