using System.Globalization;
using Microsoft.Extensions.Options;

namespace Gateway.Policy;

internal sealed class LimitsOptionsValidator : IValidateOptions<LimitsOptions>
{
    private const long GiB = 1024 * 1024 * 1024;

    public ValidateOptionsResult Validate(string? name, LimitsOptions options)
    {
        List<string> failures = [];
        Check(nameof(options.RequestBodyBytes), options.RequestBodyBytes, 1024, GiB, failures);
        Check(nameof(options.JsonDepth), options.JsonDepth, 8, 512, failures);
        Check(nameof(options.InputItems), options.InputItems, 1, 1_000_000, failures);
        Check(nameof(options.ToolServers), options.ToolServers, 1, 1_024, failures);
        Check(nameof(options.ContextBytes), options.ContextBytes, 65_536, GiB, failures);
        Check(nameof(options.OpenStreams), options.OpenStreams, 1, 1_000_000, failures);
        Check(nameof(options.UpstreamEventBytes), options.UpstreamEventBytes, 65_536, GiB, failures);
        Check(nameof(options.UpstreamBodyBytes), options.UpstreamBodyBytes, 65_536, GiB, failures);
        Check(nameof(options.UpstreamCalls), options.UpstreamCalls, 1, 10_000, failures);
        Check(nameof(options.ResponseTime), options.ResponseTime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(7), failures);
        Check(nameof(options.ClientStall), options.ClientStall, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), failures);
        Check(nameof(options.KeepAliveInterval), options.KeepAliveInterval, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), failures);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void Check(string key, TimeSpan value, TimeSpan least, TimeSpan most, List<string> failures)
    {
        if (value < least || value > most)
        {
            failures.Add($"{LimitsOptions.Section}:{key} is {value:c}: it must be from {least:c} to {most:c}.");
        }
    }

    private static void Check(string key, long value, long least, long most, List<string> failures)
    {
        if (value < least || value > most)
        {
            failures.Add(string.Create(CultureInfo.InvariantCulture, $"{LimitsOptions.Section}:{key} is {value}: it must be from {least} to {most}."));
        }
    }
}
