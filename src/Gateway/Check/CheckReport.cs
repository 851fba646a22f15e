namespace Gateway.Check;

/// <summary>What a check found out.</summary>
internal sealed record CheckReport
{
    public required string Url { get; init; }

    /// <summary>The model that was asked; null when none was needed or none is known.</summary>
    public required string? Model { get; init; }

    public required IReadOnlyList<CaseReport> Cases { get; init; }

    /// <summary>Ids of responses that are still stored since they could not be deleted.</summary>
    public required IReadOnlyList<string> Left { get; init; }

    /// <summary>The model servers; null when administrators' views were not asked for.</summary>
    public required IReadOnlyList<UpstreamReport>? Upstreams { get; init; }

    /// <summary>Why there are no model servers to show although they were asked for; null when there are.</summary>
    public required string? UpstreamsProblem { get; init; }

    /// <summary>It was ended before its end.</summary>
    public required bool WasInterrupted { get; init; }

    /// <summary>Nothing failed, something could be asked, and nothing was left behind.</summary>
    public bool IsGood => Count(CaseResult.Fail) == 0 && Count(CaseResult.Pass) + Count(CaseResult.Limited) > 0 && Left.Count == 0;

    public int Count(CaseResult result) => Cases.Count(report => report.Outcome.Result == result);
}
