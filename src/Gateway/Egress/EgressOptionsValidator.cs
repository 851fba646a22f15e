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
        var images = options.Images;
        Check("Images:MaxImages", images.MaxImages, 0, 1000, failures);
        Check("Images:ImageBytes", images.ImageBytes, 1024, GiB, failures);
        Check("Images:TotalBytes", images.TotalBytes, 1024, GiB, failures);
        Check("Images:Concurrency", images.Concurrency, 1, 64, failures);
        Check("Images:Timeout", images.Timeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromMinutes(10), failures);
        if (images.ImageBytes > limits.ResponseBytes)
        {
            failures.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{EgressOptions.Section}:Images:ImageBytes is {images.ImageBytes}: it must not be above Egress:ResponseBytes, which is {limits.ResponseBytes}."));
        }

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
