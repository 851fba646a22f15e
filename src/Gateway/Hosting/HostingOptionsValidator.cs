using Microsoft.Extensions.Options;

namespace Gateway.Hosting;

internal sealed class HostingOptionsValidator : IValidateOptions<HostingOptions>
{
    public ValidateOptionsResult Validate(string? name, HostingOptions options) =>
        options.DrainTimeout < TimeSpan.Zero || options.DrainTimeout > TimeSpan.FromHours(1)
            ? ValidateOptionsResult.Fail($"{HostingOptions.Section}:{nameof(options.DrainTimeout)} is {options.DrainTimeout:c}: it must be from 00:00:00 to 01:00:00.")
            : ValidateOptionsResult.Success;
}
