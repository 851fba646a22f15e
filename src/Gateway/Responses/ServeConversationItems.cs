using Gateway.Conversations;
using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Runs;
using Gateway.Store;
using Microsoft.Extensions.Options;

namespace Gateway.Responses;

/// <summary>The items of a conversation: list, add, get, delete.</summary>
internal sealed class ServeConversationItems(
    IConversationStore store, ConversationInput input, IdempotencyKeys keys, IOptions<LimitsOptions> limits)
{
    public async Task<ApiError?> ListAsync(HttpContext http, Tenant tenant, string id)
    {
        if ((ListPage.Read(http.Request.Query, out var page) ?? ListPage.CheckIncludes(http.Request.Query)) is { } bad)
        {
            return bad;
        }

        if (page.Before is not null)
        {
            return ApiError.UnsupportedParameter("before", "is not supported for this list.");
        }

        (ResponseId Turn, int Index)? after = null;
        if (page.After is not null)
        {
            if (!ResponseId.TryParseItem(page.After, out var turn, out var index))
            {
                return await ExistsAsync(http, tenant, id) ? ListPage.UnknownCursor("after", page.After) : ApiError.ConversationNotFound(id);
            }

            after = (turn, index);
        }

        if (!ConversationId.TryParse(id, out var conversationId)
            || await store.ListItemsAsync(tenant.Name, conversationId, new ItemQuery(page.Limit, page.Ascending, after), http.RequestAborted) is not { } found)
        {
            return ApiError.ConversationNotFound(id);
        }

        // The place of an item that was deleted is still known: a client may go on behind it.
        if (page.After is not null && (found.Cursor is not { } cursor || !(cursor.IsEmpty || ItemTable.View(cursor).Id == page.After)))
        {
            return ListPage.UnknownCursor("after", page.After);
        }

        await WriteListAsync(http, found.Items, found.HasMore);
        return null;
    }

    public async Task<ApiError?> AddAsync(HttpContext http, Tenant tenant, string id)
    {
        using var body = await RequestBody.ReadAsync(http);
        if ((RequestParser.ParseConversationItems(body.WrittenMemory, ServeConversations.RulesOf(tenant, limits.Value), out var request)
            ?? ListPage.CheckIncludes(http.Request.Query)) is { } invalid)
        {
            return invalid;
        }

        if (!tenant.Policy.StoreAllowed)
        {
            return ApiError.StorageNotAllowed();
        }

        if (!ConversationId.TryParse(id, out var conversationId))
        {
            return ApiError.ConversationNotFound(id);
        }

        if (IdempotencyKeys.Read(http.Request, id, body.WrittenMemory, out var key) is { } badKey)
        {
            return badKey;
        }

        var newTurn = conversationId.NewTurn();
        if (key is not null)
        {
            var (name, clash) = await keys.NameAsync(tenant.Name, key, newTurn.ToString(), http.RequestAborted);
            if (clash is not null)
            {
                return ServeConversations.Clash(http, clash);
            }

            if (!ResponseId.TryParse(name, out newTurn))
            {
                throw new NewerFormatException("The name under an Idempotency-Key");
            }

            if (await store.FindTurnAsync(tenant.Name, conversationId, newTurn, http.RequestAborted) is { } added)
            {
                await WriteListAsync(http, Turn.Kept(added.Input), hasMore: false);
                return null;
            }
        }

        var (items, broken) = await input.ReadAsync(tenant.Name, conversationId, newTurn, request!.Items, limits.Value.ContextBytes, http.RequestAborted);
        if (items is null)
        {
            return broken;
        }

        var access = await store.AddItemsAsync(
            tenant.Name, conversationId, items, limits.Value.ContextBytes, tenant.Policy.RetentionOf(RetentionClass.Conversations), http.RequestAborted);
        if (ConversationErrors.Of(access, conversationId, "items") is { } refused)
        {
            return refused;
        }

        await WriteListAsync(http, items.Items, hasMore: false);
        return null;
    }

    public async Task<ApiError?> GetAsync(HttpContext http, Tenant tenant, string id, string item)
    {
        if (ListPage.CheckIncludes(http.Request.Query) is { } bad)
        {
            return bad;
        }

        if (!ConversationId.TryParse(id, out var conversationId) || !await ExistsAsync(http, tenant, id))
        {
            return ApiError.ConversationNotFound(id);
        }

        if (!ResponseId.TryParseItem(item, out var turnId, out var index)
            || await store.FindTurnAsync(tenant.Name, conversationId, turnId, http.RequestAborted) is not { } turn
            || TurnItems.Find(turn, index, item) is not { } found)
        {
            return ApiError.ConversationItemNotFound(item);
        }

        using var json = new PooledBuffer(found.Json.Length);
        json.Append(found.Json.Span);
        await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json);
        return null;
    }

    public async Task<ApiError?> DeleteAsync(HttpContext http, Tenant tenant, string id, string item)
    {
        if (!ConversationId.TryParse(id, out var conversationId)
            || await store.GetConversationAsync(tenant.Name, conversationId, http.RequestAborted) is not { } conversation)
        {
            return ApiError.ConversationNotFound(id);
        }

        if (!ResponseId.TryParseItem(item, out var turnId, out var index)
            || !await store.EditTurnAsync(tenant.Name, conversationId, turnId, turn => TurnItems.Without(turn, index, item), http.RequestAborted))
        {
            return ApiError.ConversationItemNotFound(item);
        }

        await ServeConversations.WriteAsync(http, conversation);
        return null;
    }

    private static async Task WriteListAsync(HttpContext http, IReadOnlyList<ReadOnlyMemory<byte>> items, bool hasMore)
    {
        using var json = new PooledBuffer(4096);
        json.Append("{\"object\":\"list\",\"data\":["u8);
        ResponseEnvelope.WriteItems(items, json, first: true);
        var (first, last) = items.Count == 0 ? (null, null) : (ItemTable.View(items[0]).Id, ItemTable.View(items[^1]).Id);
        await ListPage.EndAsync(http, json, first, last, hasMore);
    }

    private async ValueTask<bool> ExistsAsync(HttpContext http, Tenant tenant, string id) =>
        ConversationId.TryParse(id, out var conversationId)
        && await store.GetConversationAsync(tenant.Name, conversationId, http.RequestAborted) is not null;
}
