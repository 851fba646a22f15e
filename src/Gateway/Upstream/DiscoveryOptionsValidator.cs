using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

internal sealed class DiscoveryOptionsValidator : IValidateOptions<DiscoveryOptions>
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    public ValidateOptionsResult Validate(string? name, DiscoveryOptions options)
    {
        List<string> errors = [];
        Check(nameof(options.Interval), options.Interval);
        Check(nameof(options.RetryInterval), options.RetryInterval);
        Check(nameof(options.Timeout), options.Timeout);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void Check(string key, TimeSpan value)
        {
            if (value <= TimeSpan.Zero || value > Longest)
            {
                errors.Add($"{DiscoveryOptions.Section}:{key} is '{value}': it must be longer than zero and at most {Longest}.");
            }
        }
    }
}
