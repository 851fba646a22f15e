namespace Gateway.Upstream.Probing;

/// <summary>Finding out what servers with the profile <c>auto</c> are and take (<see href="upstreams.md#what-auto-finds-out">how</see>).</summary>
internal sealed class ProbingOptions
{
    public const string Section = "Gateway:Probing";

    /// <summary>Ask them. When not, they are spoken to with the generic profile.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The longest wait for one answer; then the question is asked again later.</summary>
    /// <value>More than 0 to 1 day</value>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Time between two looks at a server's kind, version and models, which cost no tokens; only when one has changed it is probed again.
    /// </summary>
    /// <value>More than 0 to 1 day</value>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(5);
}
