using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>Everything that clients do, at once: chains that grow, branch and race, deletions, lists, claims.</summary>
internal static class StoreLoad
{
    private const int Clients = 8;

    public static Task RunAsync(IResponseStore store, string tenant, TimeProvider time, TimeSpan retention, int turns, Action? between = null) =>
        Task.WhenAll(Enumerable.Range(0, Clients).Select(client => Task.Run(() => ClientAsync(store, tenant, time, retention, turns, new Random(client), between))));

    private static async Task ClientAsync(
        IResponseStore store, string tenant, TimeProvider time, TimeSpan retention, int turns, Random random, Action? between)
    {
        List<ResponseId> ids = [];
        for (var n = 0; n < turns; n++)
        {
            // A parent may have expired meanwhile; then a new chain begins.
            var parent = ids.Count == 0 || random.Next(5) == 0 ? null : await store.LoadChainAsync(tenant, ids[random.Next(ids.Count)], default);
            var commit = parent is null ? Commits.Start(tenant, time.GetUtcNow()) : Commits.Child(tenant, parent, time.GetUtcNow());
            commit = commit with { Retention = retention * (1 + random.NextDouble()), Aside = random.Next(10) == 0 };
            if (await store.CommitAsync(commit, default) != CommitOutcome.HistoryLost && !commit.Aside)
            {
                ids.Add(commit.Id);
            }

            switch (random.Next(8))
            {
                case 0 when ids.Count > 0:
                    await store.DeleteAsync(tenant, ids[random.Next(ids.Count)], default);
                    break;
                case 1:
                    await store.ListAsync(tenant, new ListQuery(20, null, null), default);
                    break;
                case 2:
                    await store.ClaimAsync(tenant, commit.Id.ToString(), "owner", retention, default);
                    break;
                case 3:
                    between?.Invoke();
                    break;
            }
        }
    }
}
