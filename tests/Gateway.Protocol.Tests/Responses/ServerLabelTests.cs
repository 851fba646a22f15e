using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

public sealed class ServerLabelTests
{
    private static readonly RequestRules Rules = RequestRules.Default with { ServerTools = new ServerToolRules { LabelIsOptional = true } };

    [Theory]
    [InlineData("https://mcp.deepwiki.com/mcp", "mcp_deepwiki_com")]
    [InlineData("https://mcp.deepwiki.com/sse/", "mcp_deepwiki_com")]
    [InlineData("https://mcp.deepwiki.com", "mcp_deepwiki_com")]
    [InlineData("https://mcp.deepwiki.com:443/?key=secret", "mcp_deepwiki_com")]
    [InlineData("https://gitmcp.io/docs", "gitmcp_io_docs")]
    [InlineData("https://gitmcp.io/owner/a-repo", "gitmcp_io_owner_a-repo")]
    [InlineData("http://127.0.0.1:8000/mcp", "127_0_0_1_8000")]
    [InlineData("http://[::1]:8000/mcp", "__1_8000")]
    [InlineData("https://bücher.example/mcp", "xn--bcher-kva_example")]
    public void Parse_NoLabel_IsDerivedFromTheAddress(string url, string label) => Assert.Equal(label, LabelOf(url));

    [Fact]
    public void Parse_NoLabelAndALongAddress_GivesDistinctLabelsOfLegalLength()
    {
        var address = $"https://host.example/{new string('a', 100)}";

        Assert.Equal(64, LabelOf(address + "/one").Length);
        Assert.NotEqual(LabelOf(address + "/one"), LabelOf(address + "/two"));
    }

    [Fact]
    public void Parse_NoLabelsAndOneAddress_NamesTheSecondTool()
    {
        var error = Requests.Reject(
            Requests.With("\"tools\":[{\"type\":\"mcp\",\"server_url\":\"https://a.example/mcp\"},{\"type\":\"sse\",\"server_url\":\"https://a.example/sse\"}]"), Rules);

        Assert.Equal(("invalid_value", "tools[1].server_label"), (error.Code, error.Param));
    }

    [Fact]
    public void Parse_NoLabelAndAHostThatIsNone_IsRefused()
    {
        var error = Requests.Reject(Requests.With("\"tools\":[{\"type\":\"mcp\",\"server_url\":\"https://xn--ä.example/mcp\"}]"), Rules);

        Assert.Equal(("invalid_value", "tools[0].server_url"), (error.Code, error.Param));
    }

    private static string LabelOf(string url) =>
        Requests.Parse(Requests.With($"\"tools\":[{{\"type\":\"mcp\",\"server_url\":\"{url}\"}}]"), Rules).Servers[0].Label;
}
