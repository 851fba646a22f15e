using System.Text.Json;
using Gateway.Policy;
using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Admin;

/// <summary>
/// <c>DELETE /admin/tenants/{tenant}</c>: erases all that is kept of a tenant, configured or not, and tells how much it was. The same call again
/// is harmless and tells what was left.
/// </summary>
internal sealed class EraseTenant(TenantDirectory tenants, ITenantEraser store, ILogger<EraseTenant> logger)
{
    public async Task RunAsync(HttpContext http)
    {
        if (tenants.AuthenticateAdmin(http.Request.Headers.Authorization.ToString(), out var key) is { } refused)
        {
            AdminLog.Refused(logger, http.TraceIdentifier);
            http.Features.Set(refused);
            return;
        }

        var tenant = (string)http.Request.RouteValues["tenant"]!;
        if (!TenantName.IsValid(tenant))
        {
            http.Features.Set(ApiError.InvalidValue("tenant", "This is no tenant's name: 1 to 63 lower-case letters, digits, '.', '_', '-', the first a letter or digit."));
            return;
        }

        AdminLog.Erasing(logger, tenant, http.TraceIdentifier, key);
        var erased = await store.EraseTenantAsync(tenant, http.RequestAborted);
        AdminLog.Erased(logger, tenant, erased.Responses, erased.Entries, http.TraceIdentifier, key);

        http.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("object", "tenant");
        json.WriteString("tenant", tenant);
        json.WriteBoolean("deleted", true);
        json.WriteNumber("responses", erased.Responses);
        json.WriteNumber("entries", erased.Entries);
        json.WriteEndObject();
    }
}
