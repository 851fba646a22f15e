using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>What clients are told when a conversation can not be used.</summary>
internal static class ConversationErrors
{
    /// <summary>The error for an outcome; null when it was done.</summary>
    /// <param name="access">The outcome.</param>
    /// <param name="id">The conversation.</param>
    /// <param name="param">The member with the items: <c>input</c> or <c>items</c>.</param>
    public static ApiError? Of(ConversationAccess access, ConversationId id, string param) => access switch
    {
        ConversationAccess.NotFound => ApiError.ConversationNotFound(id.ToString()),
        ConversationAccess.Locked => ApiError.ConversationLocked(),
        ConversationAccess.TooLarge => ApiError.ContextLengthExceeded() with { Param = param },
        _ => null,
    };
}
