using System.Globalization;
using Gateway.Policy;
using Microsoft.Extensions.Options;

namespace Gateway.Egress;

internal sealed class EgressOptionsValidator : IValidateOptions<EgressOptions>
{
    private const int GiB = 1024 * 1024 * 1024;

    public ValidateOptionsResult Validate(string? name, EgressOptions options)
    {
        List<string> failures = [];
        for (var i = 0; i < options.AllowedHosts.Count; i++)
        {
            if (HostRule.Read(options.AllowedHosts[i], out _) is { } problem)
            {
                failures.Add(string.Create(CultureInfo.InvariantCulture, $"{EgressOptions.Section}:AllowedHosts:{i} {problem}"));
            }
        }

        var limits = options.Egress;
        Check("Egress:MaxRedirects", limits.MaxRedirects, 0, 20, failures);
        Check("Egress:ResponseBytes", limits.ResponseBytes, 1024, GiB, failures);
        Check("Egress:EventBytes", limits.EventBytes, 1024, GiB, failures);
        Check("Egress:ConnectTimeout", limits.ConnectTimeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromMinutes(1), failures);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void Check(string key, int value, int least, int most, List<string> failures)
    {
        if (value < least || value > most)
        {
            failures.Add(string.Create(CultureInfo.InvariantCulture, $"{EgressOptions.Section}:{key} is {value}: it must be from {least} to {most}."));
        }
    }

    private static void Check(string key, TimeSpan value, TimeSpan least, TimeSpan most, List<string> failures)
    {
        if (value < least || value > most)
        {
            failures.Add($"{EgressOptions.Section}:{key} is {value:c}: it must be from {least:c} to {most:c}.");
        }
    }
}
