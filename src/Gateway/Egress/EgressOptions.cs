namespace Gateway.Egress;

/// <summary>
/// Where the gateway goes when a client sends it somewhere (see <see href="security.md#urls-that-requests-name">security</see>). A host is written
/// as a name (<c>tools.internal</c>), every name below one (<c>*.internal</c>), an address, or a range in CIDR form (<c>10.1.0.0/16</c>), each with a
/// port (<c>tools.internal:8443</c>, <c>10.1.0.0/16:8443</c>) or for every port. IPv6 stands in brackets when a port follows:
/// <c>[fd00::/8]:8443</c>.
/// </summary>
internal sealed class EgressOptions
{
    public const string Section = "Gateway:Tools";

    /// <summary>
    /// Hosts that may be reached although their address is not public. A cloud's metadata service needs its very address.
    /// </summary>
    /// <value>Default: none: only public addresses</value>
    public IReadOnlyList<string> AllowedHosts { get; set; } = [];

    /// <summary>Limits of each request.</summary>
    public EgressLimits Egress { get; set; } = new();

    /// <summary>Limits of images that are fetched for a model server.</summary>
    public ImageLimits Images { get; set; } = new();
}
