namespace Gateway.Check;

/// <summary>How a case of the check ended.</summary>
internal enum CaseResult
{
    /// <summary>The gateway kept its contract, and the model did what was asked.</summary>
    Pass,

    /// <summary>The gateway kept its contract; the model, its server, or a limit that somebody set did not let more be seen.</summary>
    Limited,

    /// <summary>The gateway, or what stands between it and the check, broke the contract; or the model server did not answer at all.</summary>
    Fail,

    /// <summary>It could not be asked here.</summary>
    Skipped,
}
