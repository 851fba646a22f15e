namespace Gateway.Policy;

/// <summary>One tenant: <c>Gateway:Tenants:&lt;tenant&gt;</c>. Tenants share nothing: a key reaches the responses of its own tenant only.</summary>
internal sealed class TenantOptions
{
    /// <summary>
    /// API keys, each in clear or as <c>sha256:&lt;64 hex digits&gt;</c> of the key's UTF-8 bytes. Default none: nobody can be this tenant
    /// (except <c>default</c>, which everyone is while no tenant has a key).
    /// </summary>
    public IReadOnlyList<string> Keys { get; set; } = [];

    /// <summary>What an account header must equal when a client sends one (docs/security.md). Default: the tenant's name.</summary>
    public string? AccountId { get; set; }

    /// <summary>What differs from <c>Gateway:Policy</c>. Default nothing.</summary>
    public PolicyOptions Policy { get; set; } = new();
}
