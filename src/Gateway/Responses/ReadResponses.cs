using System.Globalization;
using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Responses;

/// <summary>What can be done with stored responses: get, list, list the input, delete.</summary>
internal sealed class ReadResponses(IResponseStore store)
{
    private const int DefaultLimit = 20;
    private const int MaxLimit = 100;

    public async Task<ApiError?> GetAsync(HttpContext http, Dialect dialect, Tenant tenant, string id)
    {
        if (RequestParser.CheckIncludes(http.Request.Query["include[]"].Concat(http.Request.Query["include"])) is { } badInclude)
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
        if (ReadPage(http.Request.Query, out var page) is { } bad)
        {
            return bad;
        }

        if (!TryCursor(page.After, out var after))
        {
            return UnknownCursor("after", page.After!);
        }

        if (!TryCursor(page.Before, out var before))
        {
            return UnknownCursor("before", page.Before!);
        }

        if (await store.ListAsync(tenant.Name, new ListQuery(page.Limit, after, before), http.RequestAborted) is not { } found)
        {
            return page.After is not null ? UnknownCursor("after", page.After) : UnknownCursor("before", page.Before!);
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
        await EndListAsync(http, json, first, last, found.HasMore);
        return null;
    }

    public async Task<ApiError?> ListInputItemsAsync(HttpContext http, Tenant tenant, string id)
    {
        if (ReadPage(http.Request.Query, out var page) is { } bad)
        {
            return bad;
        }

        if (RequestParser.CheckIncludes(http.Request.Query["include[]"].Concat(http.Request.Query["include"])) is { } badInclude)
        {
            return badInclude;
        }

        if (await FindAsync(tenant, id, http.RequestAborted) is not { } response)
        {
            return ApiError.ResponseNotFound(id);
        }

        var items = response.Turn.Input.Select(ItemTable.View).ToList();
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
                return UnknownCursor("after", after);
            }
        }
        else if (page.Before is { } before)
        {
            end = items.FindIndex(item => item.Id == before);
            if (end < 0)
            {
                return UnknownCursor("before", before);
            }

            start = Math.Max(0, end - page.Limit);
        }

        var shown = items[start..Math.Min(end, start + page.Limit)];
        var hasMore = page.Before is null ? start + shown.Count < items.Count : start > 0;
        using var json = new PooledBuffer(4096);
        json.Append("{\"object\":\"list\",\"data\":["u8);
        ResponseEnvelope.WriteItems([.. shown.Select(item => item.Json)], json, first: true);
        await EndListAsync(http, json, shown.Count == 0 ? null : shown[0].Id, shown.Count == 0 ? null : shown[^1].Id, hasMore);
        return null;
    }

    private static async Task EndListAsync(HttpContext http, PooledBuffer json, string? first, string? last, bool hasMore)
    {
        json.Append("],\"first_id\":"u8);
        json.AppendString(first);
        json.Append(",\"last_id\":"u8);
        json.AppendString(last);
        json.Append(hasMore ? ",\"has_more\":true}"u8 : ",\"has_more\":false}"u8);
        await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json);
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

    private static ApiError UnknownCursor(string param, string value) =>
        ApiError.InvalidValue(param, $"Invalid '{param}': no object with id '{(value.Length <= 128 ? value : value[..128])}' is in this list.");

    private static ApiError? ReadPage(IQueryCollection query, out Page page)
    {
        page = new Page(DefaultLimit, NullIfEmpty(query["after"]), NullIfEmpty(query["before"]), query["order"] == "asc");
        if (NullIfEmpty(query["limit"]) is { } text)
        {
            if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var limit))
            {
                return ApiError.InvalidType("limit", "an integer", "a string");
            }

            if (limit < 1)
            {
                return ApiError.IntegerBelowMin("limit", 1, text);
            }

            if (limit > MaxLimit)
            {
                return ApiError.IntegerAboveMax("limit", MaxLimit, text);
            }

            page = page with { Limit = limit };
        }

        if (NullIfEmpty(query["order"]) is { } order && order is not ("asc" or "desc"))
        {
            return ApiError.InvalidEnum("order", order, ["asc", "desc"]);
        }

        return page is { After: not null, Before: not null }
            ? ApiError.Invalid("mutually_exclusive_parameters", "after", "Mutually exclusive parameters: 'after' and 'before'. Ensure you are only providing one of them.")
            : null;
    }

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private sealed record Page(int Limit, string? After, string? Before, bool Ascending);
}
