using Gateway.Protocol.Responses;
using Microsoft.Extensions.Primitives;

namespace Gateway.Hosting;

/// <summary>Counts the requests that run, and refuses new work while draining.</summary>
internal sealed class DrainMiddleware(RequestDelegate next, Drain drain)
{
    private static readonly StringValues Close = "close";

    public async Task InvokeAsync(HttpContext context)
    {
        drain.RequestStarted();
        try
        {
            if (!drain.IsDraining)
            {
                await next(context);
                return;
            }

            if (HttpProtocol.IsHttp11(context.Request.Protocol))
            {
                // The client's next request should find another replica. Later protocols have no such header.
                context.Response.Headers.Connection = Close;
            }

            if (HttpMethods.IsPost(context.Request.Method))
            {
                var error = ApiError.Stopping();
                context.Response.StatusCode = error.Status;
                context.Response.Headers.RetryAfter = "1";
                context.Features.Set(error);
                return;
            }

            await next(context);
        }
        finally
        {
            drain.RequestEnded();
        }
    }
}
