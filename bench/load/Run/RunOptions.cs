namespace Gateway.Load.Run;

/// <summary>The options of <c>run</c>; <c>run --help</c> prints their meaning, range and default.</summary>
internal sealed record RunOptions
{
    public static readonly IReadOnlyList<string> KnownScenarios =
    [
        Scenario.Json, Scenario.Burst, Scenario.Paced, Scenario.Background, Scenario.Resume, Scenario.Passthrough, Scenario.PassthroughBurst,
        Scenario.Chain, Scenario.Tools, Scenario.PrefixCache, Scenario.RollingRestart,
    ];

    public static readonly IReadOnlyList<string> KnownTargets =
        [Target.Yarp, Target.YarpAgain, Target.Unstored, Target.Sqlite, Target.Redis, Target.Passthrough];

    /// <summary>All by default.</summary>
    public static RunOptions Default => Read([])!;

    public required IReadOnlyList<string> Scenarios { get; init; }

    public required IReadOnlyList<string> Targets { get; init; }

    public required int Rounds { get; init; }

    public required int WarmupRounds { get; init; }

    public required int Requests { get; init; }

    public required int Concurrency { get; init; }

    public required int BurstRequests { get; init; }

    public required int Deltas { get; init; }

    public required int PacedStreams { get; init; }

    public required int PacedRounds { get; init; }

    public required int PacedDeltas { get; init; }

    public required TimeSpan Interval { get; init; }

    public required int ChainTurns { get; init; }

    public required int ChainRounds { get; init; }

    public required int ToolRequests { get; init; }

    public required int ToolRounds { get; init; }

    public required TimeSpan ModelWait { get; init; }

    public required TimeSpan ToolWait { get; init; }

    public required int PrefixChains { get; init; }

    public required int PrefixTurns { get; init; }

    public required int PrefixAtOnce { get; init; }

    public required int PrefixRounds { get; init; }

    public required int PrefixBlocks { get; init; }

    public required int RestartAtOnce { get; init; }

    public required TimeSpan RestartSteady { get; init; }

    public required TimeSpan RestartEvery { get; init; }

    public required TimeSpan RestartDown { get; init; }

    public required TimeSpan RestartTurn { get; init; }

    public required int TextBytes { get; init; }

    public required string? Gateway { get; init; }

    public required string? RedisConnection { get; init; }

    public required string? DataFolder { get; init; }

    public required string? Output { get; init; }

    public required TimeSpan Limit { get; init; }

    /// <summary>Null when the help was wanted.</summary>
    public static RunOptions? Read(string[] args)
    {
        var line = new CommandLine(args);
        var options = new RunOptions
        {
            Scenarios = line.Words("--scenarios", KnownScenarios, "what to measure"),
            Targets = line.Words("--targets", KnownTargets, "what to measure it on; ratios are to yarp"),
            Rounds = line.Number("--rounds", 30, 1, 1_000, "json, burst, passthrough, passthrough-burst: measured rounds; each gives every target one burst of calls"),
            WarmupRounds = line.Number("--warmup", 15, 1, 1_000, "rounds before them whose figures are thrown away"),
            Requests = line.Number("--requests", 500, 1, 100_000, "json, passthrough: requests in a burst of calls"),
            Concurrency = line.Number("--concurrency", 8, 1, 1_000, "json, burst, passthrough, passthrough-burst, tools: requests at once"),
            BurstRequests = line.Number("--burst-requests", 100, 1, 10_000, "burst, passthrough-burst: streams in a burst of calls"),
            Deltas = line.Number("--deltas", 200, 1, 10_000, "burst, passthrough-burst: deltas in a stream"),
            PacedStreams = line.Number("--paced-streams", 50, 1, 5_000, "paced, background, resume: streams, all at once"),
            PacedRounds = line.Number("--paced-rounds", 10, 1, 1_000, "paced, background, resume: measured rounds, behind two (background: five) for warming up"),
            PacedDeltas = line.Number("--paced-deltas", 50, 1, 10_000, "paced, background, resume: deltas in a stream"),
            Interval = TimeSpan.FromMilliseconds(line.Number("--interval", 20, 1, 10_000, "paced, background, resume: milliseconds between two deltas of a stream")),
            ChainTurns = line.Number("--chain-turns", 1_000, 1, 10_000, "chain: turns of the long chain"),
            ChainRounds = line.Number("--chain-rounds", 3, 1, 100, "chain: measured rounds, behind two for warming up"),
            ToolRequests = line.Number("--tool-requests", 100, 1, 100_000, "tools: requests in a burst of calls"),
            ToolRounds = line.Number("--tool-rounds", 10, 1, 1_000, "tools: measured rounds, behind two for warming up"),
            ModelWait = TimeSpan.FromMilliseconds(line.Number("--model-wait", 20, 1, 10_000, "tools: milliseconds that the model takes for a round")),
            ToolWait = TimeSpan.FromMilliseconds(line.Number("--tool-wait", 10, 1, 10_000, "tools: milliseconds that the tool takes")),
            PrefixChains = line.Number("--prefix-chains", 200, 1, 100_000, "prefix-cache: chains, taken up by turns"),
            PrefixTurns = line.Number("--prefix-turns", 10, 2, 1_000, "prefix-cache: turns of each chain"),
            PrefixAtOnce = line.Number("--prefix-at-once", 16, 1, 1_000, "prefix-cache: requests at once over all four servers"),
            PrefixRounds = line.Number("--prefix-rounds", 2, 1, 100, "prefix-cache: measured rounds, behind one for warming up"),
            PrefixBlocks = line.Number("--prefix-blocks", 65_536, 1, 100_000_000, "prefix-cache: blocks of 16 tokens that a server's cache holds"),
            RestartAtOnce = line.Number("--restart-at-once", 32, 1, 1_000, "rolling-restart: requests at once, which is half of what the four servers can do"),
            RestartSteady = TimeSpan.FromSeconds(line.Number("--restart-steady", 10, 1, 3_600, "rolling-restart: seconds before the first restart")),
            RestartEvery = TimeSpan.FromSeconds(line.Number("--restart-every", 11, 2, 3_600, "rolling-restart: seconds from one restart to the next")),
            RestartDown = TimeSpan.FromSeconds(line.Number("--restart-down", 3, 1, 3_600, "rolling-restart: seconds that a server is down; as long it starts slowly")),
            RestartTurn = TimeSpan.FromMilliseconds(line.Number("--restart-turn", 100, 1, 60_000, "rolling-restart: milliseconds that an answer takes")),
            TextBytes = line.Number("--text-bytes", 500, 1, 100_000, "bytes of text in each request and in each JSON answer"),
            Gateway = line.Text("--gateway", "the gateway's executable or .dll (default: src/Gateway/bin/Release of this repository)"),
            RedisConnection = line.Text("--redis", "connection string of a Redis to use (default: a redis-server from PATH is started)"),
            DataFolder = line.Text("--data", "folder for the stores, on the disk to measure (default: the temporary folder)"),
            Output = line.Text("--output", "file for the figures as JSON, every sample included (default: none)"),
            Limit = TimeSpan.FromMinutes(line.Number("--limit", 60, 1, 1_000, "minutes after which the run gives up")),
        };
        return line.Complete() ? options : null;
    }
}
