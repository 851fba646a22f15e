using System.Text;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Facts 42 and 68 of the contract's checklist: secrets of MCP tools, and calls that take too long.</summary>
public sealed class McpLimitFacts(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fact42_SecretsOfMcpTools_AreUsedAndNeitherShownNorKept(bool streamed)
    {
        using var folder = new TemporaryFolder();
        await StartAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Tools:AllowedHosts:0", "127.0.0.1"), ("Logging:LogLevel:Default", "Trace")) with { StorePath = folder.Path });
        Server.RequiredBearer = "token-of-the-user";
        Server.RequiredHeader = ("X-Api-Key", "key-of-the-user");
        Upstream.Enqueue(Calls(("srv__echo", Echo("kept")))).Enqueue(ChatAnswer.Say("Done."));
        var tool = Mcp(more: ",\"authorization\":\"token-of-the-user\",\"headers\":{\"X-Api-Key\":\"key-of-the-user\"}");

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{tool}}]}""", streamed);

        Assert.Equal("Echo: kept", response.Text("output[1].output"));
        Assert.Equal("srv", response.Text("tools[0].server_label"));
        string[] told =
        [
            response.GetRawText(), (await GetAsync("/v1/responses/" + response.Text("id"))).Body, (await GetAsync("/v1/responses")).Body,
            (await GetAsync($"/v1/responses/{response.Text("id")}/input_items")).Body,
            .. Upstream.Calls.Select(call => Encoding.UTF8.GetString(call.RawBody.Span)),
            Gateway.Logs.Text,
        ];
        var kept = Directory.GetFiles(folder.Path, "*.db*", SearchOption.AllDirectories).Select(ReadShared).ToArray();
        Assert.Contains(kept, bytes => Contains(bytes, "Echo: kept"));
        foreach (var secret in (string[])["token-of-the-user", "key-of-the-user"])
        {
            Assert.All(told, text => Assert.DoesNotContain(secret, text, StringComparison.Ordinal));
            Assert.All(kept, bytes => Assert.False(Contains(bytes, secret)));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fact68_Timeout_IsBoundedAndToldAsAFailedCall(bool streamed)
    {
        using var held = new HeldMcpTool();
        await StartAsync(("Gateway:Tools:Mcp:CallTimeout", "00:00:00.2"));
        Server.Add(held.Tool);
        Upstream.Enqueue(Calls(("srv__held", "{}"))).Enqueue(ChatAnswer.Say("It took too long."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);

        Assert.Equal(("completed", "It took too long."), (response.Text("status"), response.OutputText()));
        Assert.Equal("failed", response.Text("output[1].status"));
        Assert.Equal($"tool: {response.Text("output[1].error")}", Prompt.Last());
        await held.CancelledAsync(Cancellation);
        Assert.Single(Server.Calls);
    }

    private static bool Contains(byte[] bytes, string text) => bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;

    /// <summary>Reads a file that the store has open.</summary>
    private static byte[] ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var bytes = new MemoryStream();
        file.CopyTo(bytes);
        return bytes.ToArray();
    }
}
