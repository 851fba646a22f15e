namespace Gateway.Check;

/// <summary>A row of the table.</summary>
/// <param name="Name">The case's name.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Duration">How long it took, deletion left out.</param>
internal sealed record CaseReport(string Name, CaseOutcome Outcome, TimeSpan Duration);
