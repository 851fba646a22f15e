namespace Gateway.Policy;

/// <summary>
/// How long what a tenant stores is kept, by class. A key that neither the tenant nor <c>Gateway:Policy</c> has takes the value of
/// <c>Gateway:Store:Retention</c>. A change holds for what is stored from then on.
/// </summary>
internal sealed class RetentionOptions
{
    /// <summary>Responses that a client waits for, counted from their commit; a chain lives as long as its youngest response.</summary>
    /// <value>1 second to 3,650 days. Default: none: <c>Gateway:Store:Retention</c></value>
    public TimeSpan? Responses { get; set; }

    /// <summary>Responses made in the background, counted from their end.</summary>
    /// <value>1 second to 3,650 days. Default: none: <c>Gateway:Store:Retention</c></value>
    public TimeSpan? Background { get; set; }

    /// <summary>Conversations, counted from their last use, and the responses that are made in them.</summary>
    /// <value>1 second to 3,650 days. Default: none: <c>Gateway:Store:Retention</c></value>
    public TimeSpan? Conversations { get; set; }
}
