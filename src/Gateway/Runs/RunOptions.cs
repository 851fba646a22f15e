namespace Gateway.Runs;

/// <summary>
/// Durable runs: background responses, stored streams with a resume window, stored requests with an <c>Idempotency-Key</c>
/// (<see href="background.md">background responses</see>, <see href="design/runs.md">design</see>).
/// </summary>
internal sealed class RunOptions
{
    public const string Section = "Gateway:Runs";

    /// <summary>
    /// How long a replica that shows no sign of life keeps its runs; afterwards another one goes on with them.
    /// </summary>
    /// <value>3 seconds to 10 minutes, and at least <c>Gateway:Store:CommandTimeout</c></value>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>The most background runs that are made at once on one replica; others wait, or go to other replicas.</summary>
    /// <value>1 to 100,000</value>
    public int Concurrent { get; set; } = 256;

    /// <summary>
    /// The most runs of all tenants, running and waiting, on all replicas; more are told 429 <c>rate_limit_exceeded</c>.
    /// </summary>
    /// <value>1 to 10,000,000</value>
    public int Queue { get; set; } = 10_000;

    /// <summary>
    /// How often a run may be taken by a replica before it is given up as failed: what it does may be what ends the replicas. Planned hand-overs
    /// count too.
    /// </summary>
    /// <value>1 to 1,000</value>
    public int Attempts { get; set; } = 20;

    /// <summary>
    /// Events are put into the store, and only then told, at most this often per run; the first output at once. Longer costs clients time,
    /// shorter costs the store work.
    /// </summary>
    /// <value>1 millisecond to 5 seconds</value>
    public TimeSpan EventInterval { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// How long the events of a response that has ended can be replayed (<c>GET …?stream=true</c>); with an <c>Idempotency-Key</c> at least
    /// 24 hours; never longer than the response.
    /// </summary>
    /// <value>1 second to 30 days</value>
    public TimeSpan EventRetention { get; set; } = TimeSpan.FromHours(1);

    /// <summary>The most clients of one replica that follow runs as streams; more are told 429 <c>rate_limit_exceeded</c>.</summary>
    /// <value>1 to 1,000,000</value>
    public int Followers { get; set; } = 10_000;
}
