namespace Gateway.Policy;

/// <summary>Whose request it is, and what they may do. Immutable: a reload of the configuration makes new ones.</summary>
internal sealed class Tenant
{
    /// <summary>The tenant of every request while no keys are configured.</summary>
    public const string DefaultName = "default";

    /// <summary>Stands where no tenant was found: it has no name in the store, may keep nothing and use no model.</summary>
    public static Tenant Nobody { get; } = new(
        string.Empty, accountId: null, EffectivePolicy.From(new PolicyOptions { Store = StorePolicy.Never, Models = [string.Empty] }));

    public Tenant(string name, string? accountId, EffectivePolicy policy)
    {
        Name = name;
        AccountId = accountId;
        Policy = policy;
    }

    /// <summary>Part of every key of the store.</summary>
    public string Name { get; }

    /// <summary>What an account header must equal; null while no keys are configured, when it is ignored.</summary>
    public string? AccountId { get; }

    public EffectivePolicy Policy { get; }
}
