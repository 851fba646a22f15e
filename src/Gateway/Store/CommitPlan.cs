namespace Gateway.Store;

/// <summary>Where a turn goes: behind its parent, or into a branch of its own when another turn is there already.</summary>
/// <param name="Log">The log to append to; its count is the length it must have.</param>
/// <param name="Appended">The response's path when it was appended.</param>
/// <param name="Branched">The response's path when it got its own branch.</param>
/// <param name="Others">The other logs of the path, which must be as long as their counts say.</param>
internal readonly record struct CommitPlan(
    PathSegment Log, PathSegment[] Appended, PathSegment[] Branched, ArraySegment<PathSegment> Others)
{
    public const string MainBranch = "0";

    /// <summary>
    /// The log of a conversation. It is no main branch, so that a path tells what it is: responses that continue one of its responses open a
    /// chain of their own.
    /// </summary>
    public const string ConversationBranch = "c";

    public static CommitPlan For(TurnCommit commit)
    {
        PathSegment[] parents = [.. commit.ParentPath];
        PathSegment[] branched = [.. parents.Where(segment => segment.Count > 0), new PathSegment(commit.Id.Chain, commit.Id.Self, 1)];
        if (parents.Length > 0 && parents[^1] is var parent && parent.Chain == commit.Id.Chain)
        {
            var others = new ArraySegment<PathSegment>(parents, 0, parents.Length - 1);
            return new CommitPlan(parent, [.. others, parent with { Count = parent.Count + 1 }], branched, others);
        }

        var log = new PathSegment(commit.Id.Chain, MainBranch, 0);
        return new CommitPlan(log, [.. parents, log with { Count = 1 }], branched, parents);
    }
}
