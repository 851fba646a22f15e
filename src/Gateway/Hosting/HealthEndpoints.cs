using System.Text.Json;
using Gateway.Telemetry;

namespace Gateway.Hosting;

/// <summary><c>/health/live</c>: the process answers. <c>/health/ready</c>: it may be sent requests; its body tells the parts.</summary>
internal static class HealthEndpoints
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public static void MapGatewayHealth(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapMethods("/health/live", Methods, context => WriteAsync(context, [], ready: true)).AllowAnonymous();
        endpoints.MapMethods("/health/ready", Methods, ReadyAsync).AllowAnonymous();
    }

    private static Task ReadyAsync(HttpContext context)
    {
        var parts = context.RequestServices.GetServices<IReadinessPart>().Select(part => (part.Name, State: part.Check())).ToList();
        return WriteAsync(context, parts, parts.TrueForAll(part => part.State.Ready));
    }

    private static async Task WriteAsync(HttpContext context, List<(string Name, ReadinessState State)> parts, bool ready)
    {
        context.Response.StatusCode = ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        if (HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }

        await using (var json = new Utf8JsonWriter(context.Response.BodyWriter))
        {
            json.WriteStartObject();
            json.WriteString("status", ready ? "ok" : "unavailable");
            if (parts.Count > 0)
            {
                json.WriteStartObject("parts");
                foreach (var (name, state) in parts)
                {
                    json.WriteStartObject(name);
                    json.WriteBoolean("ready", state.Ready);
                    json.WriteString("status", state.Status);
                    if (state.Detail is { } detail)
                    {
                        json.WriteString("detail", detail);
                    }

                    json.WriteEndObject();
                }

                json.WriteEndObject();
            }

            json.WriteEndObject();
        }
    }
}
