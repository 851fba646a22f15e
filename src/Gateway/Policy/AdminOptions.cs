namespace Gateway.Policy;

/// <summary>Who may <see href="operations.md#what-administrators-see">see upstreams and configuration</see> and
/// <see href="operations.md#erasing-a-tenant">erase tenants</see>.</summary>
internal sealed class AdminOptions
{
    /// <summary>
    /// Keys of administrators, each in clear or as <c>sha256:&lt;64 hex digits&gt;</c> of the key's UTF-8 bytes. None may be a tenant's key.
    /// The first key needs a restart; later changes are live.
    /// </summary>
    /// <value>At most 1,024 bytes. Default: none: there are no routes to administer with</value>
    public IReadOnlyList<string> Keys { get; set; } = [];

    /// <summary>
    /// A port of their own for administrators' routes, beside the addresses the gateway listens on, without TLS; health and metrics answer
    /// there too, and nothing else.
    /// </summary>
    /// <value>1 to 65,535. Default: none: the routes are on every address</value>
    public int? Port { get; set; }

    /// <summary>The IP address of that port. <c>127.0.0.1</c> is this machine only.</summary>
    public string Address { get; set; } = "127.0.0.1";
}
