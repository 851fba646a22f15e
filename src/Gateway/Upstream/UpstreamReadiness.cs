using Gateway.Telemetry;
using Yarp.ReverseProxy;

namespace Gateway.Upstream;

/// <summary>Tells how many upstreams have no server that answers its probes. That takes no replica out of service: none of the others could reach them either.</summary>
internal sealed class UpstreamReadiness(UpstreamRegistry registry, IProxyStateLookup clusters) : IReadinessPart
{
    public string Name => "upstreams";

    public ReadinessState Check()
    {
        var all = registry.All;
        var down = all.Count(upstream => clusters.TryGetCluster(upstream.Name, out var cluster) && cluster.DestinationsState.AvailableDestinations.Count == 0);
        return down == 0 ? ReadinessState.Ok
            : new ReadinessState(true, down == all.Count ? "down" : "degraded", $"{down} of {all.Count} upstreams have no model server that answers its probes.");
    }
}
