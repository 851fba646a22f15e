using Gateway.Hosting;
using Gateway.Telemetry;

namespace Gateway.Tests.Hosting;

public sealed class StartupBannerTests
{
    [Fact]
    public void Render_SeveralParts_IsOneReadableBlock()
    {
        StartupText[] texts =
        [
            new("store", "sqlite in ./data"),
            new("upstreams", "local: qwen3-8b", "demo: demo") { Warnings = ["No model server is configured."], Model = "qwen3-8b" },
        ];

        var block = StartupBanner.Render(["http://[::]:8080", "http://127.0.0.1:9"], texts, requiresKey: true).ReplaceLineEndings("\n");

        Assert.StartsWith("\nResponses gateway ", block, StringComparison.Ordinal);
        Assert.EndsWith(
            """

              address    http://[::]:8080
                         http://127.0.0.1:9
              store      sqlite in ./data
              upstreams  local: qwen3-8b
                         demo: demo
              warning    No model server is configured.
              try        curl http://localhost:8080/v1/responses -H "Authorization: Bearer $GATEWAY_API_KEY" -H 'Content-Type: application/json' -d '{"model":"qwen3-8b","input":"Hello"}'


            """.ReplaceLineEndings("\n"),
            block,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Render_NoKeysNeeded_SendsNone()
    {
        var block = StartupBanner.Render(["http://127.0.0.1:8080"], [new("upstreams", "demo") { Model = "demo" }], requiresKey: false);

        Assert.Contains("curl http://127.0.0.1:8080/v1/responses -H 'Content-Type: application/json'", block, StringComparison.Ordinal);
    }
}
