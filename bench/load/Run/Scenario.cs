using Gateway.Load.Mock;

namespace Gateway.Load.Run;

/// <summary>What one burst of calls consists of, the same for every target.</summary>
internal sealed record Scenario
{
    public const string Json = "json";
    public const string Burst = "burst";
    public const string Paced = "paced";
    public const string Background = "background";
    public const string Resume = "resume";
    public const string Passthrough = "passthrough";
    public const string PassthroughBurst = "passthrough-burst";
    public const string Chain = "chain";
    public const string Tools = "tools";
    public const string PrefixCache = "prefix-cache";
    public const string RollingRestart = "rolling-restart";

    // A paced round takes a second a target and a chain's round more, and each has hundreds of calls of its own.
    private const int SlowWarmupRounds = 2;

    // Ratios between processes of which one is used twice as much: after two rounds the other was seen to be a third dearer.
    private const int RunWarmupRounds = 5;

    private static readonly IReadOnlyList<string> Translated = [Target.Yarp, Target.YarpAgain, Target.Unstored, Target.Sqlite, Target.Redis];
    private static readonly IReadOnlyList<string> PassedThrough = [Target.Yarp, Target.YarpAgain, Target.Passthrough];

    public required string Name { get; init; }

    /// <summary>The mock's model.</summary>
    public required string Model { get; init; }

    /// <summary>The targets that it makes sense for.</summary>
    public required IReadOnlyList<string> Targets { get; init; }

    /// <summary>What it needs beside each of its targets: further processes, by what stands behind the target's name.</summary>
    public IReadOnlyList<string> Beside { get; init; } = [];

    /// <summary>Rounds before the measured ones, thrown away.</summary>
    public required int WarmupRounds { get; init; }

    /// <summary>Measured rounds.</summary>
    public required int Rounds { get; init; }

    public required int Requests { get; init; }

    public required int Concurrency { get; init; }

    /// <summary>Deltas in each answer; 0 for a JSON answer.</summary>
    public int Deltas { get; init; }

    /// <summary>Each delta carries the moment when the mock sent it.</summary>
    public bool Stamped { get; init; }

    /// <summary>The first calls start evenly over this time, so that paced streams do not tick together.</summary>
    public TimeSpan Spread { get; init; }

    public static Scenario Create(string name, RunOptions options) => name switch
    {
        Json or Passthrough => new Scenario
        {
            Name = name,
            Model = "mock-json",
            Targets = name == Json ? Translated : PassedThrough,
            WarmupRounds = options.WarmupRounds,
            Rounds = options.Rounds,
            Requests = options.Requests,
            Concurrency = options.Concurrency,
        },
        Burst or PassthroughBurst => new Scenario
        {
            Name = name,
            Model = "mock-burst",
            Targets = name == Burst ? Translated : PassedThrough,
            WarmupRounds = options.WarmupRounds,
            Rounds = options.Rounds,
            Requests = options.BurstRequests,
            Concurrency = options.Concurrency,
            Deltas = options.Deltas,
        },
        Paced or Background or Resume => new Scenario
        {
            Name = name,
            Model = "mock-paced",
            Targets = name switch
            {
                Paced => Translated,
                Background => [Target.Sqlite, Target.Redis],
                _ => [Target.Redis],
            },
            Beside = name switch
            {
                Paced => [],
                Background => [Target.Again, Target.Resumable],
                _ => [Target.Again],
            },
            WarmupRounds = name == Background ? RunWarmupRounds : SlowWarmupRounds,
            Rounds = options.PacedRounds,
            Requests = options.PacedStreams,
            Concurrency = options.PacedStreams,
            Deltas = options.PacedDeltas,
            Stamped = true,

            // Those that come back come one by one: what one waits is asked, not what a queue of them does.
            Spread = name == Resume ? options.Interval * options.PacedDeltas : options.Interval,
        },
        Chain => new Scenario
        {
            Name = name,
            Model = "mock-json",
            Targets = [Target.Sqlite, Target.Redis],
            WarmupRounds = SlowWarmupRounds,
            Rounds = options.ChainRounds,
            Requests = options.ChainTurns,
            Concurrency = 1,
        },
        Tools => new Scenario
        {
            Name = name,
            Model = WaitingModel.Waits,
            Targets = [Target.Unstored],
            WarmupRounds = SlowWarmupRounds,
            Rounds = options.ToolRounds,
            Requests = options.ToolRequests,
            Concurrency = options.Concurrency,
        },
        PrefixCache => new Scenario
        {
            Name = name,
            Model = "mock-json",
            Targets = [Target.Sqlite, Target.Redis],
            Beside = [Target.Several],
            WarmupRounds = 1,
            Rounds = options.PrefixRounds,
            Requests = options.PrefixChains * options.PrefixTurns,
            Concurrency = options.PrefixAtOnce,
        },
        RollingRestart => new Scenario
        {
            Name = name,
            Model = "mock-json",
            Targets = [Target.Unstored],
            Beside = [Target.Several],
            WarmupRounds = 0,
            Rounds = 1,
            Requests = 0,
            Concurrency = options.RestartAtOnce,
        },
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "Not a scenario."),
    };
}
