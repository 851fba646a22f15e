using Gateway.Policy;

namespace Gateway.Runs;

/// <summary>
/// Tenants that have runs and that this replica does not know. One that it has not known for a day was removed. Before that it may have come with a
/// configuration that reaches this replica later than others, or be missing by a mistake: neither must cost what was accepted. Not for several threads.
/// </summary>
internal sealed class MissingTenants(TenantDirectory tenants, TimeProvider time)
{
    /// <summary>How long a tenant is waited for.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromDays(1);

    private readonly Dictionary<string, long> _since = new(StringComparer.Ordinal);

    /// <summary>Forgets those that are known by now; to be called at every look for runs, whether or not there are any of theirs.</summary>
    public void Refresh()
    {
        foreach (var name in _since.Keys.Where(name => tenants.Find(name) is not null).ToList())
        {
            _since.Remove(name);
        }
    }

    /// <summary>The tenant was removed: it has been missing since it was asked for first, a day ago.</summary>
    public bool WasRemoved(string name)
    {
        if (tenants.Find(name) is not null)
        {
            return false;
        }

        _since.TryAdd(name, time.GetTimestamp());
        return time.GetElapsedTime(_since[name]) >= Patience;
    }
}
