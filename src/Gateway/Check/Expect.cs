using System.Diagnostics.CodeAnalysis;

namespace Gateway.Check;

/// <summary>What a case demands.</summary>
internal static class Expect
{
    /// <summary>Of the gateway: it is so, or the case fails.</summary>
    public static void That([DoesNotReturnIf(false)] bool isSo, string otherwise)
    {
        if (!isSo)
        {
            throw new CaseEndedException(CaseOutcome.Fail(otherwise));
        }
    }

    /// <summary>Of the model and its server: it is so, or the case ends as limited.</summary>
    public static void OfModel([DoesNotReturnIf(false)] bool isSo, string otherwise)
    {
        if (!isSo)
        {
            throw new CaseEndedException(CaseOutcome.Limited(otherwise));
        }
    }
}
