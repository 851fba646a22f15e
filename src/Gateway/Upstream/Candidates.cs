using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>The routes of a model with what stands behind them now, so that a pick need not look anything up by name.</summary>
/// <param name="Upstreams">The configured upstreams that they were made of.</param>
/// <param name="Version">The state of YARP's clusters that they were made of.</param>
/// <param name="All">Those whose upstream exists, the preferred ones first.</param>
internal sealed record Candidates(IReadOnlyList<ConfiguredUpstream> Upstreams, int Version, Candidate[] All);

/// <summary>One route of a model with its upstream and cluster.</summary>
internal sealed class Candidate(ChatRoute route, ConfiguredUpstream upstream, ClusterState cluster)
{
    private AvailableDestinations _available = AvailableDestinations.None;

    public ChatRoute Route => route;

    public ConfiguredUpstream Upstream => upstream;

    public ClusterState Cluster => cluster;

    /// <summary>The destinations that answer their probes.</summary>
    public DestinationStats[] Available(DestinationPicker picker)
    {
        var known = Volatile.Read(ref _available);
        return ReferenceEquals(known.State, cluster.DestinationsState) ? known.Stats : Look(picker);
    }

    private DestinationStats[] Look(DestinationPicker picker)
    {
        var state = cluster.DestinationsState;
        var seen = new AvailableDestinations(state, [.. state.AvailableDestinations.Select(d => picker.Stats(upstream.Name, d))]);
        Volatile.Write(ref _available, seen);
        return seen.Stats;
    }

    /// <summary>What is known of the destinations in one of YARP's states, which are replaced whole.</summary>
    private sealed record AvailableDestinations(ClusterDestinationsState? State, DestinationStats[] Stats)
    {
        public static readonly AvailableDestinations None = new(null, []);
    }
}
