using Gateway.Policy;
using Gateway.Protocol.Responses;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace Gateway.Admin;

/// <summary>
/// With <c>Gateway:Admin:Port</c>, administrators' routes are there and nowhere else, and nothing else is there but health and metrics. By the
/// port of the connection: what a client says of the host proves nothing.
/// </summary>
internal sealed class AdminPortMiddleware(RequestDelegate next, IOptions<AccessOptions> access)
{
    private readonly int? _port = access.Value.Admin.Port;

    public Task InvokeAsync(HttpContext context)
    {
        if (_port is null || IsInPlace(context, _port.Value))
        {
            return next(context);
        }

        context.Features.Set(new ApiError(StatusCodes.Status404NotFound, ApiError.InvalidRequestType, "unknown_url", null, "Unknown request URL. It is not served on this port."));
        return Task.CompletedTask;
    }

    private static bool IsInPlace(HttpContext context, int port)
    {
        var metadata = context.GetEndpoint()?.Metadata;
        var isAdmin = metadata?.GetMetadata<AdminRoute>() is not null;
        return isAdmin == (context.Connection.LocalPort == port) || (!isAdmin && metadata?.GetMetadata<IAllowAnonymous>() is not null);
    }
}
