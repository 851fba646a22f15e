using Gateway.Store;
using Gateway.Store.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Gateway.FunctionalTests.Tools;

/// <summary>The embedded store, with something of the test's own between a claim or a commit and the reply to it.</summary>
internal sealed class ClaimWatchingStore(SqliteResponseStore store) : IResponseStore, IStoreStart, IAsyncDisposable
{
    /// <summary>
    /// Runs once, when the next claim has been taken and before its reply is given, with the token of who waits for it. What it throws is thrown in
    /// the reply's place.
    /// </summary>
    public Func<CancellationToken, Task>? AfterClaim { get; set; }

    /// <summary>Runs when a turn has been committed, before its maker knows.</summary>
    public Func<Task>? AfterCommit { get; set; }

    /// <summary>The store without anything between.</summary>
    public SqliteResponseStore Inner => store;

    /// <summary>The store says that it is not available, though it is.</summary>
    public bool SeemsAway { get; set; }

    public StoreHealth Health => SeemsAway ? store.Health with { Available = false } : store.Health;

    public static ClaimWatchingStore Create(IServiceProvider services) => new(new SqliteResponseStore(
        services.GetRequiredService<IOptions<StoreOptions>>().Value,
        services.GetRequiredService<StoreMetrics>(),
        services.GetRequiredService<TimeProvider>(),
        services.GetRequiredService<ILogger<SqliteResponseStore>>()));

    public Task StartAsync() => store.StartAsync();

    public ValueTask DisposeAsync() => store.DisposeAsync();

    public ValueTask<Chain?> LoadChainAsync(string tenant, ResponseId parent, CancellationToken cancellationToken) =>
        store.LoadChainAsync(tenant, parent, cancellationToken);

    public async ValueTask<CommitOutcome> CommitAsync(TurnCommit commit, CancellationToken cancellationToken)
    {
        var outcome = await store.CommitAsync(commit, cancellationToken);
        if (AfterCommit is { } hook)
        {
            await hook();
        }

        return outcome;
    }

    public ValueTask<StoredResponse?> GetAsync(string tenant, ResponseId id, CancellationToken cancellationToken) =>
        store.GetAsync(tenant, id, cancellationToken);

    public ValueTask<bool> DeleteAsync(string tenant, ResponseId id, CancellationToken cancellationToken) =>
        store.DeleteAsync(tenant, id, cancellationToken);

    public ValueTask<StoredPage?> ListAsync(string tenant, ListQuery query, CancellationToken cancellationToken) =>
        store.ListAsync(tenant, query, cancellationToken);

    public async ValueTask<bool> ClaimAsync(string tenant, string name, string owner, TimeSpan retention, CancellationToken cancellationToken)
    {
        var taken = await store.ClaimAsync(tenant, name, owner, retention, cancellationToken);
        if (AfterClaim is { } hook)
        {
            AfterClaim = null;
            await hook(cancellationToken);
        }

        return taken;
    }

    public ValueTask<string?> FindOwnerAsync(string tenant, string name, CancellationToken cancellationToken) =>
        store.FindOwnerAsync(tenant, name, cancellationToken);

    public ValueTask ReleaseAsync(string tenant, string name, string owner, CancellationToken cancellationToken) =>
        store.ReleaseAsync(tenant, name, owner, cancellationToken);
}
