using Gateway.Policy;

namespace Gateway.Admin;

/// <summary>The routes of administrators. They have keys of their own; without any there are no such routes.</summary>
internal static class AdminEndpoints
{
    public static void AddGatewayAdmin(this IHostApplicationBuilder builder) => builder.Services.AddSingleton<EraseTenant>();

    public static void MapGatewayAdmin(this IEndpointRouteBuilder app)
    {
        if (app.ServiceProvider.GetRequiredService<TenantDirectory>().HasAdminKeys)
        {
            // Open to the tenants' middleware: a tenant's key opens nothing here, and an administrator is no tenant.
            app.MapMethods("/admin/tenants/{tenant}", [HttpMethods.Delete], app.ServiceProvider.GetRequiredService<EraseTenant>().RunAsync).AllowAnonymous();
        }
    }
}
