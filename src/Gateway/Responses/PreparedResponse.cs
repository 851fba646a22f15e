using Gateway.Conversations;
using Gateway.Policy;
using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Responses;

/// <summary>A request that has passed every check, with all that is needed to make its response.</summary>
internal sealed class PreparedResponse
{
    public required Dialect Dialect { get; init; }

    public required Tenant Tenant { get; init; }

    public required ResponsesRequest Request { get; init; }

    public required Conversation Conversation { get; init; }

    /// <summary>The model by the client's name.</summary>
    public required string Model { get; init; }

    public required ResponseId Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The response will be kept: the client wants it and policy allows it.</summary>
    public required bool IsStored { get; init; }

    /// <summary>The same response without its input and its conversation, which is gone.</summary>
    public PreparedResponse WithoutConversation()
    {
        var request = Request with { Input = [] };
        return new()
        {
            Dialect = Dialect,
            Tenant = Tenant,
            Request = request,
            Conversation = Conversation.Without(request, hold: null),
            Model = Model,
            Id = Id,
            CreatedAt = CreatedAt,
            IsStored = IsStored,
        };
    }
}
