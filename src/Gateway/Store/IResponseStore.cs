namespace Gateway.Store;

/// <summary>
/// What the gateway keeps: chains of responses as append-only logs (docs/design/store.md). Every method names the tenant: a key of one
/// tenant can not be reached from another. All methods throw <see cref="StoreUnavailableException"/> when the store can not be reached,
/// answers with an error, or does not answer within its timeout; nothing else is thrown for I/O.
/// </summary>
internal interface IResponseStore
{
    /// <summary>Whether the store was reached at its last use and by its connection's state. Never makes a call.</summary>
    StoreHealth Health { get; }

    /// <summary>
    /// The parent's record and every turn of its history, oldest first, the parent's own turn last. The history is complete or the answer is
    /// null: unknown, expired, deleted, foreign, or with an erased or missing turn in it.
    /// </summary>
    ValueTask<Chain?> LoadChainAsync(string tenant, ResponseId parent, CancellationToken cancellationToken);

    /// <summary>Appends one turn and writes its record, in one step. May be called again with the same argument after a failure.</summary>
    ValueTask<CommitOutcome> CommitAsync(TurnCommit commit, CancellationToken cancellationToken);

    /// <summary>A response's record and its own turn, or null when there is none.</summary>
    ValueTask<StoredResponse?> GetAsync(string tenant, ResponseId id, CancellationToken cancellationToken);

    /// <summary>Erases the response's turn, record and event log at once. False when there was none.</summary>
    ValueTask<bool> DeleteAsync(string tenant, ResponseId id, CancellationToken cancellationToken);

    /// <summary>The tenant's responses, newest first by (created, id). Null when the cursor is not a response of the tenant.</summary>
    ValueTask<StoredPage?> ListAsync(string tenant, ListQuery query, CancellationToken cancellationToken);

    /// <summary>
    /// Takes something that may be taken once, such as the approval of a tool call, on any replica. True for the owner that took it, however
    /// often it asks.
    /// </summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="name">What is taken; any text, of which only a hash is kept.</param>
    /// <param name="owner">Who takes it.</param>
    /// <param name="retention">How long it stays taken at least; a commit that names it among its <see cref="TurnCommit.Claims"/> prolongs that.</param>
    /// <param name="cancellationToken">Gives up waiting; it may be taken all the same.</param>
    ValueTask<bool> ClaimAsync(string tenant, string name, string owner, TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>Who has taken it, or null when nobody has.</summary>
    ValueTask<string?> FindOwnerAsync(string tenant, string name, CancellationToken cancellationToken);

    /// <summary>Gives back what <paramref name="owner"/> took. Nothing happens when somebody else has it.</summary>
    ValueTask ReleaseAsync(string tenant, string name, string owner, CancellationToken cancellationToken);
}
