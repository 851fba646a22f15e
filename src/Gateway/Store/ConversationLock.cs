namespace Gateway.Store;

/// <summary>A writer's hold on a conversation.</summary>
/// <param name="Id">The conversation.</param>
/// <param name="Token">Names the hold (<see cref="ConversationOpening.Token"/>): the self of the response to be made.</param>
/// <param name="IsRuns">
/// It belongs to a durable run (<see cref="RunStart.HoldsConversation"/>), whoever makes that: it ends with the run, and can not be taken again by one
/// who did not hear of that end. Default no.
/// </param>
internal sealed record ConversationLock(ConversationId Id, string Token, bool IsRuns = false);
