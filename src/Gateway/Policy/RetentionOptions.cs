namespace Gateway.Policy;

/// <summary>
/// How long what a tenant stores is kept, by class. A key that neither the tenant nor <c>Gateway:Policy</c> has takes the value of
/// <c>Gateway:Store:Retention</c>. Each from 1 second to 10 years. A change holds for what is stored from then on.
/// </summary>
internal sealed class RetentionOptions
{
    /// <summary>Responses that a client waits for, counted from their commit; a chain lives as long as its youngest response.</summary>
    public TimeSpan? Responses { get; set; }

    /// <summary>Responses made in the background, counted from their end.</summary>
    public TimeSpan? Background { get; set; }

    /// <summary>Conversations, counted from their last change.</summary>
    public TimeSpan? Conversations { get; set; }
}
