using System.Globalization;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

internal sealed class RoutingOptionsValidator : IValidateOptions<RoutingOptions>
{
    private static readonly TimeSpan LongestStart = TimeSpan.FromHours(1);
    private const int MostPerSecond = 10_000;

    public ValidateOptionsResult Validate(string? name, RoutingOptions options)
    {
        List<string> errors = [];
        if (options.SlowStart < TimeSpan.Zero || options.SlowStart > LongestStart)
        {
            errors.Add($"{RoutingOptions.Section}:SlowStart is '{options.SlowStart}': it must be zero to {LongestStart}.");
        }

        var budget = options.RetryBudget;
        if (!(budget.Ratio is >= 0 and <= 1))
        {
            errors.Add(string.Create(CultureInfo.InvariantCulture, $"{RoutingOptions.Section}:RetryBudget:Ratio is '{budget.Ratio}': it must be 0 to 1."));
        }

        if (budget.PerSecond is < 0 or > MostPerSecond)
        {
            errors.Add($"{RoutingOptions.Section}:RetryBudget:PerSecond is '{budget.PerSecond}': it must be 0 to {MostPerSecond}.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
