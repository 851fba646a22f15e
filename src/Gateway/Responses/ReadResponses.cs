using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Responses;

/// <summary>What can be done with stored responses: get, list, list the input, delete.</summary>
internal sealed class ReadResponses(IResponseStore store)
{
    public async Task<ApiError?> GetAsync(HttpContext http, Dialect dialect, Tenant tenant, string id)
    {
        if (ListPage.CheckIncludes(http.Request.Query) is { } badInclude)
        {
            return badInclude;
        }

        if (await FindAsync(tenant, id, http.RequestAborted) is not { } response)
        {
            return ApiError.ResponseNotFound(id);
        }

        if (string.Equals(http.Request.Query["stream"], "true", StringComparison.OrdinalIgnoreCase))
        {
            return ApiError.UnsupportedValue("stream", "This response has no stored event log: only background responses that were streamed can be replayed.");
        }

        using var json = new PooledBuffer(4096);
        StoredResponseWriter.Write(response, dialect, json);
        await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json);
        return null;
    }

    public async Task<ApiError?> DeleteAsync(HttpContext http, Tenant tenant, string id)
    {
        if (!ResponseId.TryParse(id, out var responseId) || !await store.DeleteAsync(tenant.Name, responseId, http.RequestAborted))
        {
            return ApiError.ResponseNotFound(id);
        }

        // The members of both dialects: every client finds its own.
        using var json = new PooledBuffer(256);
        json.Append("{\"id\":"u8);
        json.AppendString(id);
        json.Append(",\"object\":\"response\",\"deleted\":true,\"message\":\"Response deleted successfully\"}"u8);
        await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json);
        return null;
    }

    /// <summary>Only background responses can be cancelled.</summary>
    public async Task<ApiError?> CancelAsync(HttpContext http, Tenant tenant, string id) =>
        await FindAsync(tenant, id, http.RequestAborted) is null
            ? ApiError.ResponseNotFound(id)
            : ApiError.Invalid(null, null, "Cannot cancel a synchronous response.");

    public async Task<ApiError?> ListAsync(HttpContext http, Dialect dialect, Tenant tenant)
    {
        if (ListPage.Read(http.Request.Query, out var page) is { } bad)
        {
            return bad;
        }

        if (!TryCursor(page.After, out var after))
        {
            return ListPage.UnknownCursor("after", page.After!);
        }

        if (!TryCursor(page.Before, out var before))
        {
            return ListPage.UnknownCursor("before", page.Before!);
        }

        if (await store.ListAsync(tenant.Name, new ListQuery(page.Limit, after, before), http.RequestAborted) is not { } found)
        {
            return page.After is not null ? ListPage.UnknownCursor("after", page.After) : ListPage.UnknownCursor("before", page.Before!);
        }

        using var json = new PooledBuffer(8192);
        json.Append("{\"object\":\"list\",\"data\":["u8);
        for (var i = 0; i < found.Data.Count; i++)
        {
            if (i > 0)
            {
                json.Append((byte)',');
            }

            StoredResponseWriter.Write(found.Data[i], dialect, json);
        }

        var first = found.Data.Count == 0 ? null : found.Data[0].Record.Id.ToString();
        var last = found.Data.Count == 0 ? null : found.Data[^1].Record.Id.ToString();
        await ListPage.EndAsync(http, json, first, last, found.HasMore);
        return null;
    }

    public async Task<ApiError?> ListInputItemsAsync(HttpContext http, Tenant tenant, string id)
    {
        if (ListPage.Read(http.Request.Query, out var page) is { } bad)
        {
            return bad;
        }

        if (ListPage.CheckIncludes(http.Request.Query) is { } badInclude)
        {
            return badInclude;
        }

        if (await FindAsync(tenant, id, http.RequestAborted) is not { } response)
        {
            return ApiError.ResponseNotFound(id);
        }

        var items = Turn.Kept(response.Turn.Input).Select(ItemTable.View).ToList();
        if (!page.Ascending)
        {
            items.Reverse();
        }

        var start = 0;
        var end = items.Count;
        if (page.After is { } after)
        {
            // The last of its id, as references may be repeated: the list must come to an end.
            start = items.FindLastIndex(item => item.Id == after) + 1;
            if (start == 0)
            {
                return ListPage.UnknownCursor("after", after);
            }
        }
        else if (page.Before is { } before)
        {
            end = items.FindIndex(item => item.Id == before);
            if (end < 0)
            {
                return ListPage.UnknownCursor("before", before);
            }

            start = Math.Max(0, end - page.Limit);
        }

        var shown = items[start..Math.Min(end, start + page.Limit)];
        var hasMore = page.Before is null ? start + shown.Count < items.Count : start > 0;
        using var json = new PooledBuffer(4096);
        json.Append("{\"object\":\"list\",\"data\":["u8);
        ResponseEnvelope.WriteItems([.. shown.Select(item => item.Json)], json, first: true);
        await ListPage.EndAsync(http, json, shown.Count == 0 ? null : shown[0].Id, shown.Count == 0 ? null : shown[^1].Id, hasMore);
        return null;
    }

    private async ValueTask<StoredResponse?> FindAsync(Tenant tenant, string id, CancellationToken cancellationToken) =>
        ResponseId.TryParse(id, out var responseId) ? await store.GetAsync(tenant.Name, responseId, cancellationToken) : null;

    private static bool TryCursor(string? text, out ResponseId? id)
    {
        id = null;
        if (text is null)
        {
            return true;
        }

        var ok = ResponseId.TryParse(text, out var parsed);
        id = parsed;
        return ok;
    }
}
