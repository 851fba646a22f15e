using Microsoft.Extensions.Options;

namespace Gateway.Upstream.Probing;

internal sealed class ProbingOptionsValidator : IValidateOptions<ProbingOptions>
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    public ValidateOptionsResult Validate(string? name, ProbingOptions options)
    {
        List<string> errors = [];
        Check(nameof(options.Timeout), options.Timeout);
        Check(nameof(options.Interval), options.Interval);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void Check(string key, TimeSpan value)
        {
            if (value <= TimeSpan.Zero || value > Longest)
            {
                errors.Add($"{ProbingOptions.Section}:{key} is '{value}': it must be longer than zero and at most {Longest}.");
            }
        }
    }
}
