using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>What a store means, as simply as it can be said: lists and expiries in memory.</summary>
/// <param name="time">The clock.</param>
/// <param name="keepsWhatIsLeft">A continuation that finds a part of its history gone lets what is left in other chains live longer.</param>
internal sealed partial class ModelStore(TimeProvider time, bool keepsWhatIsLeft)
{
    private readonly Dictionary<(string Chain, string Branch), (List<Turn?> Turns, DateTimeOffset Expires)> _logs = [];
    private readonly Dictionary<ResponseId, (TurnCommit Commit, PathSegment[] Path, DateTimeOffset Expires)> _records = [];

    private DateTimeOffset Now => time.GetUtcNow();

    public bool Exists(ResponseId id) => _records.TryGetValue(id, out var record) && record.Expires > Now;

    public (IReadOnlyList<Turn> Turns, IReadOnlyList<PathSegment> Path, bool IsTail)? Load(ResponseId id)
    {
        if (!Exists(id))
        {
            return null;
        }

        var path = _records[id].Path;
        var turns = path.SelectMany(segment => Log(segment).Take(segment.Count)).ToArray();
        return turns.Length == path.Sum(segment => segment.Count) && turns.All(turn => turn is not null)
            ? (turns.OfType<Turn>().ToArray(), path, Log(path[^1]).Count == path[^1].Count && path[^1].Branch != "c")
            : null;
    }

    public Turn? Get(ResponseId id) => Exists(id) && _records[id].Path[^1] is var own ? Log(own)[own.Count - 1] : null;

    public ResponseId[] List() =>
    [
        .. _records.Keys.Where(Exists)
            .OrderByDescending(id => _records[id].Commit.CreatedAt).ThenByDescending(id => id.ToString(), StringComparer.Ordinal),
    ];

    public CommitOutcome Commit(TurnCommit commit)
    {
        if (Exists(commit.Id))
        {
            return CommitOutcome.AlreadyCommitted;
        }

        var own = new PathSegment(commit.Id.Chain, commit.Id.Self, 1);
        if (commit.Conversation is { } hold)
        {
            return CommitInto(hold, commit);
        }

        if (commit.Aside)
        {
            Append(commit, own, commit.ParentPath);
            return CommitOutcome.Branched;
        }

        if (!IsWhole(commit.ParentPath))
        {
            if (keepsWhatIsLeft)
            {
                foreach (var chain in commit.ParentPath.GroupBy(segment => segment.Chain).Where(chain => chain.Key != commit.Id.Chain && IsWhole(chain)))
                {
                    Keep(chain, commit.Retention);
                }
            }

            return CommitOutcome.HistoryLost;
        }

        Keep(commit.ParentPath, commit.Retention);
        var continues = commit.ParentPath.Count > 0 && commit.ParentPath[^1].Chain == commit.Id.Chain;
        if (!continues)
        {
            Append(commit, new PathSegment(commit.Id.Chain, "0", 1), commit.ParentPath);
            return CommitOutcome.Appended;
        }

        var parent = commit.ParentPath[^1];
        if (Log(parent).Count == parent.Count)
        {
            Append(commit, parent with { Count = parent.Count + 1 }, commit.ParentPath.SkipLast(1));
            return CommitOutcome.Appended;
        }

        Append(commit, own, commit.ParentPath);
        return CommitOutcome.Branched;
    }

    public bool Delete(ResponseId id)
    {
        if (!Exists(id))
        {
            return false;
        }

        var own = _records[id].Path[^1];
        Log(own)[own.Count - 1] = null;
        return _records.Remove(id);
    }

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private bool IsWhole(IEnumerable<PathSegment> path) => path.All(segment => Log(segment).Count >= segment.Count);

    private void Keep(IEnumerable<PathSegment> path, TimeSpan retention)
    {
        foreach (var key in path.Select(segment => (segment.Chain, segment.Branch)))
        {
            _logs[key] = (_logs[key].Turns, Later(_logs[key].Expires, Now + retention));
        }
    }

    private List<Turn?> Log(PathSegment segment) =>
        _logs.TryGetValue((segment.Chain, segment.Branch), out var log) && log.Expires > Now ? log.Turns : [];

    private void Append(TurnCommit commit, PathSegment own, IEnumerable<PathSegment> before)
    {
        AppendTurn(commit.Turn, own, commit.Retention);
        _records[commit.Id] = (commit, [.. before, own], Now + commit.Retention);
    }

    private void AppendTurn(Turn turn, PathSegment own, TimeSpan retention)
    {
        var turns = Log(own);
        var kept = turns.Count == 0 ? Now + retention : Later(_logs[(own.Chain, own.Branch)].Expires, Now + retention);
        turns.Add(turn);
        _logs[(own.Chain, own.Branch)] = (turns, kept);
    }
}
