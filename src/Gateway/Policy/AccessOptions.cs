namespace Gateway.Policy;

/// <summary>Who may ask for what: the keys of section <c>Gateway</c> that must agree with each other.</summary>
internal sealed class AccessOptions
{
    public const string Section = "Gateway";

    /// <summary>
    /// Allows listening on other than loopback addresses although no tenant has a key. That is a start-up error otherwise, since everyone who
    /// reaches the address could use the models and read what is stored.
    /// </summary>
    public bool AllowAnonymous { get; set; }

    /// <summary>What holds for every tenant.</summary>
    public PolicyOptions Policy { get; set; } = new();

    /// <summary>Who may administer.</summary>
    public AdminOptions Admin { get; set; } = new();

    /// <summary>What policies fall back to.</summary>
    public StoredByDefault Store { get; set; } = new();

    /// <summary>The tenants by name. With none of them every request is tenant <c>default</c>, on loopback only.</summary>
    public Dictionary<string, TenantOptions> Tenants { get; } = new(StringComparer.Ordinal);
}
