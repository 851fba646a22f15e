using System.Net;
using Gateway.Policy;

namespace Gateway.Tests.Policy;

public sealed class HostRuleTests
{
    [Theory]
    [InlineData(null, "is empty")]
    [InlineData(" ", "is empty")]
    [InlineData("*", "is '*'")]
    [InlineData("*.", "is '*.'")]
    [InlineData("a.*.example", "is 'a.*.example'")]
    [InlineData("https://example.com", "is 'https://example.com'")]
    [InlineData("example.com/path", "it is no range of addresses")]
    [InlineData("user@example.com", "is 'user@example.com'")]
    [InlineData("two words", "is 'two words'")]
    [InlineData("example.com:0", "the port must be from 1 to 65535")]
    [InlineData("example.com:65536", "the port must be from 1 to 65535")]
    [InlineData("example.com:", "the port must be from 1 to 65535")]
    [InlineData("example.com:https", "the port must be from 1 to 65535")]
    [InlineData("10.0.0.0/33", "it is no range of addresses")]
    [InlineData("10.1.2.3/8", "with no bit set behind the prefix")]
    [InlineData("10.1", "is '10.1'")]
    [InlineData("0x7f.1", "is '0x7f.1'")]
    [InlineData("2130706433", "is '2130706433'")]
    [InlineData("[::1", "written [address]:port")]
    [InlineData("[::1]8443", "written [address]:port")]
    [InlineData("[example.com]:8443", "written [address]:port")]
    public void Read_NoRule_SaysWhatIsWrong(string? text, string problem)
    {
        var result = HostRule.Read(text, out var rule);

        Assert.Contains(problem, result, StringComparison.Ordinal);
        Assert.Null(rule);
    }

    [Theory]
    [InlineData("example.com", "example.com", 80, true)]
    [InlineData("example.com", "example.com", 8443, true)]
    [InlineData("Example.COM.", "example.com", 80, true)]
    [InlineData("example.com", "www.example.com", 80, false)]
    [InlineData("example.com", "badexample.com", 80, false)]
    [InlineData("example.com:8443", "example.com", 8443, true)]
    [InlineData("example.com:8443", "example.com", 443, false)]
    [InlineData("*.example.com", "www.example.com", 80, true)]
    [InlineData("*.example.com", "a.b.example.com", 80, true)]
    [InlineData("*.example.com", "example.com", 80, false)]
    [InlineData("*.example.com", "badexample.com", 80, false)]
    [InlineData("*.example.com", ".example.com", 80, false)]
    [InlineData("*.example.com:444", "www.example.com", 443, false)]
    [InlineData("bücher.example", "xn--bcher-kva.example", 80, true)]
    [InlineData("my_service", "my_service", 80, true)]
    [InlineData("localhost", "127.0.0.1", 80, false)]
    [InlineData("127.0.0.1", "127.0.0.1", 80, true)]
    [InlineData("127.0.0.1:81", "127.0.0.1", 80, false)]
    [InlineData("10.0.0.0/8", "10.255.1.2", 80, true)]
    [InlineData("10.0.0.0/8:8443", "10.255.1.2", 8443, true)]
    [InlineData("10.0.0.0/8:8443", "10.255.1.2", 80, false)]
    [InlineData("10.0.0.0/8", "11.0.0.1", 80, false)]
    [InlineData("10.0.0.0/8", "ten.example", 80, false)]
    [InlineData("::1", "::1", 80, true)]
    [InlineData("[::1]", "::1", 80, true)]
    [InlineData("[::1]:81", "::1", 80, false)]
    [InlineData("fd00::/8", "fdff::1", 80, true)]
    [InlineData("[fd00::/8]:8443", "fdff::1", 8443, true)]
    [InlineData("[fd00::/8]:8443", "fdff::1", 80, false)]
    [InlineData("FD00::/8", "fdff::1", 80, true)]
    [InlineData("::ffff:10.0.0.1", "10.0.0.1", 80, true)]
    [InlineData("10.0.0.1", "::ffff:10.0.0.1", 80, true)]
    public void MatchesHost_Rule_IsOfThisHostAndPort(string text, string host, int port, bool matches)
    {
        Assert.Null(HostRule.Read(text, out var rule));

        Assert.Equal(matches, rule!.MatchesHost(host, port));
    }

    [Theory]
    [InlineData("10.0.0.1", true)]
    [InlineData("::1", true)]
    [InlineData("::ffff:10.0.0.1", true)]
    [InlineData("10.0.0.0/31", false)]
    [InlineData("fd00::/127", false)]
    [InlineData("example.com", false)]
    public void IsSingleAddress_Rule_IsTold(string text, bool isSingle)
    {
        Assert.Null(HostRule.Read(text, out var rule));

        Assert.Equal(isSingle, rule!.IsSingleAddress);
    }

    [Fact]
    public void MatchesAddress_RuleOfAName_HasNone()
    {
        Assert.Null(HostRule.Read("example.com", out var rule));

        Assert.False(rule!.MatchesAddress(IPAddress.Loopback, 80));
    }
}
