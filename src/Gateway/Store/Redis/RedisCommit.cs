using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>One commit with its keys and arguments made once, so that it can be sent again.</summary>
internal sealed class RedisCommit
{
    /// <summary>No length of a log: the turn goes to its own branch.</summary>
    private const int OwnBranch = -1;

    private readonly TurnCommit _commit;
    private readonly RedisKey[] _keys;
    private readonly RedisValue[] _arguments;
    private readonly List<(RedisKey[] Keys, RedisValue[] Arguments)> _elsewhere = [];

    public RedisCommit(TurnCommit commit)
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
        ];

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

        _keys = [.. keys];
        _arguments = [.. arguments];
    }

    public async Task<CommitOutcome> SendAsync(IDatabase db, bool isCluster, CancellationToken cancellationToken)
    {
        // The index first, the logs of other chains next, the turn last: what is told is then listed, and its history is kept. One server
        // does them in the order they are sent, so only a Cluster, or a history that must be seen whole first, costs another round trip.
        var indexed = RedisIndex.AddAsync(db, _commit, isCluster ? CommandFlags.None : CommandFlags.FireAndForget);
        if (isCluster)
        {
            await indexed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        if (_elsewhere.Count > 0)
        {
            var kept = await Task.WhenAll(_elsewhere.Select(logs => db.ScriptEvaluateAsync(RedisScripts.Keep, logs.Keys, logs.Arguments)))
                .WaitAsync(cancellationToken).ConfigureAwait(false);
            if (kept.Any(reply => (long)reply == 0))
            {
                // A second try of a commit that was done is still that, though its history has gone since.
                var exists = await db.KeyExistsAsync(_keys[0], CommandFlags.DemandMaster).WaitAsync(cancellationToken).ConfigureAwait(false);
                await indexed.WaitAsync(cancellationToken).ConfigureAwait(false);
                return exists ? CommitOutcome.AlreadyCommitted : CommitOutcome.HistoryLost;
            }
        }

        var committed = db.ScriptEvaluateAsync(RedisScripts.Commit, _keys, _arguments);
        await Task.WhenAll(indexed, committed).WaitAsync(cancellationToken).ConfigureAwait(false);
        var outcome = (long)await committed.ConfigureAwait(false);
        return outcome switch
        {
            0 => CommitOutcome.Appended,
            1 => CommitOutcome.Branched,
            2 => CommitOutcome.AlreadyCommitted,
            3 => CommitOutcome.HistoryLost,
            _ => throw new InvalidDataException($"The commit script answered {outcome}."),
        };
    }
}
