using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>One commit with its keys and arguments made once, so that it can be sent again.</summary>
internal sealed class RedisCommit
{
    /// <summary>No length of a log: the turn goes to its own branch.</summary>
    private const int OwnBranch = -1;

    private readonly TurnCommit _commit;
    private readonly bool _isCluster;
    private readonly RedisKey[] _keys;
    private readonly RedisValue[] _arguments;
    private readonly List<(RedisKey[] Keys, RedisValue[] Arguments)> _elsewhere = [];

    /// <param name="commit">The turn.</param>
    /// <param name="isCluster">The tenant's index lives in another slot than the turn.</param>
    public RedisCommit(TurnCommit commit, bool isCluster)
    {
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
                }
                else
                {
                    _elsewhere.Add(([.. logs], [retention, .. counts]));
                }
            }
        }

        if (!isCluster)
        {
            keys.Add(RedisKeys.Index(commit.Tenant, RedisKeys.Day(commit.CreatedAt)));
        }

        _isCluster = isCluster;
        _keys = [.. keys];
        _arguments = [.. arguments];
    }

    public async Task<CommitOutcome> SendAsync(IDatabase db, CancellationToken cancellationToken)
    {
        // The index first, the logs of other chains next, the turn last: what is told is then listed, and its history is kept. Only a
        // Cluster, or a history that must be seen whole first, costs another round trip.
        if (_isCluster)
        {
            await RedisIndex.AddAsync(db, _commit).WaitAsync(cancellationToken).ConfigureAwait(false);
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
        return outcome switch
        {
            0 => CommitOutcome.Appended,
            1 => CommitOutcome.Branched,
            2 => CommitOutcome.AlreadyCommitted,
            3 => CommitOutcome.HistoryLost,
            5 => CommitOutcome.ConversationTaken,
            6 => CommitOutcome.ConversationGone,
            _ => throw new InvalidDataException($"The commit script answered {outcome}."),
        };
    }
}
