namespace Gateway.Store;

/// <summary>How long a claim is kept that must outlive turns.</summary>
internal static class ClaimLife
{
    /// <summary>More than a commit takes: a claim taken between the prolongation of a turn's claims and its commit must outlive that turn too.</summary>
    private static readonly TimeSpan CommitTime = TimeSpan.FromMinutes(5);

    public static TimeSpan For(TimeSpan retention) => retention + CommitTime;
}
