using Gateway.Tools;
using Gateway.Tools.Mcp;

namespace Gateway.Tests.Tools;

public sealed class ToolsOptionsValidatorTests
{
    [Fact]
    public void Validate_Defaults_AreValid() => Assert.True(new ToolsOptionsValidator().Validate(null, new ToolsOptions()).Succeeded);

    [Theory]
    [InlineData(true, false, true)]
    [InlineData(false, true, true)]
    [InlineData(false, false, false)]
    public void Validate_ServerThatNothingCanUse_IsNamed(bool requests, bool bound, bool valid)
    {
        var options = new ToolsOptions
        {
            Servers = new Dictionary<string, NamedServerOptions> { ["own"] = new() { Url = "http://own/mcp", Requests = requests } },
            Bindings = bound ? new Dictionary<string, BindingOptions> { ["python"] = new() { Server = "own", Tool = "run" } } : [],
        };

        var failures = new ToolsOptionsValidator().Validate(null, options).Failures;

        Assert.Equal(
            valid ? null : ["Gateway:Tools:Servers:own:Requests is false and no binding uses the server: nothing could use it."], failures);
    }

    [Fact]
    public void Validate_EveryValueOutOfRange_NamesEachKeyValueAndRange()
    {
        var options = new ToolsOptions
        {
            Mcp = new McpOptions
            {
                ConnectTimeout = TimeSpan.Zero,
                ListTimeout = TimeSpan.FromMinutes(6),
                CallTimeout = TimeSpan.FromHours(2),
                IdleTime = TimeSpan.Zero,
                ConnectionLife = TimeSpan.FromDays(2),
                ListAge = TimeSpan.FromMilliseconds(1),
                MaxConnections = 0,
                MaxTools = -1,
                ListBytes = 7,
            },
        };

        var failures = new ToolsOptionsValidator().Validate(null, options).Failures;

        Assert.Equal(
            [
                "Gateway:Tools:Mcp:ConnectTimeout is 00:00:00: it must be from 00:00:00.1000000 to 00:05:00.",
                "Gateway:Tools:Mcp:ListTimeout is 00:06:00: it must be from 00:00:00.1000000 to 00:05:00.",
                "Gateway:Tools:Mcp:CallTimeout is 02:00:00: it must be from 00:00:00.1000000 to 01:00:00.",
                "Gateway:Tools:Mcp:IdleTime is 00:00:00: it must be from 00:00:01 to 01:00:00.",
                "Gateway:Tools:Mcp:ConnectionLife is 2.00:00:00: it must be from 00:00:01 to 1.00:00:00.",
                "Gateway:Tools:Mcp:ListAge is 00:00:00.0010000: it must be from 00:00:01 to 1.00:00:00.",
                "Gateway:Tools:Mcp:MaxConnections is 0: it must be from 1 to 100000.",
                "Gateway:Tools:Mcp:MaxTools is -1: it must be from 1 to 10000.",
                "Gateway:Tools:Mcp:ListBytes is 7: it must be from 1024 to 67108864.",
            ],
            failures);
    }
}
