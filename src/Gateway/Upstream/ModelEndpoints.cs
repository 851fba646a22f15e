using System.Text.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Upstream;

/// <summary>The models of all upstreams as one list.</summary>
internal static class ModelEndpoints
{
    public static IEndpointRouteBuilder MapGatewayModels(this IEndpointRouteBuilder endpoints)
    {
        foreach (var prefix in UpstreamEndpoints.Prefixes)
        {
            endpoints.MapGet($"{prefix}/models", ListAsync);
            // Names hold slashes.
            endpoints.MapGet($"{prefix}/models/{{**id}}", GetAsync);
        }

        return endpoints;
    }

    private static async Task ListAsync(HttpContext context, RouteTable routes)
    {
        await routes.WaitForFirstDiscoveryAsync(context.RequestAborted);
        var filter = context.RequestServices.GetService<PassthroughModelFilter>();
        context.Response.ContentType = "application/json";
        using (var writer = new Utf8JsonWriter(context.Response.BodyWriter))
        {
            writer.WriteStartObject();
            writer.WriteString("object", "list");
            writer.WriteStartArray("data");
            foreach (var model in routes.List())
            {
                if (filter?.Invoke(context, model.Id) is null)
                {
                    Write(writer, model);
                }
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    private static async Task GetAsync(HttpContext context, RouteTable routes, string? id)
    {
        // The one escape that a path keeps, and SDKs escape the slashes of a name.
        id = (id ?? "").Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        // A name that only a glob lets through is not known to exist.
        await routes.FindAsync(id, context.RequestAborted);
        var filter = context.RequestServices.GetService<PassthroughModelFilter>();
        if (routes.List().FirstOrDefault(m => m.Id == id) is not { } model || filter?.Invoke(context, id) is not null)
        {
            context.Features.Set(ApiError.ModelNotFound(id) with { Status = StatusCodes.Status404NotFound });
            return;
        }

        context.Response.ContentType = "application/json";
        using (var writer = new Utf8JsonWriter(context.Response.BodyWriter))
        {
            Write(writer, model);
        }

        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    private static void Write(Utf8JsonWriter writer, ServedModel model)
    {
        writer.WriteStartObject();
        writer.WriteString("id", model.Id);
        writer.WriteString("object", "model");
        writer.WriteNumber("created", model.Created);
        writer.WriteString("owned_by", model.Upstream);
        writer.WriteEndObject();
    }
}
