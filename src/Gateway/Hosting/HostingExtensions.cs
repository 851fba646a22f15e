using Gateway.Policy;
using Gateway.Telemetry;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Gateway.Hosting;

internal static class HostingExtensions
{
    /// <summary>Time for the server and the features to close, after the drain is over.</summary>
    private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(5);

    /// <summary>Health, drain, request ids, the start-up report.</summary>
    public static IHostApplicationBuilder AddGatewayHosting(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<HostingOptions>().Bind(builder.Configuration.GetSection(HostingOptions.Section)).ValidateOnStart();
        services.AddSingleton<IValidateOptions<HostingOptions>, HostingOptionsValidator>();
        services.AddOptions<HostOptions>().Configure<IOptions<HostingOptions>>((host, hosting) => host.ShutdownTimeout = hosting.Value.DrainTimeout + CloseTime);
        services.TryAddSingleton(TimeProvider.System);
        // The slim host adds its console with a format in code, which would win over the configuration's.
        services.PostConfigure<ConsoleLoggerOptions>(
            console => console.FormatterName = builder.Configuration["Logging:Console:FormatterName"] ?? console.FormatterName);
        services.AddSingleton<Drain>();
        services.AddHostedService(provider => provider.GetRequiredService<Drain>());
        services.AddHostedService<StartupReport>();
        services.AddHostedService<RefusedSettings>();
        services.AddSingleton<IReadinessPart, ProcessReadiness>();
        services.AddKnownSection(nameof(AccessOptions.AllowAnonymous), typeof(bool));
        services.AddKnownSection("Hosting", typeof(HostingOptions));
        services.AddKnownSection(nameof(AccessOptions.Tenants), typeof(Dictionary<string, TenantOptions>));
        services.AddKnownSection(nameof(AccessOptions.Policy), typeof(PolicyOptions));
        services.AddKnownSection("Limits", typeof(LimitsOptions));
        services.AddKnownSection(nameof(AccessOptions.Admin), typeof(AdminOptions));
        return builder;
    }

    /// <summary>Lets the keys of a section below <c>Gateway</c> be checked for typing errors.</summary>
    public static void AddKnownSection(this IServiceCollection services, string name, Type options) =>
        services.AddSingleton(new KnownSection(name, options));
}
