namespace Gateway.Load.Run;

/// <summary>What a scenario measured.</summary>
/// <param name="Name">The scenario.</param>
/// <param name="Calls">What one round sent to each target, in words.</param>
/// <param name="Targets">By target, then by figure.</param>
internal sealed record ScenarioResult(
    string Name, string Calls, IReadOnlyDictionary<string, Dictionary<string, MetricResult>> Targets)
{
    /// <param name="name">The scenario.</param>
    /// <param name="calls">What one round sent to each target, in words.</param>
    /// <param name="rounds">By target: the figures of each round.</param>
    /// <param name="yardstick">The target that ratios are to; without it there are none.</param>
    public static ScenarioResult Of(
        string name, string calls, IReadOnlyDictionary<string, List<IReadOnlyDictionary<string, double>>> rounds, string yardstick = Target.Yarp)
    {
        var other = rounds.GetValueOrDefault(yardstick);
        return new ScenarioResult(name, calls, rounds.ToDictionary(target => target.Key, target => Summarise(target.Value, other)));
    }

    private static Dictionary<string, MetricResult> Summarise(
        List<IReadOnlyDictionary<string, double>> rounds, List<IReadOnlyDictionary<string, double>>? yardstick) =>
        rounds[0].Keys.ToDictionary(
            figure => figure,
            figure => MetricResult.Of([.. rounds.Select(round => round[figure])], yardstick?.Select(round => round[figure]).ToArray()));
}
