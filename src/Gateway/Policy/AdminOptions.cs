namespace Gateway.Policy;

/// <summary>Who may administer: section <c>Gateway:Admin</c>.</summary>
internal sealed class AdminOptions
{
    /// <summary>
    /// Keys of administrators, each in clear or as <c>sha256:&lt;64 hex digits&gt;</c> of the key's UTF-8 bytes. None may be a tenant's key.
    /// Default none: there are no routes to administer with. The first key needs a restart; later changes are live.
    /// </summary>
    public IReadOnlyList<string> Keys { get; set; } = [];

    /// <summary>
    /// A port of their own for administrators' routes, 1 to 65535, beside the addresses the gateway listens on; health and metrics answer there
    /// too, and nothing else. Default none: the routes are on every address.
    /// </summary>
    public int? Port { get; set; }

    /// <summary>The IP address of that port. Default <c>127.0.0.1</c>: this machine only.</summary>
    public string Address { get; set; } = "127.0.0.1";
}
