using Gateway.Protocol.Json;

namespace Gateway.Responses;

/// <summary>Reads a request's body.</summary>
internal static class RequestBody
{
    private const int MaxInitialBytes = 1024 * 1024;

    /// <summary>The whole body; the server holds it to its limit of bytes.</summary>
    public static async Task<PooledBuffer> ReadAsync(HttpContext http)
    {
        var buffer = new PooledBuffer((int)Math.Clamp(http.Request.ContentLength + 1 ?? 4096, 4096, MaxInitialBytes));
        try
        {
            int count;
            while ((count = await http.Request.Body.ReadAsync(buffer.GetMemory(1), http.RequestAborted)) > 0)
            {
                buffer.Advance(count);
            }

            return buffer;
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }
}
