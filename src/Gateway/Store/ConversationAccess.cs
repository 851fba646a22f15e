namespace Gateway.Store;

/// <summary>Whether something could be done in a conversation.</summary>
internal enum ConversationAccess
{
    Done,

    /// <summary>Unknown, expired, deleted, or foreign.</summary>
    NotFound,

    /// <summary>Somebody else writes to it.</summary>
    Locked,

    /// <summary>It holds more bytes than asked for, or would.</summary>
    TooLarge,
}
