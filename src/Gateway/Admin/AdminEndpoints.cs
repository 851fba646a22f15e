using Gateway.Policy;

namespace Gateway.Admin;

/// <summary>The routes of administrators. They have keys of their own; without any there are no such routes.</summary>
internal static class AdminEndpoints
{
    public static void AddGatewayAdmin(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<EraseTenant>();
        builder.Services.AddSingleton<ShowUpstreams>();
        builder.Services.AddSingleton<ShowConfiguration>();
    }

    /// <summary>Keeps administrators' routes on their own port, if they have one.</summary>
    public static void UseGatewayAdminPort(this IApplicationBuilder app) => app.UseMiddleware<AdminPortMiddleware>();

    public static void MapGatewayAdmin(this IEndpointRouteBuilder app)
    {
        var services = app.ServiceProvider;
        if (services.GetRequiredService<TenantDirectory>().HasAdminKeys)
        {
            Map(app, "/admin/tenants/{tenant}", HttpMethods.Delete, services.GetRequiredService<EraseTenant>().RunAsync);
            Map(app, "/admin/upstreams", HttpMethods.Get, services.GetRequiredService<ShowUpstreams>().RunAsync);
            Map(app, "/admin/configuration", HttpMethods.Get, services.GetRequiredService<ShowConfiguration>().RunAsync);
        }
    }

    /// <summary>Open to the tenants' middleware: a tenant's key opens nothing here, and an administrator is no tenant.</summary>
    private static void Map(IEndpointRouteBuilder app, string path, string method, RequestDelegate run) =>
        app.MapMethods(path, [method], run).AllowAnonymous().WithMetadata(AdminRoute.Instance);
}
