using System.Globalization;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Store;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Connections;

namespace Gateway.Responses;

/// <summary>
/// The one place where errors become answers. Features say what is wrong by <c>Features.Set&lt;ApiError&gt;</c>; what is thrown is named here:
/// a request that breaks HTTP's rules, a store that is away, or a bug of ours.
/// </summary>
internal sealed class ErrorMiddleware(RequestDelegate next, GatewayMetrics metrics, ILogger<ErrorMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext http)
    {
        try
        {
            await next(http);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client has left: nobody to tell.
            return;
        }
        catch (Exception e) when (e is Tools.ClientGoneException or ConnectionResetException)
        {
            // The same, while the answer was written, or in the middle of the request's body.
            return;
        }
        catch (BadHttpRequestException e)
        {
            http.Features.Set(ToError(e));
        }
        catch (NewerFormatException e)
        {
            ResponsesLog.NewerFormat(logger, e.Message);
            http.Features.Set(ApiError.StoredByNewerVersion());
        }
        catch (StoreUnavailableException e)
        {
            ResponsesLog.StoreUnavailable(logger, e);
            http.Features.Set(ApiError.StoreUnavailable());
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            ResponsesLog.Bug(logger, http.TraceIdentifier, e.GetType().Name, e.StackTrace);
            http.Features.Set(ApiError.Internal());
        }

        // Nothing has this path, with a tenant's key or none needed: most often a base URL without /v1.
        if (http.GetEndpoint() is null && http.Response is { StatusCode: StatusCodes.Status404NotFound, HasStarted: false } && http.Features.Get<ApiError>() is null)
        {
            http.Features.Set(ResponsesEndpoints.NotServed(http));
        }

        if (http.Features.Get<ApiError>() is { } error && !http.Response.HasStarted)
        {
            await WriteAsync(http, error);
        }
    }

    private static ApiError ToError(BadHttpRequestException e) => e.StatusCode == StatusCodes.Status413PayloadTooLarge
        ? new ApiError(413, ApiError.InvalidRequestType, "request_too_large", null, "The request body is larger than this gateway takes.")
        : new ApiError(e.StatusCode, ApiError.InvalidRequestType, null, null, "The request could not be read.");

    private async Task WriteAsync(HttpContext http, ApiError error)
    {
        var dialect = ResponsesEndpoints.DialectOf(http.Request.Path);
        error = dialect.Translate(error);
        metrics.ErrorTold(error.Status, error.Code);
        if (error.RetryAfter is { } wait)
        {
            http.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            http.Response.Headers["retry-after-ms"] = ((long)wait.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        }

        using var json = new PooledBuffer(512);
        dialect.WriteErrorBody(error, json);
        await JsonBody.WriteAsync(http, error.Status, json);
    }
}
