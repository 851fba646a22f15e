using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Gateway.Egress;

internal static class EgressExtensions
{
    /// <summary>The guard for everything that goes where a client says.</summary>
    public static IHostApplicationBuilder AddGatewayEgress(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<EgressOptions>().Bind(builder.Configuration.GetSection(EgressOptions.Section)).ValidateOnStart();
        services.AddSingleton<IValidateOptions<EgressOptions>, EgressOptionsValidator>();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IHostResolver, DnsHostResolver>();
        services.TryAddSingleton<EgressGuard>();
        services.TryAddSingleton<ImageFetcher>();
        return builder;
    }
}
