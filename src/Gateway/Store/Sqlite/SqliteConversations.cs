using System.Globalization;

namespace Gateway.Store.Sqlite;

/// <summary>
/// Conversations in SQLite, each method within its group's transaction or a reader's one moment. They mean what the scripts in Store/Redis
/// mean. What has expired is not seen, swept or not.
/// </summary>
internal static class SqliteConversations
{
    /// <summary>The place of a turn that is not in the conversation's log: of a response that failed.</summary>
    public const int NoPlace = -1;

    /// <summary>Makes a conversation (conversation_create.lua).</summary>
    public static bool Create(SqliteSession session, ConversationStart start, byte[] element, long now)
    {
        if (Find(session, start.Tenant, start.Id, now) is not null)
        {
            return true;
        }

        var expires = now + (long)start.Retention.TotalMilliseconds;
        session.Prepare(
            "INSERT INTO conversation (tenant, chain, self, created, expires, metadata, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            start.Tenant, start.Id.Chain, start.Id.Self, start.CreatedAt.ToUnixTimeMilliseconds(), expires, start.Metadata.ToArray(), element.Length)
            .ExecuteNonQuery();
        if (start.Items is { } items)
        {
            SqliteWrites.Append(session, start.Tenant, LogOf(start.Id, 1), element, expires, now);
            SetPlace(session, start.Tenant, start.Id.Chain, items.Turn.Self, 0);
        }

        return true;
    }

    public static StoredConversation? Find(SqliteSession session, string tenant, ConversationId id, long now)
    {
        using var rows = session.Prepare(
            "SELECT created, metadata FROM conversation WHERE tenant = $1 AND chain = $2 AND self = $3 AND expires > $4",
            tenant, id.Chain, id.Self, now).ExecuteReader();
        return rows.Read() ? new StoredConversation(id, DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(0)), rows.GetFieldValue<byte[]>(1)) : null;
    }

    /// <summary>Puts other metadata in the place of what was there (conversation_set.lua).</summary>
    public static StoredConversation? SetMetadata(SqliteSession session, string tenant, ConversationId id, byte[] metadata, long expires, long now)
    {
        if (Find(session, tenant, id, now) is not { } found)
        {
            return null;
        }

        session.Prepare("UPDATE conversation SET metadata = $3 WHERE tenant = $1 AND chain = $2", tenant, id.Chain, metadata).ExecuteNonQuery();
        Keep(session, tenant, id.Chain, expires);
        return found with { Metadata = metadata };
    }

    /// <summary>Erases a conversation with all that was made in it (conversation_delete.lua): nothing else is in its chain.</summary>
    public static bool Delete(SqliteSession session, string tenant, ConversationId id, long now)
    {
        if (Find(session, tenant, id, now) is null)
        {
            return false;
        }

        session.Prepare("DELETE FROM response WHERE tenant = $1 AND chain = $2", tenant, id.Chain).ExecuteNonQuery();
        session.Prepare("DELETE FROM turn WHERE log IN (SELECT id FROM log WHERE tenant = $1 AND chain = $2)", tenant, id.Chain).ExecuteNonQuery();
        session.Prepare("DELETE FROM log WHERE tenant = $1 AND chain = $2", tenant, id.Chain).ExecuteNonQuery();
        session.Prepare("DELETE FROM place WHERE tenant = $1 AND chain = $2", tenant, id.Chain).ExecuteNonQuery();
        SqliteRuns.DeleteEnded(session, tenant, id.Chain);
        session.Prepare("DELETE FROM claim WHERE tenant = $1 AND name BETWEEN $2 || '/' AND $2 || '0'", tenant, id.Chain).ExecuteNonQuery();
        session.Prepare("DELETE FROM conversation WHERE tenant = $1 AND chain = $2", tenant, id.Chain).ExecuteNonQuery();
        return true;
    }

    /// <summary>Appends items (conversation_add.lua).</summary>
    public static ConversationAccess Add(
        SqliteSession session, string tenant, ConversationId id, string turn, byte[] element, long mostBytes, long expires, long now)
    {
        if (ReadState(session, tenant, id, now) is not { } state)
        {
            return ConversationAccess.NotFound;
        }

        if (PlaceOf(session, tenant, id.Chain, turn, now) is not null)
        {
            return ConversationAccess.Done;
        }

        if (state.Owner is not null)
        {
            return ConversationAccess.Locked;
        }

        if (state.Bytes + element.Length > mostBytes)
        {
            return ConversationAccess.TooLarge;
        }

        var length = (int)SqliteWrites.Length(session, tenant, LogOf(id, 0), now);
        SqliteWrites.Append(session, tenant, LogOf(id, length + 1), element, expires, now);
        SetPlace(session, tenant, id.Chain, turn, length);
        Grow(session, tenant, id.Chain, element.Length);
        Keep(session, tenant, id.Chain, expires);
        return ConversationAccess.Done;
    }

    /// <summary>Takes hold of a conversation for a writer, or only uses it (conversation_open.lua). Its length, when that could be done.</summary>
    public static (ConversationAccess Access, int Length) Open(SqliteSession session, ConversationOpening opening, long now)
    {
        var (tenant, id) = (opening.Tenant, opening.Id);
        if (ReadState(session, tenant, id, now) is not { } state)
        {
            return (ConversationAccess.NotFound, 0);
        }

        if (opening.Token is not null && state.Owner is not null && state.Owner != opening.Token)
        {
            return (ConversationAccess.Locked, 0);
        }

        if (opening is { IsRuns: true, Token: { } run } && !SqliteRuns.IsLive(session, new RunKey(tenant, new ResponseId(id.Chain, run)), now))
        {
            return (ConversationAccess.Locked, 0);
        }

        if (state.Bytes > opening.MostBytes)
        {
            return (ConversationAccess.TooLarge, 0);
        }

        if (opening.Token is { } token)
        {
            Hold(session, tenant, id.Chain, token, now + (long)opening.Lease.TotalMilliseconds);
        }

        Keep(session, tenant, id.Chain, now + (long)opening.Retention.TotalMilliseconds);
        return (ConversationAccess.Done, (int)SqliteWrites.Length(session, tenant, LogOf(id, 0), now));
    }

    /// <summary>Reads what <see cref="Open"/> has opened.</summary>
    public static OpenedConversation Load(SqliteSession session, string tenant, ConversationId id, int length, long now)
    {
        using var rows = session.Prepare(
            """
            SELECT turn.data FROM log JOIN turn ON turn.log = log.id
            WHERE log.tenant = $1 AND log.chain = $2 AND log.branch = $3 AND log.expires > $4 AND turn.position < $5
            ORDER BY turn.position
            """,
            tenant, id.Chain, CommitPlan.ConversationBranch, now, length).ExecuteReader();
        var turns = new List<Turn>();
        var missing = length;
        for (; rows.Read(); missing--)
        {
            if (TurnCodec.Decode(rows.GetFieldValue<byte[]>(0)) is { } turn)
            {
                turns.Add(turn);
            }
        }

        if (missing > 0)
        {
            // Deleted since.
            return OpenedConversation.Refused(ConversationAccess.NotFound);
        }

        var last = session.Prepare("SELECT last FROM conversation WHERE tenant = $1 AND chain = $2", tenant, id.Chain).ExecuteScalar() as string;
        var record = last is null ? null : SqliteQueries.Record(session, tenant, new ResponseId(id.Chain, last), now);
        return new OpenedConversation(ConversationAccess.Done, length, turns, record?.Envelope ?? default);
    }

    /// <summary>Prolongs a hold (conversation_renew.lua).</summary>
    public static ConversationAccess Renew(SqliteSession session, string tenant, ConversationLock hold, long until, long now)
    {
        if (ReadState(session, tenant, hold.Id, now) is not { } state)
        {
            return ConversationAccess.NotFound;
        }

        if (hold.IsRuns ? !HasOwner(session, tenant, hold) : state.Owner is not null && state.Owner != hold.Token)
        {
            return ConversationAccess.Locked;
        }

        Hold(session, tenant, hold.Id.Chain, hold.Token, until);
        return ConversationAccess.Done;
    }

    /// <summary>Lets a hold last until then at least, if it is still the token's (run-create.lua).</summary>
    public static void Prolong(SqliteSession session, string tenant, string chain, string token, long until) =>
        session.Prepare(
            "UPDATE conversation SET held = max(held, $4) WHERE tenant = $1 AND chain = $2 AND owner = $3", tenant, chain, token, until).ExecuteNonQuery();

    /// <summary>Gives a hold up (conversation_release.lua).</summary>
    public static bool Release(SqliteSession session, string tenant, string chain, string token) =>
        session.Prepare("UPDATE conversation SET owner = NULL WHERE tenant = $1 AND chain = $2 AND owner = $3", tenant, chain, token)
            .ExecuteNonQuery() > 0;

    /// <summary>Gives up every hold but those of runs: those who had them are gone, while a run goes on.</summary>
    public static bool ReleaseAll(SqliteSession session)
    {
        session.Prepare(
            """
            UPDATE conversation SET owner = NULL WHERE owner IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM run
                WHERE run.tenant = conversation.tenant AND run.chain = conversation.chain AND run.self = conversation.owner AND run.ended = 0)
            """).ExecuteNonQuery();
        return true;
    }

    /// <summary>Lets a claim live as long as the conversation, if there is one (conversation_claim.lua).</summary>
    public static bool KeepClaim(SqliteSession session, string tenant, string chain, string name, string owner, long now) =>
        session.Prepare(
            "SELECT expires FROM conversation WHERE tenant = $1 AND chain = $2 AND expires > $3", tenant, chain, now).ExecuteScalar() is not long expires
        || SqliteWrites.Take(session, tenant, KeptName(chain, name), owner, expires, now);

    /// <summary>Gives such a claim back.</summary>
    public static bool DropClaim(SqliteSession session, string tenant, string chain, string name, string owner) =>
        SqliteWrites.GiveBack(session, tenant, KeptName(chain, name), owner);

    /// <summary>Why a writer may not commit, or null. A turn that goes aside (<paramref name="mayWait"/>) disturbs no other writer.</summary>
    public static CommitOutcome? CheckWriter(SqliteSession session, string tenant, ConversationLock hold, bool mayWait, long now)
    {
        if (ReadState(session, tenant, hold.Id, now) is not { } state)
        {
            return CommitOutcome.ConversationGone;
        }

        return !mayWait && state.Owner is not null && state.Owner != hold.Token ? CommitOutcome.ConversationTaken : null;
    }

    /// <summary>Notes a committed turn in its conversation and gives its writer's hold up. Nothing without a conversation.</summary>
    public static void Join(SqliteSession session, TurnCommit commit, int place, int bytes, long expires)
    {
        if (commit.Conversation is not { } hold)
        {
            return;
        }

        var (tenant, chain) = (commit.Tenant, hold.Id.Chain);
        SetPlace(session, tenant, chain, commit.Id.Self, place);
        if (place != NoPlace)
        {
            Grow(session, tenant, chain, bytes);
            session.Prepare("UPDATE conversation SET last = $3 WHERE tenant = $1 AND chain = $2", tenant, chain, commit.Id.Self).ExecuteNonQuery();
        }

        Release(session, tenant, chain, hold.Token);
        Keep(session, tenant, chain, expires);
    }

    /// <summary>A page of items. Null when the conversation is not found.</summary>
    public static ItemPage? Page(SqliteSession session, string tenant, ConversationId id, ItemQuery query, long now)
    {
        if (Find(session, tenant, id, now) is null)
        {
            return null;
        }

        long? cursor = null;
        if (query.After is { } after)
        {
            cursor = after.Turn.Chain == id.Chain ? PlaceOf(session, tenant, id.Chain, after.Turn.Self, now) : null;
            if (cursor is null or NoPlace)
            {
                return new ItemPage([], HasMore: false, Cursor: null);
            }
        }

        var page = new ItemPageBuilder(query, cursor);
        var sql = query.Ascending
            ? """
              SELECT turn.position, turn.data FROM log JOIN turn ON turn.log = log.id
              WHERE log.tenant = $1 AND log.chain = $2 AND log.branch = $3 AND log.expires > $4 AND turn.position >= $5
              ORDER BY turn.position
              """
            : """
              SELECT turn.position, turn.data FROM log JOIN turn ON turn.log = log.id
              WHERE log.tenant = $1 AND log.chain = $2 AND log.branch = $3 AND log.expires > $4 AND turn.position <= $5
              ORDER BY turn.position DESC
              """;
        using var rows = session.Prepare(
            sql, tenant, id.Chain, CommitPlan.ConversationBranch, now, cursor ?? (query.Ascending ? 0 : long.MaxValue)).ExecuteReader();
        while (!page.HasMore && rows.Read())
        {
            page.Add(rows.GetInt64(0), TurnCodec.Decode(rows.GetFieldValue<byte[]>(1)));
        }

        return page.Build();
    }

    /// <summary>A turn of the conversation, and its place.</summary>
    public static (int Place, Turn Turn)? FindTurn(SqliteSession session, string tenant, ConversationId id, ResponseId turn, long now) =>
        turn.Chain == id.Chain
        && Find(session, tenant, id, now) is not null
        && PlaceOf(session, tenant, id.Chain, turn.Self, now) is { } place
        && ReadTurn(session, tenant, LogOf(id, place + 1), now) is { } found
            ? (place, found)
            : null;

    /// <summary>A turn of whatever is kept.</summary>
    public static Turn? FindTurn(SqliteSession session, string tenant, ResponseId turn, long now)
    {
        if (PlaceOf(session, tenant, turn.Chain, turn.Self, now) is { } place and not NoPlace)
        {
            return ReadTurn(session, tenant, new PathSegment(turn.Chain, CommitPlan.ConversationBranch, place + 1), now);
        }

        return SqliteQueries.Record(session, tenant, turn, now) is { } record ? ReadTurn(session, tenant, record.Path[^1], now) : null;
    }

    /// <summary>Puts another turn in the place of one (conversation_edit.lua). False when there is none, or it is left.</summary>
    public static bool Edit(SqliteSession session, string tenant, ConversationId id, ResponseId turn, Func<Turn, Turn?> edit, long now)
    {
        if (FindTurn(session, tenant, id, turn, now) is not { } found || edit(found.Turn) is not { } edited)
        {
            return false;
        }

        SqliteWrites.Replace(session, tenant, LogOf(id, found.Place + 1), TurnCodec.Encode(edited));
        SqliteRuns.RemoveEnded(session, new RunKey(tenant, turn));
        return true;
    }

    /// <summary>Removes what has expired, at most <paramref name="limit"/> rows of a table. Returns how many rows went.</summary>
    public static int Sweep(SqliteSession session, long now, int limit)
    {
        var places = session.Prepare(
            """
            DELETE FROM place WHERE (tenant, chain, self) IN (
                SELECT place.tenant, place.chain, place.self FROM conversation JOIN place USING (tenant, chain)
                WHERE conversation.expires <= $1 LIMIT $2)
            """,
            now, limit).ExecuteNonQuery();
        var conversations = session.Prepare(
            """
            DELETE FROM conversation WHERE rowid IN (
                SELECT c.rowid FROM conversation c WHERE c.expires <= $1
                AND NOT EXISTS (SELECT 1 FROM place p WHERE p.tenant = c.tenant AND p.chain = c.chain) LIMIT $2)
            """,
            now, limit).ExecuteNonQuery();
        return places + conversations;
    }

    /// <summary>Removes what is kept of a tenant's conversations, at most <paramref name="limit"/> rows of a table. Returns how many rows went.</summary>
    public static int EraseTenant(SqliteSession session, string tenant, int limit)
    {
        // They end first: between two batches nobody must write to one of which a part is gone.
        session.Prepare("UPDATE conversation SET expires = 0 WHERE tenant = $1 AND expires > 0", tenant).ExecuteNonQuery();
        var places = session.Prepare(
            "DELETE FROM place WHERE (tenant, chain, self) IN (SELECT tenant, chain, self FROM place WHERE tenant = $1 LIMIT $2)", tenant, limit)
            .ExecuteNonQuery();
        var conversations = session.Prepare(
            """
            DELETE FROM conversation WHERE rowid IN (
                SELECT c.rowid FROM conversation c WHERE c.tenant = $1
                AND NOT EXISTS (SELECT 1 FROM place p WHERE p.tenant = c.tenant AND p.chain = c.chain) LIMIT $2)
            """,
            tenant, limit).ExecuteNonQuery();
        return places + conversations;
    }

    private static PathSegment LogOf(ConversationId id, int count) => new(id.Chain, CommitPlan.ConversationBranch, count);

    /// <summary>The size of a conversation, and who holds it now.</summary>
    private static (long Bytes, string? Owner)? ReadState(SqliteSession session, string tenant, ConversationId id, long now)
    {
        using var rows = session.Prepare(
            "SELECT bytes, iif(held > $4, owner, NULL) FROM conversation WHERE tenant = $1 AND chain = $2 AND self = $3 AND expires > $4",
            tenant, id.Chain, id.Self, now).ExecuteReader();
        return rows.Read() ? (rows.GetInt64(0), rows.IsDBNull(1) ? null : rows.GetString(1)) : null;
    }

    /// <summary>One that this token has is never shortened.</summary>
    private static void Hold(SqliteSession session, string tenant, string chain, string token, long until) =>
        session.Prepare(
            "UPDATE conversation SET held = iif(owner IS $3, max(held, $4), $4), owner = $3 WHERE tenant = $1 AND chain = $2",
            tenant, chain, token, until).ExecuteNonQuery();

    private static bool HasOwner(SqliteSession session, string tenant, ConversationLock hold) =>
        session.Prepare(
            "SELECT 1 FROM conversation WHERE tenant = $1 AND chain = $2 AND owner = $3", tenant, hold.Id.Chain, hold.Token).ExecuteScalar() is not null;

    /// <summary>The name of a claim that lives as long as a conversation: no other claim's name has a slash in it.</summary>
    private static string KeptName(string chain, string name) => $"{chain}/{ClaimName.Of(name)}";

    private static void Grow(SqliteSession session, string tenant, string chain, int bytes) =>
        session.Prepare("UPDATE conversation SET bytes = bytes + $3 WHERE tenant = $1 AND chain = $2", tenant, chain, bytes).ExecuteNonQuery();

    /// <summary>
    /// Lets a conversation live until then at least, and its log and claims as long as it, also those that came later with a shorter retention.
    /// </summary>
    private static void Keep(SqliteSession session, string tenant, string chain, long expires)
    {
        session.Prepare("UPDATE conversation SET expires = $3 WHERE tenant = $1 AND chain = $2 AND expires < $3", tenant, chain, expires).ExecuteNonQuery();
        session.Prepare(
            """
            UPDATE log SET expires = max(log.expires, conversation.expires) FROM conversation
            WHERE log.tenant = $1 AND log.chain = $2 AND log.branch = $3 AND conversation.tenant = $1 AND conversation.chain = $2
            """,
            tenant, chain, CommitPlan.ConversationBranch).ExecuteNonQuery();
        session.Prepare(
            """
            UPDATE claim SET expires = conversation.expires FROM conversation
            WHERE claim.tenant = $1 AND claim.name BETWEEN $2 || '/' AND $2 || '0' AND conversation.tenant = $1 AND conversation.chain = $2
            """,
            tenant, chain).ExecuteNonQuery();
    }

    private static void SetPlace(SqliteSession session, string tenant, string chain, string turn, int place) =>
        session.Prepare("INSERT INTO place (tenant, chain, self, position) VALUES ($1, $2, $3, $4)", tenant, chain, turn, place).ExecuteNonQuery();

    private static int? PlaceOf(SqliteSession session, string tenant, string chain, string turn, long now) =>
        session.Prepare(
            """
            SELECT place.position FROM place JOIN conversation USING (tenant, chain)
            WHERE place.tenant = $1 AND place.chain = $2 AND place.self = $3 AND conversation.expires > $4
            """,
            tenant, chain, turn, now).ExecuteScalar() is { } place
            ? Convert.ToInt32(place, CultureInfo.InvariantCulture)
            : null;

    private static Turn? ReadTurn(SqliteSession session, string tenant, PathSegment own, long now) =>
        session.Prepare(
            """
            SELECT turn.data FROM log JOIN turn ON turn.log = log.id
            WHERE log.tenant = $1 AND log.chain = $2 AND log.branch = $3 AND log.expires > $4 AND turn.position = $5
            """,
            tenant, own.Chain, own.Branch, now, own.Count - 1).ExecuteScalar() is byte[] element
            ? TurnCodec.Decode(element)
            : null;
}
