namespace Gateway.Upstream;

/// <summary>How often model servers are asked which models they have, under <c>Gateway:Discovery</c>.</summary>
internal sealed class DiscoveryOptions
{
    public const string Section = "Gateway:Discovery";

    /// <summary>Time between two questions to a server that has answered. Default: 30 seconds.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Time between two questions while a server has not answered yet. Default: 1 second.</summary>
    public TimeSpan RetryInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait for one server's list. Default: 5 seconds.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(5);
}
