using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>What a store of runs means, as simply as it can be said: lists and times in memory.</summary>
internal sealed class ModelRuns(TimeProvider time)
{
    private readonly Dictionary<RunKey, Run> _runs = [];
    private readonly Dictionary<RunKey, (List<string> Events, DateTimeOffset Expires)> _events = [];
    private readonly HashSet<RunKey> _committed = [];
    private readonly HashSet<RunKey> _erased = [];

    private DateTimeOffset Now => time.GetUtcNow();

    public bool IsLive(RunKey run) => Live(run) is not null;

    public bool IsFree(RunKey run) => Live(run) is { } live && live.FreeAt <= Now;

    public bool IsErased(RunKey run) => _erased.Contains(run);

    public long EventCount(RunKey run) => Events(run)?.Count ?? 0;

    public long EntryCount(RunKey run) => Live(run)?.Journal.Count ?? 0;

    public (string Spec, bool HasBegun)? Get(RunKey run) => Live(run) is { } live ? (Commits.Text(live.Spec), live.Token > 0) : null;

    public List<string>? Events(RunKey run) => _events.TryGetValue(run, out var log) && log.Expires > Now ? log.Events : null;

    public long Create(RunStart start)
    {
        if (_committed.Contains(start.Run))
        {
            return start.Owner is null ? 0 : 1;
        }

        var leaseEnd = Now + start.Lease;
        if (Live(start.Run) is { } there)
        {
            there.FreeAt = there is { Token: 1, Owner: not null } && there.Owner == start.Owner ? leaseEnd : there.FreeAt;
        }
        else
        {
            _runs[start.Run] = new Run
            {
                Spec = start.Spec,
                Retention = start.Retention,
                Expires = Now + start.Retention,
                Token = start.Owner is null ? 0 : 1,
                Owner = start.Owner,
                FreeAt = leaseEnd,
                Followed = Now,
            };
            _events.Remove(start.Run);
            Append(start.Run, 0, start.Events);
            Keep(start.Run);
        }

        return start.Owner is null ? 0 : 1;
    }

    public (long Token, string[] Journal, bool IsCancelled, long Events)? Take(RunKey run, string owner, TimeSpan lease)
    {
        if (!IsFree(run) || Live(run) is not { } live)
        {
            return null;
        }

        live.Token++;
        live.Owner = owner;
        live.FreeAt = Now + lease;
        Keep(run);
        return (live.Token, [.. live.Journal], live.IsCancelled, EventCount(run));
    }

    public (bool IsCancelled, TimeSpan FollowedAgo)? Renew(RunKey run, long token, TimeSpan lease)
    {
        if (Held(run, token) is not { } held)
        {
            return null;
        }

        held.FreeAt = Now + lease;
        Keep(run);
        return (held.IsCancelled, Now - held.Followed);
    }

    public bool Append(RunKey run, long token, RunAppend append)
    {
        if (Held(run, token) is not { } held)
        {
            return false;
        }

        Append(run, append.FirstEvent, append.Events);
        held.Journal.AddRange(append.Entries.Skip((int)(held.Journal.Count - append.FirstEntry)).Select(Commits.Text));
        Keep(run);
        return true;
    }

    public void Release(RunKey run, long token)
    {
        if (Held(run, token) is { } held)
        {
            held.Owner = null;
            held.FreeAt = Now;
        }
    }

    public bool Cancel(RunKey run)
    {
        if (Live(run) is { } live)
        {
            live.IsCancelled = true;
        }

        return IsLive(run);
    }

    public void Follow(RunKey run)
    {
        if (Live(run) is { } live)
        {
            live.Followed = Now;
        }
    }

    public bool Delete(RunKey run)
    {
        if (!IsLive(run))
        {
            return false;
        }

        _events.Remove(run);
        return _runs.Remove(run);
    }

    public bool Drop(RunKey run, long token) => (Held(run, token) is not null || (token == 0 && Live(run)?.Token == 0)) && Delete(run);

    public CommitOutcome Commit(TurnCommit commit, RunFence fence)
    {
        var run = new RunKey(commit.Tenant, commit.Id);
        if (_committed.Contains(run))
        {
            return CommitOutcome.AlreadyCommitted;
        }

        if (Held(run, fence.Token) is null)
        {
            return CommitOutcome.Fenced;
        }

        Append(run, fence.FirstEvent, fence.Events);
        if (Events(run) is { } events)
        {
            _events[run] = (events, Now + fence.EventRetention);
        }

        _runs.Remove(run);
        _committed.Add(run);
        return CommitOutcome.Appended;
    }

    public bool DeleteResponse(RunKey run)
    {
        if (!_committed.Remove(run))
        {
            return false;
        }

        _erased.Add(run);
        _events.Remove(run);
        return true;
    }

    private Run? Live(RunKey run) => _runs.TryGetValue(run, out var live) && live.Expires > Now ? live : null;

    private Run? Held(RunKey run, long token) => Live(run) is { Owner: not null } live && live.Token == token ? live : null;

    private void Append(RunKey run, long first, IReadOnlyList<ReadOnlyMemory<byte>> events)
    {
        var log = Events(run) ?? [];
        log.AddRange(events.Skip((int)(log.Count - first)).Select(Commits.Text));
        if (log.Count > 0)
        {
            _events[run] = (log, DateTimeOffset.MaxValue);
        }
    }

    private void Keep(RunKey run)
    {
        var live = _runs[run];
        live.Expires = Now + live.Retention;
        if (Events(run) is { } events)
        {
            _events[run] = (events, live.Expires);
        }
    }

    private sealed class Run
    {
        public required ReadOnlyMemory<byte> Spec { get; init; }

        public required TimeSpan Retention { get; init; }

        public required DateTimeOffset Followed { get; set; }

        public required DateTimeOffset Expires { get; set; }

        public required long Token { get; set; }

        public required string? Owner { get; set; }

        /// <summary>When the lease runs out, or since when nobody holds it.</summary>
        public required DateTimeOffset FreeAt { get; set; }

        public bool IsCancelled { get; set; }

        public List<string> Journal { get; } = [];
    }
}
