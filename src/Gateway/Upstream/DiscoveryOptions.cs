namespace Gateway.Upstream;

/// <summary>How often model servers are asked which models they have.</summary>
internal sealed class DiscoveryOptions
{
    public const string Section = "Gateway:Discovery";

    /// <summary>Time between two questions to an upstream that has answered.</summary>
    /// <value>More than 0 to 1 day</value>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Time until an upstream that has no list yet is asked again; longer by the same each time, up to <see cref="Interval"/>.</summary>
    /// <value>More than 0 to 1 day</value>
    public TimeSpan RetryInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait for one server's list.</summary>
    /// <value>More than 0 to 1 day</value>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(5);
}
