using System.Text;
using Gateway.Runs;
using Gateway.Store;

namespace Gateway.Tests.Runs;

public sealed class RunSpecTests
{
    public static TheoryData<string> Bodies => ["{}", "{\"input\":\"a\\nb\"}\n{\"v\":2}\n", "", "\u0000\n\nx", "{\"input\":\"é😀\"}"];

    [Theory]
    [MemberData(nameof(Bodies))]
    public void WrittenSpec_IsReadAsItWas(string body)
    {
        foreach (var window in (TimeSpan?[])[null, TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1)])
        {
            foreach (var flags in Enumerable.Range(0, 16))
            {
                var spec = Spec(body) with
                {
                    IsBackground = (flags & 1) > 0,
                    KeepsEvents = (flags & 2) > 0,
                    IsSealed = (flags & 4) > 0,
                    IsInConversation = (flags & 8) > 0,
                    Window = window,
                };

                var read = RunSpec.Read(spec.Write());

                Assert.Equal(body, Encoding.UTF8.GetString(read.Body.Span));
                Assert.Equal(spec with { Body = default }, read with { Body = default });
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{}\n")]
    [InlineData("null\n{}")]
    [InlineData("x\n{}")]
    [InlineData("{\"v\":\"1\"}\n{}")]
    [InlineData("{\"v\":0}\n{}")]
    [InlineData("{\"v\":1.5}\n{}")]
    [InlineData("{\"v\":1,\"dialect\":1}\n{}")]
    [InlineData("{\"v\":1,\"dialect\":null,\"model\":null,\"created\":0,\"background\":true,\"events\":true,\"sealed\":false}\n{}")]
    [InlineData("{\"v\":1,\"dialect\":\"openai\",\"model\":\"m\",\"created\":999999999999999999,\"background\":true,\"events\":true,\"sealed\":false}\n{}")]
    public void DamagedSpec_IsSaidToBe(string spec) => Assert.Throws<InvalidDataException>(() => RunSpec.Read(Encoding.UTF8.GetBytes(spec)));

    [Fact]
    public void SpecOfANewerVersion_IsRefused()
    {
        var written = Encoding.UTF8.GetString(Spec("{}").Write()).Replace("\"v\":1", "\"v\":3", StringComparison.Ordinal);

        Assert.Contains("upgrade", Assert.Throws<NewerFormatException>(() => RunSpec.Read(Encoding.UTF8.GetBytes(written))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SpecInAConversation_IsOfAVersionOfItsOwn()
    {
        var written = Encoding.UTF8.GetString((Spec("{}") with { IsInConversation = true }).Write());

        Assert.StartsWith("{\"v\":2,", written, StringComparison.Ordinal);
    }

    [Fact]
    public void SpecWithFurtherMembers_IsRead()
    {
        var written = Encoding.UTF8.GetString(Spec("{}").Write()).Replace("\"v\":1", "\"v\":1,\"more\":{\"a\":[1]}", StringComparison.Ordinal);

        Assert.Equal("m \"é\n", RunSpec.Read(Encoding.UTF8.GetBytes(written)).Model);
    }

    private static RunSpec Spec(string body) => new()
    {
        Dialect = "openai",
        Model = "m \"é\n",
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(1_750_000_000_123),
        IsBackground = true,
        KeepsEvents = true,
        Body = Encoding.UTF8.GetBytes(body),
    };
}
