namespace Gateway.Policy;

/// <summary>The key of section <c>Gateway:Store</c> that policies fall back to. The store's own options describe and check it.</summary>
internal sealed class StoredByDefault
{
    /// <summary>How long what a policy gives no time for is kept. Read at start. Default 30 days.</summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(30);
}
