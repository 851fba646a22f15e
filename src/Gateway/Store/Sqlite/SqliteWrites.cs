using System.Globalization;

namespace Gateway.Store.Sqlite;

/// <summary>The writes of the store, each within its group's transaction. They mean what the scripts in Store/Redis mean.</summary>
internal static class SqliteWrites
{
    private static readonly string ExpiredResponses = ResponsesWhere("expires <= $1");
    private static readonly string ResponsesOfTenant = ResponsesWhere("tenant = $1");
    private static readonly string ExpiredTurns = TurnsWhere("log.expires <= $1");
    private static readonly string TurnsOfTenant = TurnsWhere("log.tenant = $1");

    /// <summary>Appends a turn and writes its record (commit.lua).</summary>
    /// <param name="session">The writer's session.</param>
    /// <param name="commit">What to commit; its turn's items are not touched.</param>
    /// <param name="turn">The turn, encoded.</param>
    /// <param name="lastEvents">The last events of the run that made the turn, copied.</param>
    /// <param name="now">The time.</param>
    public static CommitOutcome Commit(SqliteSession session, TurnCommit commit, byte[] turn, byte[][] lastEvents, long now)
    {
        if (RecordExists(session, commit.Tenant, commit.Id, now))
        {
            return CommitOutcome.AlreadyCommitted;
        }

        if (commit.Run is not { } fence)
        {
            return CommitTurn(session, commit, turn, now);
        }

        if (SqliteRuns.Held(session, new RunKey(commit.Tenant, commit.Id), fence.Token, now) is not { } run)
        {
            return CommitOutcome.Fenced;
        }

        var outcome = CommitTurn(session, commit, turn, now);
        if (outcome is CommitOutcome.Appended or CommitOutcome.Branched)
        {
            SqliteRuns.End(session, run, fence, lastEvents, now);
        }

        return outcome;
    }

    /// <summary>Erases a response's turn, its record and its event log (delete.lua).</summary>
    public static bool Delete(SqliteSession session, string tenant, ResponseId id, long now)
    {
        if (SqliteQueries.Record(session, tenant, id, now) is not { } record)
        {
            return false;
        }

        session.Prepare("DELETE FROM response WHERE tenant = $1 AND chain = $2 AND self = $3", tenant, id.Chain, id.Self).ExecuteNonQuery();
        SqliteRuns.RemoveEnded(session, new RunKey(tenant, id));
        var own = record.Path[^1];
        Replace(session, tenant, own, TurnCodec.Erased);
        return true;
    }

    /// <summary>Takes a claim. True when <paramref name="owner"/> has it.</summary>
    public static bool Claim(SqliteSession session, string tenant, string name, string owner, long expires, long now) =>
        Take(session, tenant, ClaimName.Of(name), owner, expires, now);

    /// <summary>Takes a claim by the name that it is kept under.</summary>
    public static bool Take(SqliteSession session, string tenant, string keptName, string owner, long expires, long now) =>
        owner.Equals(session.Prepare(
            """
            INSERT INTO claim (tenant, name, owner, expires) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO UPDATE SET
                owner = iif(claim.expires <= $5, excluded.owner, claim.owner),
                expires = iif(claim.expires <= $5, excluded.expires, claim.expires)
            RETURNING owner
            """,
            tenant, keptName, owner, expires, now).ExecuteScalar());

    /// <summary>Lets a claim that was taken live longer (prolong.lua).</summary>
    private static void Prolong(SqliteSession session, string tenant, string name, long expires, long now) =>
        session.Prepare(
            "UPDATE claim SET expires = $3 WHERE tenant = $1 AND name = $2 AND expires < $3 AND expires > $4",
            tenant, ClaimName.Of(name), expires, now).ExecuteNonQuery();

    /// <summary>Gives a claim to another owner, for as long as it is kept anyway.</summary>
    public static void Change(SqliteSession session, string tenant, string name, string from, string to) =>
        session.Prepare("UPDATE claim SET owner = $4 WHERE tenant = $1 AND name = $2 AND owner = $3", tenant, ClaimName.Of(name), from, to).ExecuteNonQuery();

    /// <summary>Gives a claim back (release.lua).</summary>
    public static bool Release(SqliteSession session, string tenant, string name, string owner) =>
        GiveBack(session, tenant, ClaimName.Of(name), owner);

    /// <summary>Gives a claim back by the name that it is kept under.</summary>
    public static bool GiveBack(SqliteSession session, string tenant, string keptName, string owner) =>
        session.Prepare("DELETE FROM claim WHERE tenant = $1 AND name = $2 AND owner = $3", tenant, keptName, owner).ExecuteNonQuery() > 0;

    /// <summary>Removes what has expired, at most <paramref name="limit"/> rows of a table. Returns how many rows went.</summary>
    public static int Sweep(SqliteSession session, long now, int limit)
    {
        var responses = session.Prepare(ExpiredResponses, now, limit).ExecuteNonQuery();
        var turns = session.Prepare(ExpiredTurns, now, limit).ExecuteNonQuery();
        var logs = session.Prepare(
            """
            DELETE FROM log WHERE id IN (
                SELECT id FROM log WHERE expires <= $1 AND NOT EXISTS (SELECT 1 FROM turn WHERE turn.log = log.id) LIMIT $2)
            """,
            now, limit).ExecuteNonQuery();
        var claims = session.Prepare(
            "DELETE FROM claim WHERE (tenant, name) IN (SELECT tenant, name FROM claim WHERE expires <= $1 LIMIT $2)", now, limit).ExecuteNonQuery();
        return responses + turns + logs + claims + SqliteRuns.Sweep(session, now, limit) + SqliteConversations.Sweep(session, now, limit);
    }

    private static string ResponsesWhere(string condition) =>
        $"DELETE FROM response WHERE rowid IN ({SqliteBatch.Of($"SELECT rowid AS id, length(record) AS size FROM response WHERE {condition} LIMIT $2")})";

    private static string TurnsWhere(string condition) =>
        $"DELETE FROM turn WHERE rowid IN ({SqliteBatch.Of($"SELECT turn.rowid AS id, length(turn.data) AS size FROM log JOIN turn ON turn.log = log.id WHERE {condition} LIMIT $2")})";

    private static CommitOutcome CommitTurn(SqliteSession session, TurnCommit commit, byte[] turn, long now)
    {
        var expires = now + (long)commit.Retention.TotalMilliseconds;
        var plan = CommitPlan.For(commit);
        if (commit.Conversation is { } hold
            && SqliteConversations.CheckWriter(session, commit.Tenant, hold, mayWait: commit.Aside, now) is { } refused)
        {
            return refused;
        }

        if (commit.Aside)
        {
            Write(session, commit, turn, plan.Branched, expires, now);
            SqliteConversations.Join(session, commit, SqliteConversations.NoPlace, turn.Length, expires);
            return CommitOutcome.Branched;
        }

        var length = Length(session, commit.Tenant, plan.Log, now);
        if (length < plan.Log.Count || plan.Others.Any(other => Length(session, commit.Tenant, other, now) < other.Count))
        {
            return CommitOutcome.HistoryLost;
        }

        if (commit.Conversation is not null && length != plan.Log.Count)
        {
            return CommitOutcome.ConversationTaken;
        }

        foreach (var other in plan.Others)
        {
            Keep(session, commit.Tenant, other, expires);
        }

        foreach (var claim in commit.Claims)
        {
            Prolong(session, commit.Tenant, claim, now + (long)ClaimLife.For(commit.Retention).TotalMilliseconds, now);
        }

        if (length == plan.Log.Count)
        {
            Write(session, commit, turn, plan.Appended, expires, now);
            SqliteConversations.Join(session, commit, plan.Log.Count, turn.Length, expires);
            return CommitOutcome.Appended;
        }

        Keep(session, commit.Tenant, plan.Log, expires);
        Write(session, commit, turn, plan.Branched, expires, now);
        return CommitOutcome.Branched;
    }

    /// <summary>Removes what is kept of a tenant, at most <paramref name="limit"/> rows of a table.</summary>
    public static TenantErasure EraseTenant(SqliteSession session, string tenant, int limit)
    {
        var responses = session.Prepare(ResponsesOfTenant, tenant, limit).ExecuteNonQuery();
        var turns = session.Prepare(TurnsOfTenant, tenant, limit).ExecuteNonQuery();
        var logs = session.Prepare(
            """
            DELETE FROM log WHERE id IN (
                SELECT id FROM log WHERE tenant = $1 AND NOT EXISTS (SELECT 1 FROM turn WHERE turn.log = log.id) LIMIT $2)
            """,
            tenant, limit).ExecuteNonQuery();
        var claims = session.Prepare(
            "DELETE FROM claim WHERE (tenant, name) IN (SELECT tenant, name FROM claim WHERE tenant = $1 LIMIT $2)", tenant, limit).ExecuteNonQuery();
        var runs = SqliteRuns.EraseTenant(session, tenant, limit);
        var conversations = SqliteConversations.EraseTenant(session, tenant, limit);
        return new TenantErasure(responses, (long)responses + turns + logs + claims + runs + conversations);
    }

    private static void Write(SqliteSession session, TurnCommit commit, byte[] turn, PathSegment[] path, long expires, long now)
    {
        Append(session, commit.Tenant, path[^1], turn, expires, now);
        session.Prepare(
            "INSERT OR REPLACE INTO response (tenant, chain, self, created, expires, record) VALUES ($1, $2, $3, $4, $5, $6)",
            commit.Tenant,
            commit.Id.Chain,
            commit.Id.Self,
            commit.CreatedAt.ToUnixTimeMilliseconds(),
            expires,
            (byte[])[.. RecordCodec.EncodeHead(commit, path), .. commit.Envelope.Span]).ExecuteNonQuery();
    }

    /// <summary>Appends a turn to a log; its place is the last of <paramref name="own"/>.</summary>
    public static void Append(SqliteSession session, string tenant, PathSegment own, byte[] turn, long expires, long now)
    {
        RemoveExpired(session, tenant, own, now);
        var log = session.Prepare(
            """
            INSERT INTO log (tenant, chain, branch, length, expires) VALUES ($1, $2, $3, 1, $4)
            ON CONFLICT DO UPDATE SET length = length + 1, expires = max(expires, excluded.expires)
            RETURNING id
            """,
            tenant, own.Chain, own.Branch, expires).ExecuteScalar();
        session.Prepare(
            "INSERT INTO turn (log, position, data) VALUES ($1, $2, $3)",
            Convert.ToInt64(log, CultureInfo.InvariantCulture), own.Count - 1, turn).ExecuteNonQuery();
    }

    /// <summary>Puts another turn in the place of the last of <paramref name="own"/>; a conversation's size follows.</summary>
    public static void Replace(SqliteSession session, string tenant, PathSegment own, byte[] turn)
    {
        if (own.Branch == CommitPlan.ConversationBranch)
        {
            session.Prepare(
                """
                UPDATE conversation SET bytes = bytes + $5 - ifnull((
                    SELECT length(turn.data) FROM log JOIN turn ON turn.log = log.id
                    WHERE log.tenant = $1 AND log.chain = $2 AND log.branch = $3 AND turn.position = $4), $5)
                WHERE tenant = $1 AND chain = $2
                """,
                tenant, own.Chain, own.Branch, own.Count - 1, turn.Length).ExecuteNonQuery();
        }

        session.Prepare(
            """
            UPDATE turn SET data = $5
            WHERE position = $4 AND log = (SELECT id FROM log WHERE tenant = $1 AND chain = $2 AND branch = $3)
            """,
            tenant, own.Chain, own.Branch, own.Count - 1, turn).ExecuteNonQuery();
    }

    public static bool RecordExists(SqliteSession session, string tenant, ResponseId id, long now) =>
        session.Prepare(
            "SELECT 1 FROM response WHERE tenant = $1 AND chain = $2 AND self = $3 AND expires > $4",
            tenant, id.Chain, id.Self, now).ExecuteScalar() is not null;

    /// <summary>How many turns a log has.</summary>
    public static long Length(SqliteSession session, string tenant, PathSegment log, long now) =>
        Convert.ToInt64(
            session.Prepare(
                "SELECT length FROM log WHERE tenant = $1 AND chain = $2 AND branch = $3 AND expires > $4",
                tenant, log.Chain, log.Branch, now).ExecuteScalar(),
            CultureInfo.InvariantCulture);

    private static void Keep(SqliteSession session, string tenant, PathSegment log, long expires) =>
        session.Prepare(
            "UPDATE log SET expires = $4 WHERE tenant = $1 AND chain = $2 AND branch = $3 AND expires < $4",
            tenant, log.Chain, log.Branch, expires).ExecuteNonQuery();

    /// <summary>An expired log that no sweep has met yet must not be appended to.</summary>
    private static void RemoveExpired(SqliteSession session, string tenant, PathSegment log, long now)
    {
        var expired = session.Prepare(
            "SELECT id FROM log WHERE tenant = $1 AND chain = $2 AND branch = $3 AND expires <= $4",
            tenant, log.Chain, log.Branch, now).ExecuteScalar();
        if (expired is not null)
        {
            session.Prepare("DELETE FROM turn WHERE log = $1", expired).ExecuteNonQuery();
            session.Prepare("DELETE FROM log WHERE id = $1", expired).ExecuteNonQuery();
        }
    }
}
