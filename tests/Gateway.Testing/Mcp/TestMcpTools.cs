using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Gateway.Testing.Mcp;

/// <summary>Tools that many tests need, and results to make others of.</summary>
public static class TestMcpTools
{
    /// <summary>A picture of one pixel.</summary>
    public static ReadOnlyMemory<byte> Png { get; } =
        Convert.FromBase64String("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=");

    /// <summary>A recording without a sample.</summary>
    public static ReadOnlyMemory<byte> Wav { get; } = Convert.FromBase64String("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=");

    /// <summary>Answers <c>Echo: </c> and its <c>message</c>. It only reads.</summary>
    public static TestMcpTool Echo { get; } = new("echo", (arguments, _, _) => Task.FromResult(Text($"Echo: {arguments["message"]}")))
    {
        Description = "Echoes a message.",
        InputSchema = Schema("""{"type":"object","properties":{"message":{"type":"string"}},"required":["message"],"additionalProperties":false}"""),
        Annotations = new ToolAnnotations { ReadOnlyHint = true },
    };

    /// <summary>Answers the sum of <c>a</c> and <c>b</c> as text and as structured content.</summary>
    public static TestMcpTool Add { get; } = new("add", (arguments, _, _) =>
    {
        var sum = arguments["a"]!.GetValue<double>() + arguments["b"]!.GetValue<double>();
        return Task.FromResult(Text(sum.ToString(CultureInfo.InvariantCulture), new JsonObject { ["sum"] = sum }));
    })
    {
        Description = "Adds two numbers.",
        InputSchema = Schema("""{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}},"required":["a","b"]}"""),
        OutputSchema = Schema("""{"type":"object","properties":{"sum":{"type":"number"}},"required":["sum"]}"""),
        Annotations = new ToolAnnotations { ReadOnlyHint = true, IdempotentHint = true, OpenWorldHint = false, DestructiveHint = false },
    };

    /// <summary>Answers one content block of every kind, in the order of the specification, and structured content.</summary>
    public static TestMcpTool EveryContent { get; } = new("every_content", (_, _, _) => Task.FromResult(new CallToolResult
    {
        Content =
        [
            new TextContentBlock { Text = "Some text" },
            ImageContentBlock.FromBytes(Png, "image/png"),
            AudioContentBlock.FromBytes(Wav, "audio/wav"),
            new ResourceLinkBlock { Uri = "test://files/1", Name = "one.txt", MimeType = "text/plain" },
            new EmbeddedResourceBlock { Resource = new TextResourceContents { Uri = "test://texts/1", MimeType = "text/plain", Text = "Embedded text" } },
            new EmbeddedResourceBlock { Resource = BlobResourceContents.FromBytes(Png, "test://blobs/1", "image/png") },
        ],
        StructuredContent = JsonSerializer.SerializeToElement(new JsonObject { ["kinds"] = 6 }),
    }))
    {
        Description = "Answers with every kind of content.",
    };

    /// <summary>Answers with a result that says it is an error.</summary>
    public static TestMcpTool Failing { get; } = new("failing", (_, _, _) => Task.FromResult(Error("The tool failed.")))
    {
        Description = "Fails.",
    };

    /// <summary>Answers with a JSON-RPC error, -32603.</summary>
    public static TestMcpTool Throwing { get; } =
        new("throwing", (_, _, _) => throw new McpProtocolException("The server failed.", McpErrorCode.InternalError)) { Description = "Throws." };

    /// <summary>Answers with nothing at all: an empty list of content.</summary>
    public static TestMcpTool Empty { get; } = new("empty", (_, _, _) => Task.FromResult(new CallToolResult { Content = [] })) { Description = "Says nothing." };

    /// <summary>Listings that are no tools, which a server must not send: each is an entry for <see cref="TestMcpServer.AddEntry"/>.</summary>
    public static IReadOnlyList<string> InvalidEntries { get; } =
    [
        "null",
        "\"echo\"",
        "{}",
        """{"inputSchema":{"type":"object"}}""",
        """{"name":7,"inputSchema":{"type":"object"}}""",
        """{"name":"","inputSchema":{"type":"object"}}""",
        """{"name":"no_schema"}""",
        """{"name":"null_schema","inputSchema":null}""",
        """{"name":"text_schema","inputSchema":"object"}""",
        """{"name":"array_schema","inputSchema":{"type":"array"}}""",
        """{"name":"unknown_type","inputSchema":{"type":"thing"}}""",
        """{"name":"bad_annotations","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":"yes"}}""",
    ];

    /// <summary>Names that MCP servers use and Chat Completions servers refuse.</summary>
    public static IReadOnlyList<string> OddNames { get; } = [new('n', 100), "files.read", "files/read", "lire_la_météo", "天気", "with space"];

    /// <summary>A tool that answers <paramref name="bytes"/> bytes of text.</summary>
    public static TestMcpTool Huge(int bytes) => new("huge", (_, _, _) => Task.FromResult(Text(new string('x', bytes)))) { Description = "Answers a lot." };

    /// <summary>A tool of this name that answers this text.</summary>
    public static TestMcpTool Saying(string name, string text) => new(name, (_, _, _) => Task.FromResult(Text(text))) { Description = $"Says {text}." };

    /// <summary>A tool of this name whose result is this JSON object, whatever it is.</summary>
    public static TestMcpTool Raw(string name, string result)
    {
        var raw = JsonNode.Parse(result)!.AsObject();
        return new TestMcpTool(name, (_, _, _) => Task.FromResult(RawMcpResult.ForCall(raw)));
    }

    /// <summary>So many tools: <c>tool_0</c>, <c>tool_1</c> and on, each of which answers its name.</summary>
    public static IEnumerable<TestMcpTool> Many(int count) =>
        Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"tool_{i}")).Select(name => Saying(name, name));

    /// <summary>A result of one text block.</summary>
    public static CallToolResult Text(string text, JsonObject? structured = null) => new()
    {
        Content = [new TextContentBlock { Text = text }],
        StructuredContent = structured is null ? null : JsonSerializer.SerializeToElement(structured),
    };

    /// <summary>A result that says that the tool failed.</summary>
    public static CallToolResult Error(string text) => new() { Content = [new TextContentBlock { Text = text }], IsError = true };

    private static JsonNode Schema(string json) => JsonNode.Parse(json)!;
}
