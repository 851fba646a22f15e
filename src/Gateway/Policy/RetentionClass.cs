namespace Gateway.Policy;

/// <summary>What is kept for a time of its own.</summary>
internal enum RetentionClass
{
    /// <summary>Responses that a client waits for.</summary>
    Responses,

    /// <summary>Responses made in the background.</summary>
    Background,

    /// <summary>Conversations with their items.</summary>
    Conversations,
}
