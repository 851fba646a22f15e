using Gateway.Protocol.Translation;

namespace Gateway.Upstream;

/// <summary>Where requests for one model may go: an upstream, the model's name there, and what that upstream wants to be sent.</summary>
/// <param name="Upstream">The upstream's name in <c>Gateway:Upstreams</c>, which is its YARP cluster id.</param>
/// <param name="Model">The model's name as the upstream knows it.</param>
/// <param name="Profile">What the upstream wants to be sent.</param>
internal sealed record ChatRoute(string Upstream, string Model, RouteProfile Profile)
{
    /// <summary>The name came from the client by way of a glob: when the upstream does not know it, that is the client's error.</summary>
    public bool ByPattern { get; init; }

    /// <summary>Lower is preferred.</summary>
    public int Priority { get; init; }
}
