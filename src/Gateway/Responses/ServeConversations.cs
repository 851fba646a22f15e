using System.Globalization;
using Gateway.Conversations;
using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Runs;
using Gateway.Store;
using Microsoft.Extensions.Options;

namespace Gateway.Responses;

/// <summary>Conversations themselves: create, get, set the metadata, delete.</summary>
internal sealed class ServeConversations(
    IConversationStore store, ConversationInput input, IdempotencyKeys keys, IOptions<LimitsOptions> limits, TimeProvider time)
{
    public async Task<ApiError?> CreateAsync(HttpContext http, Tenant tenant)
    {
        using var body = await RequestBody.ReadAsync(http);
        if (RequestParser.ParseConversation(body.WrittenMemory, RulesOf(tenant, limits.Value), out var request) is { } invalid)
        {
            return invalid;
        }

        if (!tenant.Policy.StoreAllowed)
        {
            return ApiError.StorageNotAllowed();
        }

        if (IdempotencyKeys.Read(http.Request, "conversations", body.WrittenMemory, out var key) is { } badKey)
        {
            return badKey;
        }

        var conversation = new StoredConversation(ConversationId.New(), time.GetUtcNow(), MetadataOf(request!));
        var turn = conversation.Id.NewTurn();
        if (key is not null)
        {
            var (names, clash) = await keys.NameAsync(tenant.Name, key, NamesOf(conversation, turn), http.RequestAborted);
            if (clash is not null)
            {
                return Clash(http, clash);
            }

            (conversation, turn) = ReadNames(names!, conversation);
            if (await keys.IsDoneAsync(tenant.Name, key, http.RequestAborted))
            {
                // Not made once more: it may have been deleted since.
                await WriteAsync(http, conversation);
                return null;
            }
        }

        var (items, broken) = await input.ReadAsync(tenant.Name, conversation.Id, turn, request!.Items, limits.Value.ContextBytes, http.RequestAborted);
        if (broken is not null)
        {
            return broken;
        }

        await store.CreateConversationAsync(
            new ConversationStart
            {
                Tenant = tenant.Name,
                Id = conversation.Id,
                CreatedAt = conversation.CreatedAt,
                Metadata = conversation.Metadata,
                Items = items,
                Retention = tenant.Policy.RetentionOf(RetentionClass.Conversations),
            },
            http.RequestAborted);
        if (key is not null)
        {
            await keys.SetDoneAsync(tenant.Name, key, http.RequestAborted);
        }

        await WriteAsync(http, conversation);
        return null;
    }

    public async Task<ApiError?> GetAsync(HttpContext http, Tenant tenant, string id)
    {
        if (!ConversationId.TryParse(id, out var conversationId)
            || await store.GetConversationAsync(tenant.Name, conversationId, http.RequestAborted) is not { } conversation)
        {
            return ApiError.ConversationNotFound(id);
        }

        await WriteAsync(http, conversation);
        return null;
    }

    public async Task<ApiError?> UpdateAsync(HttpContext http, Tenant tenant, string id)
    {
        using var body = await RequestBody.ReadAsync(http);
        if (RequestParser.ParseConversationUpdate(body.WrittenMemory, RulesOf(tenant, limits.Value), out var request) is { } invalid)
        {
            return invalid;
        }

        if (!tenant.Policy.StoreAllowed)
        {
            return ApiError.StorageNotAllowed();
        }

        if (!ConversationId.TryParse(id, out var conversationId)
            || await store.SetMetadataAsync(tenant.Name, conversationId, MetadataOf(request!), tenant.Policy.RetentionOf(RetentionClass.Conversations), http.RequestAborted)
                is not { } conversation)
        {
            return ApiError.ConversationNotFound(id);
        }

        await WriteAsync(http, conversation);
        return null;
    }

    public async Task<ApiError?> DeleteAsync(HttpContext http, Tenant tenant, string id)
    {
        if (!ConversationId.TryParse(id, out var conversationId)
            || !await store.DeleteConversationAsync(tenant.Name, conversationId, http.RequestAborted))
        {
            return ApiError.ConversationNotFound(id);
        }

        using var json = new PooledBuffer(256);
        json.Append("{\"id\":"u8);
        json.AppendString(id);
        json.Append(",\"object\":\"conversation.deleted\",\"deleted\":true}"u8);
        await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json);
        return null;
    }

    public static RequestRules RulesOf(Tenant tenant, LimitsOptions limits) =>
        RequestRules.Default with { StrictParameters = tenant.Policy.StrictParameters, MaxDepth = limits.JsonDepth };

    /// <summary>Answers a request whose key another one has. One with another body stays refused: stock clients would try a 409 again.</summary>
    public static ApiError Clash(HttpContext http, ApiError error)
    {
        if (error == ApiError.IdempotencyKeyReused())
        {
            http.Response.Headers[CreateResponse.ShouldRetryHeader] = "false";
        }

        return error;
    }

    /// <summary>Writes a conversation as the response's body.</summary>
    public static async Task WriteAsync(HttpContext http, StoredConversation conversation)
    {
        using var json = new PooledBuffer(512);
        json.Append("{\"id\":"u8);
        json.AppendString(conversation.Id.ToString());
        json.Append(",\"object\":\"conversation\",\"created_at\":"u8);
        json.Append(conversation.CreatedAt.ToUnixTimeSeconds());
        json.Append(",\"metadata\":"u8);
        json.Append(conversation.Metadata.Span);
        json.Append((byte)'}');
        await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json);
    }

    private static string NamesOf(StoredConversation conversation, ResponseId turn) =>
        string.Create(CultureInfo.InvariantCulture, $"{conversation.Id}.{turn}.{conversation.CreatedAt.ToUnixTimeMilliseconds()}");

    /// <summary>The conversation under the names of the first request, whose body was the same.</summary>
    private static (StoredConversation Conversation, ResponseId Turn) ReadNames(string names, StoredConversation conversation) =>
        names.Split('.') is [var id, var turn, var created]
        && ConversationId.TryParse(id, out var firstId)
        && ResponseId.TryParse(turn, out var firstTurn)
        && long.TryParse(created, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            ? (conversation with { Id = firstId, CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) }, firstTurn)
            : throw new NewerFormatException("What stands under an Idempotency-Key");

    /// <summary>A copy: a write that timed out may still be read by the connection when the body's buffer serves another request.</summary>
    private static ReadOnlyMemory<byte> MetadataOf(ConversationRequest request) => request.Metadata.IsEmpty ? "{}"u8.ToArray() : request.Metadata.ToArray();
}
