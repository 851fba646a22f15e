namespace Gateway.Check;

/// <summary>How a case ended, with one line for people. The line never holds prompts, outputs, messages of errors, or keys.</summary>
internal sealed record CaseOutcome(CaseResult Result, string Detail)
{
    public static CaseOutcome Pass(string detail) => new(CaseResult.Pass, detail);

    public static CaseOutcome Limited(string detail) => new(CaseResult.Limited, detail);

    public static CaseOutcome Fail(string detail) => new(CaseResult.Fail, detail);

    public static CaseOutcome Skipped(string detail) => new(CaseResult.Skipped, detail);
}
