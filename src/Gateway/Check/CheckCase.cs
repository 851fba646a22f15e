namespace Gateway.Check;

/// <summary>One case of the check.</summary>
/// <param name="Name">What <c>--only</c> and the table call it.</param>
/// <param name="RunAsync">Asks the gateway, and says how that ended; throws <see cref="CaseEndedException"/> where it can not go on.</param>
internal sealed record CheckCase(string Name, Func<CheckedGateway, Task<CaseOutcome>> RunAsync)
{
    /// <summary>It asks the model.</summary>
    public bool NeedsModel { get; init; } = true;
}
