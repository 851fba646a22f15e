using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>The index of live runs: of all tenants, and of each. It is a hint, set right by whoever meets a run.</summary>
internal static class RedisRunIndex
{
    /// <summary>The keys of a tenant's entries, all in one slot.</summary>
    public static RedisKey[] KeysOf(string tenant) => [RedisKeys.Runs, RedisKeys.RunsOfTenant(tenant), RedisKeys.RunTenants];

    /// <summary>Takes a run out.</summary>
    public static Task<bool[]> ForgetAsync(IDatabase db, RunKey run, CommandFlags flags = CommandFlags.None)
    {
        var name = RedisKeys.RunName(run);
        return Task.WhenAll(
            db.SortedSetRemoveAsync(RedisKeys.RunsOfTenant(run.Tenant), name, flags), db.SortedSetRemoveAsync(RedisKeys.Runs, name, flags));
    }
}
