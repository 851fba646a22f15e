namespace Gateway.Upstream;

/// <summary>
/// How calls are spread over destinations and tried again (<see href="upstreams.md#several-replicas">how</see>).
/// </summary>
internal sealed class RoutingOptions
{
    public const string Section = "Gateway:Routing";

    /// <summary>
    /// How long the share of a destination that is new, or that comes back after it was out, grows from a tenth to the whole; zero gives it
    /// its whole share at once.
    /// </summary>
    /// <value>0 to 1 hour</value>
    public TimeSpan SlowStart { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How many calls may be tried again at another destination.</summary>
    public RetryBudgetOptions RetryBudget { get; set; } = new();
}

/// <summary>
/// How many calls may be tried again, counted over the last 10 seconds, for each upstream that is preferred for a model: when everything fails,
/// retries must not double the load. A failure without budget goes to the client as it is.
/// </summary>
internal sealed class RetryBudgetOptions
{
    /// <summary>Retries as a part of the requests.</summary>
    /// <value>0 to 1</value>
    public double Ratio { get; set; } = 0.2;

    /// <summary>Retries a second that are always allowed.</summary>
    /// <value>0 to 10,000</value>
    public int PerSecond { get; set; } = 3;
}
