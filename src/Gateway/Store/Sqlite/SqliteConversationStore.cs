namespace Gateway.Store.Sqlite;

/// <summary>Conversations in the embedded store.</summary>
internal sealed class SqliteConversationStore(SqliteResponseStore store) : IConversationStore
{
    public async ValueTask CreateConversationAsync(ConversationStart start, CancellationToken cancellationToken)
    {
        // Encoded now, as all that is written: when the caller's patience ends the write still waits for its turn, while the items' buffers
        // serve other requests.
        var element = start.Items?.Encode() ?? [];
        var own = start with { Metadata = start.Metadata.ToArray() };
        await store.WriteAsync(
            "conversation_create", session => SqliteConversations.Create(session, own, element, store.Now), cancellationToken).ConfigureAwait(false);
    }

    public ValueTask<StoredConversation?> GetConversationAsync(string tenant, ConversationId id, CancellationToken cancellationToken) =>
        store.ReadAsync("conversation_get", session => SqliteConversations.Find(session, tenant, id, store.Now), cancellationToken);

    public ValueTask<StoredConversation?> SetMetadataAsync(
        string tenant, ConversationId id, ReadOnlyMemory<byte> metadata, TimeSpan retention, CancellationToken cancellationToken)
    {
        var own = metadata.ToArray();
        return store.WriteAsync(
            "conversation_set",
            session => SqliteConversations.SetMetadata(session, tenant, id, own, Until(retention), store.Now),
            cancellationToken);
    }

    public async ValueTask<bool> DeleteConversationAsync(string tenant, ConversationId id, CancellationToken cancellationToken)
    {
        var deleted = await store.WriteAsync(
            "conversation_delete", session => SqliteConversations.Delete(session, tenant, id, store.Now), cancellationToken).ConfigureAwait(false);
        if (deleted)
        {
            store.Erased();
        }

        return deleted;
    }

    public ValueTask<ConversationAccess> AddItemsAsync(
        string tenant, ConversationId id, ConversationItems items, long mostBytes, TimeSpan retention, CancellationToken cancellationToken)
    {
        var (turn, element) = (items.Turn.Self, items.Encode());
        return store.WriteAsync(
            "conversation_add",
            session => SqliteConversations.Add(session, tenant, id, turn, element, mostBytes, Until(retention), store.Now),
            cancellationToken);
    }

    public ValueTask<ItemPage?> ListItemsAsync(string tenant, ConversationId id, ItemQuery query, CancellationToken cancellationToken) =>
        store.ReadAsync("conversation_items", session => SqliteConversations.Page(session, tenant, id, query, store.Now), cancellationToken);

    public ValueTask<Turn?> FindTurnAsync(string tenant, ConversationId id, ResponseId turn, CancellationToken cancellationToken) =>
        store.ReadAsync("conversation_turn", session => SqliteConversations.FindTurn(session, tenant, id, turn, store.Now)?.Turn, cancellationToken);

    public ValueTask<Turn?> FindTurnAsync(string tenant, ResponseId turn, CancellationToken cancellationToken) =>
        store.ReadAsync("turn", session => SqliteConversations.FindTurn(session, tenant, turn, store.Now), cancellationToken);

    public async ValueTask<bool> EditTurnAsync(
        string tenant, ConversationId id, ResponseId turn, Func<Turn, Turn?> edit, CancellationToken cancellationToken)
    {
        var edited = await store.WriteAsync(
            "conversation_edit", session => SqliteConversations.Edit(session, tenant, id, turn, edit, store.Now), cancellationToken).ConfigureAwait(false);
        if (edited)
        {
            store.Erased();
        }

        return edited;
    }

    public async ValueTask<OpenedConversation> OpenAsync(ConversationOpening opening, CancellationToken cancellationToken)
    {
        // Two steps: the writer that all share need not wait for the reading of a long log.
        var (access, length) = await store.WriteAsync(
            "conversation_open", session => SqliteConversations.Open(session, opening, store.Now), cancellationToken).ConfigureAwait(false);
        return access == ConversationAccess.Done
            ? await store.ReadAsync(
                "conversation_load",
                session => SqliteConversations.Load(session, opening.Tenant, opening.Id, length, store.Now),
                cancellationToken).ConfigureAwait(false)
            : OpenedConversation.Refused(access);
    }

    public ValueTask<ConversationAccess> RenewAsync(string tenant, ConversationLock hold, TimeSpan lease, CancellationToken cancellationToken) =>
        store.WriteAsync(
            "conversation_renew",
            session => SqliteConversations.Renew(session, tenant, hold, Until(lease), store.Now),
            cancellationToken);

    public async ValueTask ReleaseAsync(string tenant, ConversationLock hold, CancellationToken cancellationToken) =>
        await store.WriteAsync(
            "conversation_release",
            session => SqliteConversations.Release(session, tenant, hold.Id.Chain, hold.Token),
            cancellationToken).ConfigureAwait(false);

    public ValueTask<bool> KeepClaimAsync(string tenant, string chain, string name, string owner, CancellationToken cancellationToken) =>
        store.WriteAsync(
            "conversation_claim", session => SqliteConversations.KeepClaim(session, tenant, chain, name, owner, store.Now), cancellationToken);

    public async ValueTask DropClaimAsync(string tenant, string chain, string name, string owner, CancellationToken cancellationToken) =>
        await store.WriteAsync(
            "conversation_claim", session => SqliteConversations.DropClaim(session, tenant, chain, name, owner), cancellationToken).ConfigureAwait(false);

    private long Until(TimeSpan time) => store.Now + (long)time.TotalMilliseconds;
}
