using System.Runtime.CompilerServices;
using Yarp.ReverseProxy.Health;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>
/// Picks the destination of a call among those that YARP holds for available, for translated and passed-through calls alike, and tells YARP
/// how it went. The one with the fewest calls in flight wins; a key prefers its own destination while that is not clearly busier.
/// </summary>
internal sealed class DestinationPicker(IDestinationHealthUpdater health, ILogger<DestinationPicker> logger)
{
    /// <summary>How long a destination that failed is left alone.</summary>
    public static readonly TimeSpan ReactivationPeriod = TimeSpan.FromSeconds(10);

    /// <summary>Failures in a row that take a destination out; a refused connection counts as all of them.</summary>
    private const int FailuresToTakeOut = 3;

    private readonly ConditionalWeakTable<DestinationState, DestinationStats> _stats = [];
    private int _rotation;

    public DestinationStats Stats(DestinationState destination) => _stats.GetValue(destination, static d => new DestinationStats(d.DestinationId));

    /// <summary>
    /// The destination for the next attempt; one of <paramref name="tried"/> only when there is no other, null when there is none at all.
    /// The caller enters and leaves it in its <see cref="Stats"/>.
    /// </summary>
    public DestinationState? Pick(ClusterState cluster, string? affinityKey, HashSet<string> tried)
    {
        var available = cluster.DestinationsState.AvailableDestinations;
        return Pick(available, affinityKey, tried) ?? (tried.Count > 0 ? Pick(available, affinityKey, null) : null);
    }

    /// <summary>True when a destination is left that this call has not failed at.</summary>
    public static bool HasUntried(ClusterState cluster, HashSet<string> tried)
    {
        var available = cluster.DestinationsState.AvailableDestinations;
        for (var i = 0; i < available.Count; i++)
        {
            if (!tried.Contains(available[i].DestinationId))
            {
                return true;
            }
        }

        return false;
    }

    public void ReportSuccess(DestinationState destination) => Stats(destination).ClearFailures();

    /// <summary>Counts a refused connection, a 5xx or a stall against the destination, and takes it out when that is enough.</summary>
    public void ReportFailure(ClusterState cluster, DestinationState destination, UpstreamFailure failure)
    {
        var failures = Stats(destination).AddFailures(failure == UpstreamFailure.Connect ? FailuresToTakeOut : 1);
        if (failures < FailuresToTakeOut || destination.Health.Passive == DestinationHealth.Unhealthy)
        {
            return;
        }

        // The last one stays in: asking a sick server is better than asking nobody.
        var available = cluster.DestinationsState.AvailableDestinations;
        if (available.Count > 1)
        {
            Stats(destination).ClearFailures();
            UpstreamLog.DestinationTakenOut(logger, cluster.ClusterId, failure, ReactivationPeriod.TotalSeconds);
            health.SetPassive(cluster, destination, DestinationHealth.Unhealthy, ReactivationPeriod);
        }
    }

    private DestinationState? Pick(IReadOnlyList<DestinationState> available, string? affinityKey, HashSet<string>? tried)
    {
        // Ties go round, so that idle servers share the load too.
        var start = available.Count > 1 ? (int)((uint)Interlocked.Increment(ref _rotation) % (uint)available.Count) : 0;
        DestinationState? least = null, preferred = null;
        int leastLoad = 0, preferredLoad = 0;
        ulong highest = 0;
        for (var i = 0; i < available.Count; i++)
        {
            var destination = available[(start + i) % available.Count];
            if (tried?.Contains(destination.DestinationId) == true)
            {
                continue;
            }

            var stats = Stats(destination);
            var load = stats.InFlight;
            if (least is null || load < leastLoad)
            {
                (least, leastLoad) = (destination, load);
            }

            if (affinityKey is not null && stats.Place(affinityKey) is var place && (preferred is null || place > highest))
            {
                (preferred, preferredLoad, highest) = (destination, load, place);
            }
        }

        // "Clearly busier": a warm prompt cache is worth a short queue, not a long one.
        return preferred is not null && preferredLoad <= (2 * leastLoad) + 4 ? preferred : least;
    }
}
