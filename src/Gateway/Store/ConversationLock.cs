namespace Gateway.Store;

/// <summary>A writer's hold on a conversation.</summary>
/// <param name="Id">The conversation.</param>
/// <param name="Token">Names the hold (<see cref="ConversationOpening.Token"/>).</param>
internal sealed record ConversationLock(ConversationId Id, string Token);
