namespace Gateway.Egress;

/// <summary>Where the gateway goes when a client sends it somewhere: the part of <c>Gateway:Tools</c> that is about connections.</summary>
internal sealed class EgressOptions
{
    public const string Section = "Gateway:Tools";

    /// <summary>
    /// Hosts that may be reached although their address is not public: name, <c>*.name</c>, address or CIDR range, each with <c>:port</c> or
    /// for every port. A cloud's metadata service needs its very address. Default none: only public addresses.
    /// </summary>
    public IReadOnlyList<string> AllowedHosts { get; set; } = [];

    /// <summary>Limits of each request.</summary>
    public EgressLimits Egress { get; set; } = new();

    /// <summary>Limits of images that are fetched for a model server.</summary>
    public ImageLimits Images { get; set; } = new();
}
