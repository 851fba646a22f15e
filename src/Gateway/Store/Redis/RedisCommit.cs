using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>One commit with its keys and arguments made once, so that it can be sent again.</summary>
internal sealed class RedisCommit
{
    /// <summary>No length of a log: the turn goes to its own branch.</summary>
    private const int OwnBranch = -1;

    /// <summary>Where the number of other logs stands among the arguments.</summary>
    private const int OthersArgument = 10;

    private readonly TurnCommit _commit;
    private readonly bool _isCluster;
    private readonly TimeProvider _time;
    private readonly RedisKey[] _keys;
    private readonly RedisValue[] _arguments;
    private readonly RedisKey[] _claims;
    private readonly List<(RedisKey[] Keys, RedisValue[] Arguments)> _elsewhere = [];

    /// <param name="commit">The turn.</param>
    /// <param name="isCluster">The tenant's index lives in another slot than the turn.</param>
    /// <param name="time">The clock.</param>
    public RedisCommit(TurnCommit commit, bool isCluster, TimeProvider time)
    {
        var now = time.GetUtcNow();
        var day = RedisKeys.Day(commit.CreatedAt);
        _commit = commit;
        var plan = CommitPlan.For(commit);
        var retention = (long)commit.Retention.TotalMilliseconds;
        List<RedisKey> keys =
        [
            RedisKeys.Record(commit.Tenant, commit.Id),
            RedisKeys.Log(commit.Tenant, plan.Log.Chain, plan.Log.Branch),
            RedisKeys.Log(commit.Tenant, commit.Id.Chain, commit.Id.Self),
        ];
        List<RedisValue> arguments =
        [
            commit.Aside ? OwnBranch : plan.Log.Count,
            TurnCodec.Encode(commit.Turn),
            RecordCodec.EncodeHead(commit, plan.Appended),
            RecordCodec.EncodeHead(commit, plan.Branched),
            commit.Envelope,
            retention,
            isCluster ? RedisValue.EmptyString : commit.CreatedAt.ToUnixTimeMilliseconds(),
            commit.Id.ToString(),
            day,
            (now + commit.Retention).ToUnixTimeMilliseconds(),
            0,
            commit.Conversation is { } conversation ? conversation.Id.Self : RedisValue.EmptyString,
            commit.Conversation?.Token ?? RedisValue.EmptyString,
            commit.Id.Self,
        ];
        if (commit.Conversation is not null)
        {
            keys.Add(RedisKeys.Conversation(commit.Tenant, commit.Id.Chain));
            keys.Add(RedisKeys.Places(commit.Tenant, commit.Id.Chain));
        }

        // Nobody continues a turn that is aside: it needs its own log only.
        if (!commit.Aside)
        {
            foreach (var chain in plan.Others.GroupBy(segment => segment.Chain))
            {
                var logs = chain.Select(segment => RedisKeys.Log(commit.Tenant, segment.Chain, segment.Branch));
                var counts = chain.Select(segment => (RedisValue)segment.Count);
                if (chain.Key == commit.Id.Chain)
                {
                    keys.AddRange(logs);
                    arguments.AddRange(counts);
                    arguments[OthersArgument] = chain.Count();
                }
                else
                {
                    _elsewhere.Add(([.. logs], [retention, .. counts]));
                }
            }
        }

        if (commit.Run is { } fence)
        {
            var run = new RunKey(commit.Tenant, commit.Id);
            keys.AddRange([RedisKeys.Run(run), RedisKeys.Journal(run), RedisKeys.Events(commit.Tenant, commit.Id)]);
            arguments.AddRange(
                [fence.Token, (string?)RedisKeys.RunChannel(run), (long)fence.EventRetention.TotalMilliseconds, fence.FirstEvent]);
            arguments.AddRange(fence.Events.Select(data => (RedisValue)data));
        }

        if (!isCluster)
        {
            keys.Add(RedisKeys.Index(commit.Tenant, day));
            keys.Add(RedisKeys.Days(commit.Tenant));
        }

        // Nobody continues a turn that is aside, nor takes anything by it.
        _claims = commit.Aside ? [] : [.. commit.Claims.Select(name => RedisKeys.Claim(commit.Tenant, name))];
        _isCluster = isCluster;
        _time = time;
        _keys = [.. keys];
        _arguments = [.. arguments];
    }

    public async Task<CommitOutcome> SendAsync(IDatabase db, CancellationToken cancellationToken)
    {
        // The index first, claims and the logs of other chains next, the turn last: what is told is then listed, and its history is kept. Only a
        // Cluster, claims, or a history that must be seen whole first, cost another round trip.
        var started = _time.GetTimestamp();
        if (_isCluster)
        {
            await RedisIndex.AddAsync(db, _commit, _time.GetUtcNow()).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        if (_claims.Length > 0)
        {
            await db.ScriptEvaluateAsync(RedisScripts.Prolong, _claims, [(long)ClaimLife.For(_commit.Retention).TotalMilliseconds])
                .WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        if (_elsewhere.Count > 0)
        {
            var kept = await Task.WhenAll(_elsewhere.Select(logs => db.ScriptEvaluateAsync(RedisScripts.Keep, logs.Keys, logs.Arguments)))
                .WaitAsync(cancellationToken).ConfigureAwait(false);
            if (kept.Any(reply => (long)reply == 0))
            {
                // A second try of a commit that was done is still that, though its history has gone since.
                var exists = await db.KeyExistsAsync(_keys[0], CommandFlags.DemandMaster).WaitAsync(cancellationToken).ConfigureAwait(false);
                return exists ? CommitOutcome.AlreadyCommitted : CommitOutcome.HistoryLost;
            }
        }

        var reply = await db.ScriptEvaluateAsync(RedisScripts.Commit, _keys, _arguments).WaitAsync(cancellationToken).ConfigureAwait(false);
        var outcome = (long)reply;
        if (_isCluster && outcome is (0 or 1) && _time.GetElapsedTime(started) > RedisIndex.Doubt / 2)
        {
            // This process stood still meanwhile, and a list may have forgotten the entry.
            await RedisIndex.AddAsync(db, _commit, _time.GetUtcNow()).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        if (_commit.Run is not null && outcome is 0 or 1 or 2)
        {
            // Nobody needs to wait for it: an entry that stays is removed when somebody tries to take the run.
            await RedisRunIndex.ForgetAsync(db, new RunKey(_commit.Tenant, _commit.Id), CommandFlags.FireAndForget).ConfigureAwait(false);
        }

        return outcome switch
        {
            0 => CommitOutcome.Appended,
            1 => CommitOutcome.Branched,
            2 => CommitOutcome.AlreadyCommitted,
            3 => CommitOutcome.HistoryLost,
            4 => CommitOutcome.Fenced,
            5 => throw new InvalidDataException("The event log of a run is shorter than its last events say."),
            6 => CommitOutcome.ConversationTaken,
            7 => CommitOutcome.ConversationGone,
            _ => throw new InvalidDataException($"The commit script answered {outcome}."),
        };
    }
}
