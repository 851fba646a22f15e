using Microsoft.AspNetCore.Authorization;

namespace Gateway.Policy;

/// <summary>
/// Finds the tenant before anything else is done for a request, and refuses a request without one. Everything needs a tenant, the operator's
/// own proxy routes too, except the endpoints that are marked open (health, metrics).
/// </summary>
internal sealed class TenantMiddleware(RequestDelegate next, TenantDirectory tenants)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            return next(context);
        }

        // Two Authorization headers become one text with a comma in it, which is no key.
        if (tenants.Authenticate(context.Request.Headers.Authorization.ToString(), out var tenant) is { } error)
        {
            context.Response.StatusCode = error.Status;
            context.Features.Set(error);
            return Task.CompletedTask;
        }

        context.Features.Set(tenant);
        return next(context);
    }
}
