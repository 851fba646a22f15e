using Gateway.Protocol.Json;

namespace Gateway.Responses;

/// <summary>Writes a rendered JSON document as the response's body.</summary>
internal static class JsonBody
{
    public static Task WriteAsync(HttpContext http, int status, PooledBuffer json) => WriteAsync(http, status, json, http.RequestAborted);

    public static async Task WriteAsync(HttpContext http, int status, PooledBuffer json, CancellationToken cancellationToken)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = json.Length;
        await http.Response.BodyWriter.WriteAsync(json.WrittenMemory, cancellationToken);
    }
}
