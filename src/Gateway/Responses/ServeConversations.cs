using Gateway.Conversations;
using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Store;
using Microsoft.Extensions.Options;

namespace Gateway.Responses;

/// <summary>Conversations themselves: create, get, set the metadata, delete.</summary>
internal sealed class ServeConversations(
    IConversationStore store, ConversationInput input, IOptions<LimitsOptions> limits, TimeProvider time)
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

        var id = ConversationId.New();
        var (items, broken) = await input.ReadAsync(tenant.Name, id, request!.Items, limits.Value.ContextBytes, http.RequestAborted);
        if (broken is not null)
        {
            return broken;
        }

        var conversation = new StoredConversation(id, time.GetUtcNow(), MetadataOf(request));
        await store.CreateConversationAsync(
            new ConversationStart
            {
                Tenant = tenant.Name,
                Id = id,
                CreatedAt = conversation.CreatedAt,
                Metadata = conversation.Metadata,
                Items = items,
                Retention = tenant.Policy.RetentionOf(RetentionClass.Conversations),
            },
            http.RequestAborted);
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

    /// <summary>A copy: a write that timed out may still be read by the connection when the body's buffer serves another request.</summary>
    private static ReadOnlyMemory<byte> MetadataOf(ConversationRequest request) => request.Metadata.IsEmpty ? "{}"u8.ToArray() : request.Metadata.ToArray();
}
