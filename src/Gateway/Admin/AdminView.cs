using System.Text.Json;
using Gateway.Policy;

namespace Gateway.Admin;

/// <summary>What all views for administrators have in common: only they see it, and nobody keeps a copy.</summary>
internal abstract class AdminView(TenantDirectory tenants, ILogger logger)
{
    public async Task RunAsync(HttpContext http)
    {
        if (tenants.AuthenticateAdmin(http.Request.Headers.Authorization.ToString(), out _) is { } refused)
        {
            AdminLog.ViewRefused(logger, http.TraceIdentifier);
            http.Features.Set(refused);
            return;
        }

        http.Response.ContentType = "application/json";
        http.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        Write(json);
    }

    protected abstract void Write(Utf8JsonWriter json);
}
