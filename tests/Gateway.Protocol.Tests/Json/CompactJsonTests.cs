using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Tests.Json;

public sealed class CompactJsonTests
{
    [Theory]
    [InlineData("{}", "{}")]
    [InlineData(" { } ", "{}")]
    [InlineData("[ ]\n", "[]")]
    [InlineData(" 1 ", "1")]
    [InlineData("\"a b\" ", "\"a b\"")]
    [InlineData("{ \"a\" : 1 ,\r\n\t\"b\" : [ 1 , 2 ] , \"c\" : { \"d\" : null } }", """{"a":1,"b":[1,2],"c":{"d":null}}""")]
    [InlineData("[ { } , [ ] , true , false , -0.50E+3 ]", "[{},[],true,false,-0.50E+3]")]
    [InlineData("{ \" a\\u0041\\\" \" : \" \\n x \" }", """{" a\u0041\" ":" \n x "}""")]
    [InlineData("[ [ [ 1 ] , 2 ] , 3 ]", "[[[1],2],3]")]
    [InlineData("{ \"\" : \"\" , \"\" : \"\" }", """{"":"","":""}""")]
    public void Write_Json_KeepsTokensAndDropsWhiteSpace(string json, string compact) => Assert.Equal(compact, Write(json));

    [Fact]
    public void Write_ToABufferInUse_Appends()
    {
        using var output = new PooledBuffer();
        output.Append("x:"u8);

        CompactJson.Write("[ 1 , 2 ]"u8, output);

        Assert.Equal("x:[1,2]", Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void Write_DeepJson_IsCopied()
    {
        var open = string.Concat(Enumerable.Repeat("[ ", 1000));
        var close = string.Concat(Enumerable.Repeat(" ]", 1000));

        Assert.Equal(new string('[', 1000) + new string(']', 1000), Write(open + close));
    }

    [Property(MaxTest = 1000)]
    public Property Write_RandomJsonWithRandomWhiteSpace_GivesTheTokens() => Prop.ForAll(Tokens(4).ToArbitrary(), tokens =>
    {
        var spaced = string.Concat(tokens.Select((token, i) => (i % 3) switch { 0 => " " + token, 1 => token + "\n", _ => "\t" + token + "\r\n" }));
        Assert.Equal(string.Concat(tokens), Write(spaced));
    });

    private static Gen<List<string>> Tokens(int depth)
    {
        var scalar = Gen.Elements("1", "-2.5e-7", "\"\"", "\"a\\\\\\\"b\"", "\" { , } \"", "true", "null", "\"é😀\"").Select(token => new List<string> { token });
        if (depth == 0)
        {
            return scalar;
        }

        var inner = Tokens(depth - 1).ListOf(3);
        var array = inner.Select(items => Join("[", [.. items], "]"));
        var obj = inner.Select(items => Join("{", [.. items.Select((item, i) => new List<string> { $"\"k {i}\"", ":" }.Concat(item).ToList())], "}"));
        return Gen.OneOf(scalar, array, obj);
    }

    private static List<string> Join(string open, List<List<string>> items, string close)
    {
        var tokens = new List<string> { open };
        for (var i = 0; i < items.Count; i++)
        {
            tokens.AddRange(i > 0 ? [",", .. items[i]] : items[i]);
        }

        tokens.Add(close);
        return tokens;
    }

    private static string Write(string json)
    {
        using var output = new PooledBuffer(4);
        CompactJson.Write(Encoding.UTF8.GetBytes(json), output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
