using Gateway.Store;

namespace Gateway.Runs;

/// <summary>
/// Whose run is taken next: tenants take turns, whoever had none for the longest time first, so that one with many waiting runs does not keep the
/// others waiting. Within a tenant the longest waiting goes first. Runs that could not be reached come behind all others: their part of the store may be
/// away. Not for several threads.
/// </summary>
internal sealed class FairTurns
{
    private readonly Dictionary<string, long> _lastTurn = new(StringComparer.Ordinal);
    private readonly Dictionary<RunKey, long> _lastFailure = [];
    private long _turns;
    private long _failures;

    /// <summary>The runs in the order in which they are to be taken.</summary>
    /// <param name="found">Free runs, those of one tenant the longest waiting first.</param>
    public IEnumerable<RunKey> Order(IReadOnlyList<RunKey> found)
    {
        foreach (var gone in _lastFailure.Keys.Except(found).ToList())
        {
            _lastFailure.Remove(gone);
        }

        return InTurns(found).OrderBy(run => _lastFailure.GetValueOrDefault(run));
    }

    /// <summary>A run of the tenant was taken.</summary>
    public void Taken(string tenant) => _lastTurn[tenant] = ++_turns;

    /// <summary>The store did not say whether a run can be taken.</summary>
    public void Failed(RunKey run) => _lastFailure[run] = ++_failures;

    private IEnumerable<RunKey> InTurns(IReadOnlyList<RunKey> found)
    {
        var tenants = found.GroupBy(static run => run.Tenant).OrderBy(tenant => _lastTurn.GetValueOrDefault(tenant.Key)).Select(static runs => runs.ToList()).ToList();
        for (var place = 0; tenants.Count > 0; place++)
        {
            tenants.RemoveAll(runs => runs.Count <= place);
            foreach (var runs in tenants)
            {
                yield return runs[place];
            }
        }
    }
}
