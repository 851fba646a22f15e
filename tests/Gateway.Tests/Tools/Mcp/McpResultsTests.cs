using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Tools.Mcp;

namespace Gateway.Tests.Tools.Mcp;

public sealed class McpResultsTests
{
    [Theory]
    [InlineData("""[{"type":"text","text":"one"},{"type":"text","text":" two \n"}]""", "one\n two \n")]
    [InlineData("""[{"type":"text","text":""}]""", "")]
    [InlineData("[]", "")]
    [InlineData("""[{"type":"image","data":"AAAA","mimeType":"image/png"}]""", "[image image/png, 3 bytes]")]
    [InlineData("""[{"type":"audio","data":"AA==","mimeType":"audio/wav"}]""", "[audio audio/wav, 1 bytes]")]
    [InlineData("""[{"type":"image","data":"no base64!","mimeType":"image/png"}]""", "[image image/png]")]
    [InlineData("""[{"type":"resource","resource":{"uri":"file:///a.txt","mimeType":"text/plain","text":"inside"}}]""", "[resource file:///a.txt]\ninside")]
    [InlineData("""[{"type":"resource","resource":{"uri":"file:///a.pdf","mimeType":"application/pdf","blob":"AAAA"}}]""", "[resource file:///a.pdf, application/pdf, 3 bytes]")]
    [InlineData("""[{"type":"resource","resource":{"uri":"file:///a","blob":"AAAA"}}]""", "[resource file:///a, 3 bytes]")]
    [InlineData("""[{"type":"resource_link","uri":"file:///a.txt","name":"a","mimeType":"text/plain","description":"What it is"}]""", "[resource link file:///a.txt, text/plain] a: What it is")]
    [InlineData("""[{"type":"resource_link","uri":"file:///a.txt","name":"a","title":"A file"}]""", "[resource link file:///a.txt] A file")]
    [InlineData("""[{"type":"resource_link","uri":"file:///a.txt","name":"a"}]""", "[resource link file:///a.txt] a")]
    [InlineData("""[{"type":"text","text":"before"},{"type":"image","data":"AAAA","mimeType":"image/png"},{"type":"text","text":"after"}]""", "before\n[image image/png, 3 bytes]\nafter")]
    public void ToText_EachKindOfContent_IsReadableInOrder(string content, string text) =>
        Assert.Equal(text, TextOf($$"""{"content":{{content}}}"""));

    [Fact]
    public void ToText_ManyBytes_AreGroupedInThousands()
    {
        var data = Convert.ToBase64String(new byte[12_345]);

        Assert.Equal("[image image/jpeg, 12,345 bytes]", TextOf($$"""{"content":[{"type":"image","data":"{{data}}","mimeType":"image/jpeg"}]}"""));
    }

    [Theory]
    [InlineData("""{"content":[],"structuredContent":{"sum":3}}""", """{"sum":3}""")]
    [InlineData("""{"structuredContent":{"sum":3}}""", """{"sum":3}""")]
    [InlineData("""{"content":[{"type":"text","text":"3"}],"structuredContent":{"sum":3}}""", "3")]
    [InlineData("""{"content":[{"type":"image","data":"AAAA","mimeType":"image/png"}],"structuredContent":{"sum":3}}""", "[image image/png, 3 bytes]\n{\"sum\":3}")]
    [InlineData("""{"content":[{"type":"resource","resource":{"uri":"a:b","text":"3"}}],"structuredContent":{"sum":3}}""", "[resource a:b]\n3")]
    [InlineData("""{"content":[],"structuredContent":null}""", "")]
    [InlineData("{}", "")]
    public void ToText_StructuredContent_StandsInForMissingText(string result, string text) => Assert.Equal(text, TextOf(result));

    [Theory]
    [InlineData("""{"type":"hologram","data":"AAAA"}""")]
    [InlineData("""{"type":"text"}""")]
    [InlineData("""{"type":"text","text":7}""")]
    [InlineData("""{"type":"text","text":"\ud800"}""")]
    [InlineData("""{"type":"text","type":"image","text":"twice"}""")]
    [InlineData("""{"type":"image","data":"AAAA"}""")]
    [InlineData("""{"type":"resource","resource":{"uri":"a:b"}}""")]
    [InlineData("""{"text":"no type"}""")]
    [InlineData("null")]
    [InlineData("\"text\"")]
    [InlineData("7")]
    public void Read_BlockThatIsNotUnderstood_IsToldInItsPlace(string block) =>
        Assert.Equal(
            "before\n[content that the gateway does not understand]\nafter",
            TextOf($$"""{"content":[{"type":"text","text":"before"},{{block}},{"type":"text","text":"after"}]}"""));

    [Theory]
    [InlineData("""{"content":[],"isError":true}""", true)]
    [InlineData("""{"content":[],"isError":false}""", false)]
    [InlineData("""{"content":[],"isError":null}""", false)]
    [InlineData("""{"content":[]}""", false)]
    public void Read_IsError_IsTheServersWord(string result, bool isError) => Assert.Equal(isError, McpResults.Read(JsonNode.Parse(result)).IsError);

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"done\"")]
    [InlineData("""{"structuredContent":{"text":"\ud800"}}""")]
    public void Read_NoResult_Throws(string result) => Assert.Throws<JsonException>(() => McpResults.Read(JsonNode.Parse(result)));

    private static string TextOf(string result) => McpResults.ToText(McpResults.Read(JsonNode.Parse(result)));
}
