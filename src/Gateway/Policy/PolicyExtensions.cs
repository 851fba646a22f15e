using Gateway.Telemetry;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Gateway.Policy;

internal static class PolicyExtensions
{
    /// <summary>Tenants, policies and limits.</summary>
    public static IHostApplicationBuilder AddGatewayPolicy(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<AccessOptions>().Bind(builder.Configuration.GetSection(AccessOptions.Section)).ValidateOnStart();
        services.AddSingleton<IValidateOptions<AccessOptions>, AccessOptionsValidator>();
        services.AddOptions<LimitsOptions>().Bind(builder.Configuration.GetSection(LimitsOptions.Section)).ValidateOnStart();
        services.AddSingleton<IValidateOptions<LimitsOptions>, LimitsOptionsValidator>();
        services.TryAddSingleton<TenantDirectory>();
        services.TryAddSingleton<OpenStreamLimiter>();
        services.TryAddSingleton<StopDeadline>();
        services.AddSingleton<IStartupLine, TenantLine>();
        return builder;
    }

    /// <summary>Refuses requests without a tenant; the error goes to the middleware before this one, as the feature <c>ApiError</c>.</summary>
    public static void UseGatewayTenants(this IApplicationBuilder app) => app.UseMiddleware<TenantMiddleware>();

    /// <summary>The tenant of the request. There is one wherever <see cref="UseGatewayTenants"/> let the request through.</summary>
    public static Tenant GetTenant(this HttpContext context) =>
        context.Features.Get<Tenant>() ?? throw new InvalidOperationException("The request has no tenant: its endpoint is open to everyone.");
}
