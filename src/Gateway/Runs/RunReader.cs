using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Responses;
using Gateway.Store;

namespace Gateway.Runs;

/// <summary>Writes a response object, whether it has ended or is still being made.</summary>
internal sealed class RunReader(IResponseStore store, RunViews views)
{
    /// <summary>Writes the response as it is now, or says that there is none.</summary>
    public async Task<ApiError?> WriteAsync(HttpContext http, Dialect dialect, Tenant tenant, RunKey key)
    {
        // The run first: it ends with the commit, so what is not found as one is found as the other.
        var live = await views.FindAsync(key, http.RequestAborted);
        using var json = new PooledBuffer(4096);
        if (live is var (run, spec))
        {
            if (views.Read(key, spec, dialect, tenant) is { } response)
            {
                RunViews.Write(response, run.HasBegun, json);
                await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json);
                return null;
            }
        }
        else if (await store.GetAsync(key.Tenant, key.Id, http.RequestAborted) is { } ended)
        {
            StoredResponseWriter.Write(ended, dialect, json);
            await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json);
            return null;
        }

        return ApiError.ResponseNotFound(key.Id.ToString());
    }
}
