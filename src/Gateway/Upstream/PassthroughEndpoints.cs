using Gateway.Protocol.Responses;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

internal static class PassthroughEndpoints
{
    /// <summary>The stateless inference routes. All else a server may offer would show one tenant's data to another: they share one key.</summary>
    private static readonly string[] Paths = ["chat/completions", "completions", "embeddings", "rerank", "score", "audio/*", "images/*"];

    public static IEndpointRouteBuilder MapGatewayPassthrough(this IEndpointRouteBuilder endpoints)
    {
        var own = endpoints.ServiceProvider.GetRequiredService<IOptions<PassthroughOptions>>().Value.Paths;
        foreach (var path in Paths.Concat(own).Distinct(StringComparer.OrdinalIgnoreCase))
        {
            foreach (var prefix in UpstreamEndpoints.Prefixes)
            {
                var pattern = path.EndsWith("/*", StringComparison.Ordinal) ? $"{prefix}/{path[..^1]}{{**rest}}" : $"{prefix}/{path}";
                endpoints.MapPost(pattern, (HttpContext context, Passthrough passthrough) => ForwardAsync(context, passthrough, prefix))
                    .WithDisplayName($"Passthrough {pattern}");
            }
        }

        return endpoints;
    }

    private static Task ForwardAsync(HttpContext context, Passthrough passthrough, string prefix)
    {
        var path = context.Request.Path.Value![prefix.Length..];
        // A dot segment that is still here was hidden by encoding: it would leave the listed routes at a server that decodes once more.
        if (path.Contains("..", StringComparison.Ordinal) || path.Contains('%', StringComparison.Ordinal) || path.Contains('\\', StringComparison.Ordinal))
        {
            context.Features.Set(new ApiError(StatusCodes.Status404NotFound, ApiError.InvalidRequestType, null, null, "Unknown path."));
            return Task.CompletedTask;
        }

        return passthrough.ForwardAsync(context, path);
    }
}
