namespace Gateway.Telemetry;

/// <summary>A feature's part of the start-up block.</summary>
/// <param name="Label">The word in the left column: <c>store</c>, <c>upstreams</c>, ….</param>
/// <param name="Lines">One or more lines of the right column. Never a secret.</param>
internal sealed record StartupText(string Label, params IReadOnlyList<string> Lines)
{
    /// <summary>What the operator should know before going on.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>A model that the printed example may ask for.</summary>
    public string? Model { get; init; }
}
