using System.Globalization;
using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Runs;
using Gateway.Store;
using Microsoft.Extensions.Options;

namespace Gateway.Responses;

/// <summary>What can be done with stored responses: get, list, list the input, delete.</summary>
internal sealed class ReadResponses(
    IResponseStore store, IRunStore runs, RunViews views, RunReader reader, RunFollower follower, FollowerPlaces places, RunHost host, IOptions<LimitsOptions> limits)
{
    /// <summary>How long the answer to a cancellation waits for the response to end.</summary>
    private static readonly TimeSpan CancelPatience = TimeSpan.FromSeconds(5);

    public async Task<ApiError?> GetAsync(HttpContext http, Dialect dialect, Tenant tenant, string id)
    {
        if (ListPage.CheckIncludes(http.Request.Query) is { } badInclude)
        {
            return badInclude;
        }

        var stream = http.Request.Query["stream"].ToString();
        if (!bool.TryParse(stream, out var streams) && stream.Length > 0)
        {
            return ApiError.InvalidType("stream", "a boolean", "a string");
        }

        if (ReadFrom(http.Request.Query, streams, out var from) is { } badStart)
        {
            return badStart;
        }

        if (!ResponseId.TryParse(id, out var responseId))
        {
            return ApiError.ResponseNotFound(id);
        }

        var key = new RunKey(tenant.Name, responseId);
        return streams ? await FollowAsync(http, key, from) : await reader.WriteAsync(http, dialect, tenant, key);
    }

    public async Task<ApiError?> DeleteAsync(HttpContext http, Tenant tenant, string id)
    {
        if (!ResponseId.TryParse(id, out var responseId)
            || !await DeleteAsync(tenant, responseId, http.RequestAborted))
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

    /// <summary>The run first: one that ends meanwhile is in the store then.</summary>
    private async ValueTask<bool> DeleteAsync(Tenant tenant, ResponseId id, CancellationToken cancellationToken) =>
        await runs.DeleteRunAsync(new RunKey(tenant.Name, id), cancellationToken) | await store.DeleteAsync(tenant.Name, id, cancellationToken);

    /// <summary>Ends a background response, on whatever replica it is made. One that has ended is shown as it is.</summary>
    public async Task<ApiError?> CancelAsync(HttpContext http, Dialect dialect, Tenant tenant, string id)
    {
        if (!ResponseId.TryParse(id, out var responseId))
        {
            return ApiError.ResponseNotFound(id);
        }

        var key = new RunKey(tenant.Name, responseId);
        var live = await views.FindAsync(key, http.RequestAborted);
        if (live is { Spec.IsBackground: false })
        {
            return NotBackground();
        }

        if (live is not null && await runs.CancelAsync(key, http.RequestAborted))
        {
            // One that waits, or whose replica is gone, is ended here.
            await host.TryTakeAsync(key, toEnd: true, http.RequestAborted);
            await follower.WaitForEndAsync(key, CancelPatience, http.RequestAborted);
        }

        if (live is null && await FindAsync(tenant, id, http.RequestAborted) is { } response && !StoredResponseWriter.IsBackground(response))
        {
            return NotBackground();
        }

        return await reader.WriteAsync(http, dialect, tenant, key);
    }

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

        var query = new ListQuery(page.Limit, after, before) { MostBytes = limits.Value.ContextBytes };
        if (await store.ListAsync(tenant.Name, query, http.RequestAborted) is not { } found)
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

        if (await FindInputAsync(tenant, id, http.RequestAborted) is not { } input)
        {
            return ApiError.ResponseNotFound(id);
        }

        var items = Turn.Kept(input).Select(ItemTable.View).ToList();
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

    /// <summary>The events of a response, as far as it keeps any.</summary>
    private async Task<ApiError?> FollowAsync(HttpContext http, RunKey key, long from)
    {
        // The run first: it ends with the commit, so what is not found as one is found as the other.
        TimeSpan? window = null;
        if (await views.FindAsync(key, http.RequestAborted) is var (_, spec))
        {
            if (!spec.KeepsEvents)
            {
                return NoEvents();
            }

            window = spec.Window;
        }
        else if (await store.GetAsync(key.Tenant, key.Id, http.RequestAborted) is null)
        {
            return ApiError.ResponseNotFound(key.Id.ToString());
        }

        if (places.TryEnter(http.GetTenant(), out var place) is { } full)
        {
            return full;
        }

        using (place)
        {
            return await follower.FollowAsync(http, key, from, window) is null ? null : NoEvents();
        }
    }

    private async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> FindInputAsync(Tenant tenant, string id, CancellationToken cancellationToken)
    {
        if (!ResponseId.TryParse(id, out var responseId))
        {
            return null;
        }

        var key = new RunKey(tenant.Name, responseId);
        if (await views.FindAsync(key, cancellationToken) is var (_, spec))
        {
            return views.Read(key, spec, Dialect.OpenAi, tenant) is { } live ? new StoredInput(responseId, live.Request.Input).Items : null;
        }

        return (await store.GetAsync(tenant.Name, responseId, cancellationToken))?.Turn.Input;
    }

    private static ApiError NotBackground() => ApiError.Invalid(null, null, "Cannot cancel a synchronous response.");

    private static ApiError NoEvents() =>
        ApiError.UnsupportedValue("stream", "This response has no stored event log: only responses that were streamed in the background, or within the resume window, can be replayed for some time.");

    /// <summary>The first event to stream: the one behind <c>starting_after</c>.</summary>
    private static ApiError? ReadFrom(IQueryCollection query, bool streams, out long from)
    {
        from = 0;
        if (query["starting_after"].ToString() is not { Length: > 0 } text)
        {
            return null;
        }

        if (!streams)
        {
            return ApiError.UnsupportedValue("starting_after", "'starting_after' can only be used with 'stream=true'.");
        }

        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var after))
        {
            return ApiError.InvalidType("starting_after", "an integer", "a string");
        }

        from = after + 1L;
        return after < 0 ? ApiError.IntegerBelowMin("starting_after", 0, text) : null;
    }

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
