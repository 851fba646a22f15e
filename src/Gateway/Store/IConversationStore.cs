namespace Gateway.Store;

/// <summary>
/// Conversations: logs of items under a name, to which responses and clients append (docs/design/store.md). The turn of a response in a
/// conversation is committed with <see cref="TurnCommit.Conversation"/>. What is unknown, expired, deleted or foreign is one thing here: not
/// found. All methods throw <see cref="StoreUnavailableException"/> like those of <see cref="IResponseStore"/>.
/// </summary>
internal interface IConversationStore
{
    /// <summary>Makes a conversation. May be called again with the same argument after a failure.</summary>
    ValueTask CreateConversationAsync(ConversationStart start, CancellationToken cancellationToken);

    /// <summary>A conversation, or null.</summary>
    ValueTask<StoredConversation?> GetConversationAsync(string tenant, ConversationId id, CancellationToken cancellationToken);

    /// <summary>Puts other metadata in the place of what was there. The conversation as it is then, or null.</summary>
    ValueTask<StoredConversation?> SetMetadataAsync(
        string tenant, ConversationId id, ReadOnlyMemory<byte> metadata, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>
    /// Erases a conversation with its items and with the responses that were made in it, locked or not: whoever is making one can not
    /// commit it. False when there was none. After a failure the conversation is gone for everybody else, and a further call goes on.
    /// Once begun it is not cancelled.
    /// </summary>
    ValueTask<bool> DeleteConversationAsync(string tenant, ConversationId id, CancellationToken cancellationToken);

    /// <summary>Appends items, unless somebody holds the conversation. May be called again with the same argument after a failure.</summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="id">The conversation.</param>
    /// <param name="items">What to append.</param>
    /// <param name="mostBytes">The most bytes of turns that it may hold afterwards.</param>
    /// <param name="retention">How long it is kept from now on.</param>
    /// <param name="cancellationToken">Gives up waiting; the items may be there all the same.</param>
    ValueTask<ConversationAccess> AddItemsAsync(
        string tenant, ConversationId id, ConversationItems items, long mostBytes, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>A page of a conversation's items. Null when the conversation is not found. However long it is, a page is all that is read.</summary>
    ValueTask<ItemPage?> ListItemsAsync(string tenant, ConversationId id, ItemQuery query, CancellationToken cancellationToken);

    /// <summary>A turn of a conversation, of a response or of items that were added; null when it is not in it.</summary>
    ValueTask<Turn?> FindTurnAsync(string tenant, ConversationId id, ResponseId turn, CancellationToken cancellationToken);

    /// <summary>A turn that an item id names, of whatever is kept: a response, or items that were added to a conversation.</summary>
    ValueTask<Turn?> FindTurnAsync(string tenant, ResponseId turn, CancellationToken cancellationToken);

    /// <summary>
    /// Puts another turn in the place of one, in one step: nobody else's change between reading and writing is lost. The events of its response go,
    /// since they tell what was there. Held or not: it moves no other turn.
    /// </summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="id">The conversation.</param>
    /// <param name="turn">The turn.</param>
    /// <param name="edit">Makes the new turn, with as many items; null to leave it. May be called more than once.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>False when there is no such turn, or <paramref name="edit"/> left it.</returns>
    ValueTask<bool> EditTurnAsync(string tenant, ConversationId id, ResponseId turn, Func<Turn, Turn?> edit, CancellationToken cancellationToken);

    /// <summary>Reads a whole conversation for a response, and takes hold of it for a writer.</summary>
    ValueTask<OpenedConversation> OpenAsync(ConversationOpening opening, CancellationToken cancellationToken);

    /// <summary>
    /// Prolongs a hold from now on; it is never shortened. A hold that ran out and that nobody took meanwhile is taken again, but not a run's that
    /// was given up. <see cref="ConversationAccess.Locked"/> when it can not be had any more, <see cref="ConversationAccess.NotFound"/> when the
    /// conversation is gone.
    /// </summary>
    ValueTask<ConversationAccess> RenewAsync(string tenant, ConversationLock hold, TimeSpan lease, CancellationToken cancellationToken);

    /// <summary>Gives a hold up. Nothing happens when it is somebody else's. A commit gives it up by itself.</summary>
    ValueTask ReleaseAsync(string tenant, ConversationLock hold, CancellationToken cancellationToken);

    /// <summary>
    /// Lets a claim (<see cref="IResponseStore.ClaimAsync"/>) on something in a conversation stay taken for as long as the conversation is kept, which may be
    /// longer than the claim itself.
    /// </summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="chain">The chain; nothing happens when it is no conversation's.</param>
    /// <param name="name">What was claimed.</param>
    /// <param name="owner">Who claimed it.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>False when somebody else had claimed it in this conversation before.</returns>
    ValueTask<bool> KeepClaimAsync(string tenant, string chain, string name, string owner, CancellationToken cancellationToken);

    /// <summary>Gives back what <paramref name="owner"/> had kept. Nothing happens when somebody else has it.</summary>
    ValueTask DropClaimAsync(string tenant, string chain, string name, string owner, CancellationToken cancellationToken);
}
