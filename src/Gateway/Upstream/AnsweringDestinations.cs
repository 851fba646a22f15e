using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Health;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>
/// Available are the destinations that answer their probes, and none when none does; all of them when they are not probed (any more). What failed calls say is for <see cref="DestinationPicker"/>,
/// which leaves a destination alone only while there is another.
/// </summary>
internal sealed class AnsweringDestinations : IAvailableDestinationsPolicy
{
    public const string Policy = "Answering";

    public string Name => Policy;

    public IReadOnlyList<DestinationState> GetAvailalableDestinations(ClusterConfig config, IReadOnlyList<DestinationState> allDestinations) =>
        config.HealthCheck?.Active?.Enabled != true ? allDestinations : [.. allDestinations.Where(static destination => destination.Health.Active != DestinationHealth.Unhealthy)];
}
