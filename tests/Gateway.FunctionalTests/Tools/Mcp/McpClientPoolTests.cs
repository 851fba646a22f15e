using System.Text;
using Gateway.Egress;
using Gateway.Telemetry;
using Gateway.Tools;
using Gateway.Tools.Mcp;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Gateway.FunctionalTests.Tools.Mcp;

/// <summary>The gateway's own MCP client, put together as the executable does it, with a server that is not of the same making.</summary>
public sealed class McpClientPoolTests(EverythingServerFixture fixture) : IClassFixture<EverythingServerFixture>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, McpTransport.Http)]
    [InlineData(false, McpTransport.Sse)]
    [InlineData(true, McpTransport.Http)]
    [InlineData(true, McpTransport.Sse)]
    internal async Task Call_EitherServerHoweverDeclared_IsAnswered(bool legacySse, McpTransport declared)
    {
        using var host = MakeHost();
        await using var pool = Assert.IsType<McpClientPool>(host.Services.GetRequiredService<IMcpClientPool>());
        var server = new McpServer
        {
            Tenant = "acme",
            Label = "everything",
            Url = (legacySse ? fixture.LegacySse : fixture.StreamableHttp).Endpoint,
            Transport = declared,
            Egress = host.Services.GetRequiredService<EgressGuard>().Operator,
        };

        var listing = await pool.ListToolsAsync(server, Cancellation);
        var sum = await CallAsync(pool, server, "get-sum", """{"a":2,"b":3}""");
        var image = await CallAsync(pool, server, "get-tiny-image", "{}");
        var wrong = await CallAsync(pool, server, "get-sum", """{"a":"two"}""");
        var unknown = await CallAsync(pool, server, "no-such-tool", "{}");

        Assert.Null(listing.Failure);
        Assert.Contains("echo", listing.Tools.Select(tool => tool.Name));
        Assert.Equal(("The sum of 2 and 3 is 5.", false), (sum.Text, sum.IsError));
        Assert.Matches("\n\\[image image/png, [0-9,]+ bytes\\]\n", image.Text);
        Assert.True(wrong.IsError);
        Assert.True(unknown.IsError);
    }

    private static IHost MakeHost()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddMetrics().AddLogging().AddSingleton<GatewayMetrics>();
        builder.AddGatewayEgress();
        builder.AddGatewayTools();
        return builder.Build();
    }

    private static Task<McpCallOutcome> CallAsync(McpClientPool pool, McpServer server, string tool, string arguments) =>
        pool.CallToolAsync(server, tool, Encoding.UTF8.GetBytes(arguments), session: null, Cancellation);
}
