using System.Net;
using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>Erases one tenant from every primary, by SCAN and UNLINK: neither blocks Redis.</summary>
internal sealed class RedisErasure(IDatabase db, string tenant)
{
    /// <summary>How many keys one SCAN looks at, and how many deletions are on their way at once.</summary>
    private const int Batch = 500;

    /// <summary>More passes than slots that move or requests that still run can make necessary; the next call does the rest.</summary>
    private const int MostPasses = 10;

    /// <summary>
    /// What ends in a brace or a slash is this tenant's name; a longer name goes on. A name has no character that means something here.
    /// </summary>
    private readonly RedisValue _pattern = $"gw:{{{tenant}[/}}]*";

    private readonly Dictionary<EndPoint, RedisKey> _touched = [];

    /// <summary>A key of each server of which something was erased.</summary>
    public IReadOnlyList<RedisKey> Touched => [.. _touched.Values];

    public async Task<TenantErasure> RunAsync(CancellationToken cancellationToken)
    {
        var all = default(TenantErasure);
        for (var pass = 0; pass < MostPasses; pass++)
        {
            // Until one finds nothing: a slot may move to a server that was scanned already. Runs are hidden first, so that nobody takes one of
            // which a part is gone; who holds one may show it once more.
            var erased = new TenantErasure(0, await ForgetRunsAsync(cancellationToken).ConfigureAwait(false));
            foreach (var primary in await PrimariesAsync().WaitAsync(cancellationToken).ConfigureAwait(false))
            {
                erased += await EraseAsync(primary, cancellationToken).ConfigureAwait(false);
            }

            all += erased;
            if (erased.Entries == 0)
            {
                break;
            }
        }

        return all;
    }

    private static async Task<long> UnlinkAsync(IEnumerable<Task<bool>> deletions, CancellationToken cancellationToken) =>
        (await Task.WhenAll(deletions).WaitAsync(cancellationToken).ConfigureAwait(false)).LongCount(deleted => deleted);

    /// <summary>Takes the tenant's runs out of the index of live runs, which all tenants share.</summary>
    private async Task<long> ForgetRunsAsync(CancellationToken cancellationToken)
    {
        var forgotten = 0L;
        var names = new List<RedisValue>(Batch);
        await foreach (var entry in db.SortedSetScanAsync(RedisKeys.Runs, RedisKeys.RunsOf(tenant), Batch, flags: CommandFlags.DemandMaster)
            .WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            names.Add(entry.Element);
            if (names.Count == Batch)
            {
                await RemoveAsync().ConfigureAwait(false);
            }
        }

        await RemoveAsync().ConfigureAwait(false);
        await db.KeyDeleteAsync(RedisKeys.RunsOfTenant(tenant)).WaitAsync(cancellationToken).ConfigureAwait(false);
        await db.SetRemoveAsync(RedisKeys.RunTenants, tenant).WaitAsync(cancellationToken).ConfigureAwait(false);
        return forgotten;

        async Task RemoveAsync()
        {
            if (names.Count > 0)
            {
                forgotten += await db.SortedSetRemoveAsync(RedisKeys.Runs, [.. names]).WaitAsync(cancellationToken).ConfigureAwait(false);
                names.Clear();
            }
        }
    }

    private async Task<TenantErasure> EraseAsync(IServer server, CancellationToken cancellationToken)
    {
        var erased = default(TenantErasure);
        var records = new List<RedisKey>(Batch);
        var others = new List<RedisKey>(Batch);
        await foreach (var key in server.KeysAsync(db.Database, _pattern, Batch).WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            _touched[server.EndPoint] = key;
            (RedisKeys.IsRecord(key) ? records : others).Add(key);
            if (records.Count + others.Count == Batch)
            {
                erased += await EraseAsync(records, others, cancellationToken).ConfigureAwait(false);
            }
        }

        return erased + await EraseAsync(records, others, cancellationToken).ConfigureAwait(false);
    }

    private async Task<TenantErasure> EraseAsync(List<RedisKey> records, List<RedisKey> others, CancellationToken cancellationToken)
    {
        // One key a command: in a Cluster a command may only name keys of one slot. The client sends UNLINK.
        var responses = await UnlinkAsync(records.Select(key => db.KeyDeleteAsync(key)), cancellationToken).ConfigureAwait(false);
        var rest = await UnlinkAsync(others.Select(key => db.KeyDeleteAsync(key)), cancellationToken).ConfigureAwait(false);
        records.Clear();
        others.Clear();
        return new TenantErasure(responses, responses + rest);
    }

    /// <exception cref="StoreUnavailableException">One that holds keys can not be reached: nothing must be left without a word.</exception>
    private async Task<List<IServer>> PrimariesAsync()
    {
        var servers = db.Multiplexer.GetServers();
        var primaries = servers.Where(server => server is { IsConnected: true, IsReplica: false } && server.ServerType != ServerType.Sentinel).ToList();
        if (primaries.Find(server => server.ServerType == ServerType.Cluster) is { } member)
        {
            var nodes = await member.ClusterNodesAsync().ConfigureAwait(false);
            HashSet<EndPoint?> reached = [.. primaries.Select(server => server.EndPoint)];
            if (nodes is null || nodes.Nodes.Any(node => node is { IsReplica: false, Slots.Count: > 0 } && !reached.Contains(node.EndPoint)))
            {
                throw new StoreUnavailableException("A primary of the Cluster can not be reached.");
            }
        }

        return primaries.Count > 0
            ? primaries
            : throw new StoreUnavailableException("No primary can be reached.");
    }
}
