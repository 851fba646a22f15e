using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Gateway.FunctionalTests.Tools.Mcp;

/// <summary>The npm package's server is what tests take it for.</summary>
public sealed class EverythingServerTests(EverythingServerFixture fixture) : IClassFixture<EverythingServerFixture>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Server_OverEitherTransport_ListsAndRunsItsTools(bool legacySse)
    {
        await using var client = await ConnectAsync(legacySse);

        var tools = await client.ListToolsAsync(cancellationToken: Cancellation);
        var echo = await client.CallToolAsync("echo", new Dictionary<string, object?> { ["message"] = "hello" }, cancellationToken: Cancellation);
        var sum = await client.CallToolAsync("get-sum", new Dictionary<string, object?> { ["a"] = 2, ["b"] = 3 }, cancellationToken: Cancellation);

        Assert.Contains("echo", tools.Select(tool => tool.Name));
        Assert.Equal("Echo: hello", Assert.IsType<TextContentBlock>(Assert.Single(echo.Content)).Text);
        Assert.Equal("The sum of 2 and 3 is 5.", Assert.IsType<TextContentBlock>(Assert.Single(sum.Content)).Text);
        Assert.Equal(legacySse, client.SessionId is null);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Server_OverEitherTransport_AnswersWithOtherContentThanText(bool legacySse)
    {
        await using var client = await ConnectAsync(legacySse);

        var image = await client.CallToolAsync("get-tiny-image", cancellationToken: Cancellation);
        var links = await client.CallToolAsync("get-resource-links", new Dictionary<string, object?> { ["count"] = 2 }, cancellationToken: Cancellation);
        var structured = await client.CallToolAsync("get-structured-content", new Dictionary<string, object?> { ["location"] = "Chicago" }, cancellationToken: Cancellation);

        Assert.Equal("image/png", Assert.Single(image.Content.OfType<ImageContentBlock>()).MimeType);
        Assert.Equal(2, links.Content.OfType<ResourceLinkBlock>().Count());
        Assert.True(structured.StructuredContent?.TryGetProperty("temperature", out _));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Server_CalledWithWrongArguments_AnswersWithAnErrorResult(bool legacySse)
    {
        await using var client = await ConnectAsync(legacySse);

        var result = await client.CallToolAsync("get-sum", new Dictionary<string, object?> { ["a"] = "two" }, cancellationToken: Cancellation);

        Assert.True(result.IsError);
    }

    private Task<McpClient> ConnectAsync(bool legacySse) => legacySse
        ? McpClients.ConnectAsync(fixture.LegacySse.Endpoint, HttpTransportMode.Sse)
        : McpClients.ConnectAsync(fixture.StreamableHttp.Endpoint, HttpTransportMode.StreamableHttp);
}
