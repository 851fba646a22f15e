using System.Text;
using System.Text.Json.Nodes;
using Gateway.Testing.Mcp;
using Gateway.Tools.Mcp;

namespace Gateway.Tests.Tools.Mcp;

public sealed class McpToolListTests
{
    private readonly McpToolList _list = new(maxTools: 3, maxBytes: 1_000);

    [Fact]
    public void Add_Tool_KeepsWhatTheServerSays()
    {
        var failure = Add("""
            {"tools":[{"name":"a.b/c","description":"Does.","inputSchema":{ "type": "object",
            "properties": {"x": {"type": "number"}} },"annotations":{"readOnlyHint":true,"title":"T"}}]}
            """);

        Assert.Null(failure);
        var tool = Assert.Single(_list.Tools);
        Assert.Equal("a.b/c", tool.Name);
        Assert.Equal("Does.", tool.Description);
        Assert.Equal("""{"type":"object","properties":{"x":{"type":"number"}}}""", Encoding.UTF8.GetString(tool.InputSchema.Span));
        Assert.Equal("""{"readOnlyHint":true,"title":"T"}""", Encoding.UTF8.GetString(tool.Annotations.Span));
    }

    [Theory]
    [InlineData("", false, false)]
    [InlineData(""","annotations":{"readOnlyHint":true}""", true, true)]
    [InlineData(""","annotations":{"idempotentHint":true}""", false, true)]
    [InlineData(""","annotations":{"readOnlyHint":false,"idempotentHint":false}""", false, false)]
    [InlineData(""","annotations":{"readOnlyHint":"true","idempotentHint":1}""", false, false)]
    [InlineData(""","annotations":null""", false, false)]
    [InlineData(""","annotations":[true]""", false, false)]
    public void Add_Hints_CountWhenTrueOnly(string annotations, bool isReadOnly, bool isIdempotent)
    {
        Add($$"""{"tools":[{"name":"a","inputSchema":{"type":"object"}{{annotations}}}]}""");

        var tool = Assert.Single(_list.Tools);
        Assert.Equal((isReadOnly, isIdempotent), (tool.IsReadOnly, tool.IsIdempotent));
    }

    [Theory]
    [InlineData("null")]
    [InlineData("\"echo\"")]
    [InlineData("{}")]
    [InlineData("""{"inputSchema":{"type":"object"}}""")]
    [InlineData("""{"name":7,"inputSchema":{"type":"object"}}""")]
    [InlineData("""{"name":"","inputSchema":{"type":"object"}}""")]
    [InlineData("""{"name":"\ud800","inputSchema":{"type":"object"}}""")]
    [InlineData("""{"name":"a"}""")]
    [InlineData("""{"name":"a","inputSchema":null}""")]
    [InlineData("""{"name":"a","inputSchema":"object"}""")]
    [InlineData("""{"name":"a","inputSchema":{"type":"array"}}""")]
    [InlineData("""{"name":"a","inputSchema":{"type":["object","null"]}}""")]
    [InlineData("""{"name":"good","inputSchema":{"type":"object"}}""")]
    public void Add_ToolThatCanNotBeOffered_IsLeftOutAndCounted(string entry)
    {
        var failure = Add($$$"""{"tools":[{"name":"good","inputSchema":{"type":"object"}},{{{entry}}}]}""");

        Assert.Null(failure);
        Assert.Equal("good", Assert.Single(_list.Tools).Name);
        Assert.Equal(1, _list.LeftOut);
    }

    [Fact]
    public void Add_SchemaWithoutType_IsAnObjects()
    {
        Add("""{"tools":[{"name":"a","inputSchema":{}}]}""");

        Assert.Equal("{}", Encoding.UTF8.GetString(Assert.Single(_list.Tools).InputSchema.Span));
    }

    [Fact]
    public void Add_NamesOfAnyForm_AreKept()
    {
        var list = new McpToolList(maxTools: 100, maxBytes: 10_000);
        var tools = new JsonArray([.. TestMcpTools.OddNames.Select(name => new JsonObject { ["name"] = name, ["inputSchema"] = new JsonObject() })]);

        Assert.Null(list.Add(new JsonObject { ["tools"] = tools }, out _));
        Assert.Equal(TestMcpTools.OddNames, list.Tools.Select(tool => tool.Name));
    }

    [Fact]
    public void Add_MoreToolsThanAllowed_IsAFailure()
    {
        Assert.Null(Add(Page("a", "b", "c")));
        var failure = Add(Page("d"));

        Assert.Equal(new McpFailure(McpFailureKind.Protocol, null, "The server has more than 3 tools."), failure);
    }

    [Fact]
    public void Add_MoreBytesThanAllowed_IsAFailure()
    {
        // The name, the description and the schema: 1, 982 and 17 bytes.
        Assert.Null(Add($$$"""{"tools":[{"name":"a","description":"{{{new string('x', 982)}}}","inputSchema":{"type":"object"}}]}"""));
        var failure = Add(Page("b"));

        Assert.Equal(new McpFailure(McpFailureKind.Protocol, null, "The descriptions of the server's tools have more than 1000 bytes."), failure);
    }

    [Theory]
    [InlineData("""{"tools":[],"nextCursor":"p2"}""", "p2")]
    [InlineData("""{"tools":[],"nextCursor":""}""", null)]
    [InlineData("""{"tools":[],"nextCursor":7}""", null)]
    [InlineData("""{"tools":[],"nextCursor":null}""", null)]
    [InlineData("""{"tools":[]}""", null)]
    public void Add_Cursor_LeadsToTheNextPage(string page, string? cursor)
    {
        Assert.Null(_list.Add(JsonNode.Parse(page), out var next));
        Assert.Equal(cursor, next);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"tools":{}}""")]
    public void Add_NoList_IsAFailure(string result) => Assert.Equal(McpFailureKind.Protocol, Add(result)?.Kind);

    private McpFailure? Add(string result) => _list.Add(JsonNode.Parse(result), out _);

    private static string Page(params string[] names) =>
        $$"""{"tools":[{{string.Join(',', names.Select(Entry))}}]}""";

    private static string Entry(string name) => $$$"""{"name":"{{{name}}}","inputSchema":{"type":"object"}}""";
}
