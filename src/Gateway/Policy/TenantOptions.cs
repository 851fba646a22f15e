namespace Gateway.Policy;

/// <summary>
/// One tenant. Its name has 1 to 63 lower-case letters, digits, <c>.</c>, <c>_</c>, <c>-</c>, the first a letter or digit. Tenants share nothing: a
/// key reaches the responses of its own tenant only. See <see href="security.md">security</see>.
/// </summary>
/// <remarks>Live.</remarks>
internal sealed class TenantOptions
{
    /// <summary>
    /// API keys, each in clear or as <c>sha256:&lt;64 hex digits&gt;</c> of the key's UTF-8 bytes.
    /// </summary>
    /// <value>At most 1,024 bytes. Default: none: nobody can be this tenant (but <c>default</c>, which everyone is while no tenant has a key)</value>
    public IReadOnlyList<string> Keys { get; set; } = [];

    /// <summary>
    /// What an account header must equal when a client sends one (<see href="security.md">security</see>); ignored while no keys are configured.
    /// </summary>
    /// <value>Default: the tenant's name</value>
    public string? AccountId { get; set; }

    /// <summary>What differs from <c>Gateway:Policy</c>.</summary>
    public PolicyOptions Policy { get; set; } = new();
}
