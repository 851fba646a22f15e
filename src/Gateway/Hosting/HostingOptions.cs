namespace Gateway.Hosting;

/// <summary>How the process starts and stops.</summary>
internal sealed class HostingOptions
{
    public const string Section = "Gateway:Hosting";

    /// <summary>
    /// How long running responses may go on after SIGTERM; then their connections are cut. The platform's own grace period should be some
    /// 10 seconds longer.
    /// </summary>
    /// <value>0 to 1 hour</value>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Print the block with address, store, upstreams and tenants after the start.</summary>
    public bool Banner { get; set; } = true;
}
