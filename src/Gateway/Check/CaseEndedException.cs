namespace Gateway.Check;

/// <summary>Ends a case from within: what was expected is not so, and there is no use in going on.</summary>
internal sealed class CaseEndedException(CaseOutcome outcome) : Exception(outcome.Detail)
{
    public CaseOutcome Outcome => outcome;
}
