using Gateway.Policy;

namespace Gateway.Responses;

/// <summary>Where a dialect lets clients name their account, it must be the key's.</summary>
internal sealed class AccountMiddleware(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext http)
    {
        if (http.Features.Get<Tenant>() is { } tenant
            && ResponsesEndpoints.AccountHeaderOf(http.Request.Path) is { } header
            && TenantDirectory.CheckAccount(tenant, http.Request.Headers[header].ToString()) is { } error)
        {
            http.Features.Set(error);
            return Task.CompletedTask;
        }

        return next(http);
    }
}
