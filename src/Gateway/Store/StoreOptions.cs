namespace Gateway.Store;

/// <summary>Where responses are kept and for how long.</summary>
internal sealed class StoreOptions
{
    public const string Section = "Gateway:Store";

    /// <summary>
    /// A StackExchange.Redis connection string (hosts, TLS, Cluster, Sentinel by <c>serviceName</c>). Without it responses are kept in an
    /// embedded SQLite database in <see cref="Path"/>, for one gateway process on one machine.
    /// </summary>
    /// <value>Default: none: SQLite</value>
    public string? Redis { get; set; }

    /// <summary>A file with the Redis password; it wins over a password in <see cref="Redis"/>. Read at start.</summary>
    /// <value>Default: none</value>
    public string? RedisPasswordFile { get; set; }

    /// <summary>The folder of the embedded store; made when missing. Not used with Redis.</summary>
    public string Path { get; set; } = "./data";

    /// <summary>
    /// How long a response is kept after it was committed, where no policy says otherwise. A chain lives as long as its youngest response.
    /// </summary>
    /// <value>1 second to 3,650 days</value>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(30);

    /// <summary>
    /// The longest wait for the store to answer one command, and to connect. A commit that fails sooner is tried once more within that time.
    /// Wins over the times in <see cref="Redis"/>.
    /// </summary>
    /// <value>0.1 seconds to 60 seconds</value>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How many replicas of Redis must have acknowledged a write before it is told: what was told survives the loss of the primary if one of
    /// them takes its place. Holds for turns, deletions, conversations and their items, claims, and what runs must not lose (their begin, taking and cancellation, their
    /// journal); not for events of a run, leases, and locks. In a Cluster: replicas of the node. When fewer have
    /// after <see cref="WaitTimeout"/>, the write counts all the same, with a warning and <c>gateway.store.unacknowledged</c>. 0: none. Not used
    /// with the embedded store. <see href="operations.md#waiting-for-replicas">What it is good for</see>.
    /// </summary>
    /// <value>0 to 100</value>
    public int WaitReplicas { get; set; }

    /// <summary>The longest wait for those replicas, on top of the write itself.</summary>
    /// <value>10 milliseconds to 10 seconds</value>
    public TimeSpan WaitTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How often the embedded store removes what has expired, and wipes deleted text from its write-ahead log. Not used with Redis.
    /// </summary>
    /// <value>1 second to 1 day</value>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How long a stored stream goes on after its client was cut off, so that the client can come back for the rest
    /// (<c>GET …?stream=true&amp;starting_after=…</c>); then it ends as <c>cancelled</c>. The events of all stored streams are kept for that, and are told
    /// once they are. 0: a client that leaves ends its stream, and nothing is kept of it. <see href="performance.md">What it costs</see>.
    /// </summary>
    /// <value>0 to 1 day</value>
    public TimeSpan ResumeWindow { get; set; } = TimeSpan.Zero;

    /// <summary>
    /// How long a replica that makes a response in a <see href="conversations.md">conversation</see> keeps others from writing to it without a
    /// sign of life; it gives one every third of that time. After a crash the conversation stays locked that long. The hold of a durable run
    /// lasts until its end.
    /// </summary>
    /// <value>1 second to 10 minutes</value>
    public TimeSpan ConversationLease { get; set; } = TimeSpan.FromSeconds(30);

    public bool UsesRedis => !string.IsNullOrWhiteSpace(Redis);
}
