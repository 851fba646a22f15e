using System.Globalization;
using Gateway.Tools.Mcp;
using Microsoft.Extensions.Options;

namespace Gateway.Tools;

internal sealed class ToolsOptionsValidator : IValidateOptions<ToolsOptions>
{
    public ValidateOptionsResult Validate(string? name, ToolsOptions options)
    {
        List<string> failures = [];
        CheckMcp(options.Mcp, failures);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void CheckMcp(McpOptions mcp, List<string> failures)
    {
        Check("Mcp:ConnectTimeout", mcp.ConnectTimeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromMinutes(5), failures);
        Check("Mcp:ListTimeout", mcp.ListTimeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromMinutes(5), failures);
        Check("Mcp:CallTimeout", mcp.CallTimeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromHours(1), failures);
        Check("Mcp:IdleTime", mcp.IdleTime, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), failures);
        Check("Mcp:ConnectionLife", mcp.ConnectionLife, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), failures);
        Check("Mcp:ListAge", mcp.ListAge, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), failures);
        Check("Mcp:MaxConnections", mcp.MaxConnections, 1, 100_000, failures);
        Check("Mcp:MaxTools", mcp.MaxTools, 1, 10_000, failures);
        Check("Mcp:ListBytes", mcp.ListBytes, 1024, 64 * 1024 * 1024, failures);
    }

    private static void Check(string key, int value, int least, int most, List<string> failures)
    {
        if (value < least || value > most)
        {
            failures.Add(string.Create(CultureInfo.InvariantCulture, $"{ToolsOptions.Section}:{key} is {value}: it must be from {least} to {most}."));
        }
    }

    private static void Check(string key, TimeSpan value, TimeSpan least, TimeSpan most, List<string> failures)
    {
        if (value < least || value > most)
        {
            failures.Add($"{ToolsOptions.Section}:{key} is {value:c}: it must be from {least:c} to {most:c}.");
        }
    }
}
