using System.Globalization;

namespace Gateway.Store.Sqlite;

/// <summary>
/// Reads and writes of durable runs; the writes each within its group's transaction. They mean what the run-….lua scripts in Store/Redis mean.
/// </summary>
internal static class SqliteRuns
{
    private const string LetIn = "made";
    private const string Forbidden = "no";
    private static readonly string ExpiredEvents = PartsWhere("run_event", "run.expires <= $1");
    private static readonly string EventsOfTenant = PartsWhere("run_event", "run.tenant = $1");
    private static readonly string ExpiredEntries = PartsWhere("run_journal", "run.expires <= $1");
    private static readonly string EntriesOfTenant = PartsWhere("run_journal", "run.tenant = $1");
    private static readonly string ExpiredSpecs = PartsWhere("run_spec", "run.expires <= $1");
    private static readonly string SpecsOfTenant = PartsWhere("run_spec", "run.tenant = $1");

    /// <summary>Makes a run with its first events (run-enqueue.lua, run-create.lua).</summary>
    /// <param name="session">The writer's session.</param>
    /// <param name="start">What to make; its buffers are not touched.</param>
    /// <param name="spec">The spec, copied.</param>
    /// <param name="events">The events, copied.</param>
    /// <param name="now">The time.</param>
    public static RunRefusal Create(SqliteSession session, RunStart start, byte[] spec, byte[][] events, long now)
    {
        var key = start.Run;
        var free = now + (start.Owner is null ? 0 : Milliseconds(start.Lease));
        if (Find(session, key, now) is { } there)
        {
            if (start.Owner is not null && !there.HasEnded && there.Token == 1 && there.Owner == start.Owner)
            {
                session.Prepare("UPDATE run SET free = $2 WHERE id = $1", there.Id, free).ExecuteNonQuery();
            }

            return RunRefusal.None;
        }

        if (SqliteWrites.RecordExists(session, key.Tenant, key.Id, now))
        {
            return RunRefusal.None;
        }

        if (CountLive(session, now) >= start.MostRuns)
        {
            return RunRefusal.QueueFull;
        }

        if (start.Owner is null && CountLive(session, key.Tenant, now) >= start.MostOfTenant)
        {
            return RunRefusal.TenantFull;
        }

        if (start.Memory is { } memory && !Remember(session, key, LetIn, memory, now))
        {
            return RunRefusal.Forbidden;
        }

        RemoveExpired(session, key, now);
        var id = Convert.ToInt64(
            session.Prepare(
                """
                INSERT INTO run
                    (tenant, chain, self, token, owner, free, cancelled, ended, followed, retention, events, entries, expires)
                VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7, $8, $9, 0, $10)
                RETURNING id
                """,
                key.Tenant,
                key.Id.Chain,
                key.Id.Self,
                start.Owner is null ? 0 : 1,
                (object?)start.Owner ?? DBNull.Value,
                free,
                now,
                Milliseconds(start.Retention),
                events.Length,
                now + Milliseconds(start.Retention)).ExecuteScalar(),
            CultureInfo.InvariantCulture);
        session.Prepare("INSERT INTO run_spec (run, data) VALUES ($1, $2)", id, spec).ExecuteNonQuery();
        InsertEvents(session, id, 0, events, 0);
        if (start.HoldsConversation)
        {
            SqliteConversations.Prolong(session, key.Tenant, key.Id.Chain, key.Id.Self, now + Milliseconds(start.Retention));
        }

        return RunRefusal.None;
    }

    /// <summary>Sees to it that a run is never made (run-forbid.lua).</summary>
    public static bool Forbid(SqliteSession session, RunKey key, TimeSpan memory, long now) =>
        Find(session, key, now) is null
        && !SqliteWrites.RecordExists(session, key.Tenant, key.Id, now)
        && Remember(session, key, Forbidden, memory, now);

    /// <summary>Takes the lease of a run that nobody holds (run-take.lua).</summary>
    public static TakenRun? Take(SqliteSession session, RunKey key, string owner, TimeSpan lease, long now)
    {
        if (Live(session, key, now) is not { } run || run.Free > now)
        {
            return null;
        }

        session.Prepare(
            "UPDATE run SET token = token + 1, owner = $2, free = $3, expires = $4 WHERE id = $1",
            run.Id, owner, now + Milliseconds(lease), now + run.Retention).ExecuteNonQuery();
        var journal = ReadAll(session, "SELECT data FROM run_journal WHERE run = $1 AND position >= $2 ORDER BY position LIMIT $3", run.Id, 0, -1);
        return new TakenRun(run.Token + 1, Spec(session, run), journal, run.IsCancelled) { EventCount = run.Events };
    }

    /// <summary>Prolongs a lease (run-renew.lua).</summary>
    public static RunSignals Renew(SqliteSession session, RunKey key, long token, TimeSpan lease, long now)
    {
        if (Held(session, key, token, now) is not { } run)
        {
            return default;
        }

        session.Prepare(
            "UPDATE run SET free = $2, expires = $3 WHERE id = $1", run.Id, now + Milliseconds(lease), now + run.Retention).ExecuteNonQuery();
        return new RunSignals(IsHeld: true, run.IsCancelled, TimeSpan.FromMilliseconds(now - run.Followed));
    }

    /// <summary>Appends events and journal entries (run-append.lua).</summary>
    /// <exception cref="InvalidDataException">A log is shorter than the index of what is to be appended.</exception>
    public static bool Append(
        SqliteSession session, RunKey key, long token, long firstEvent, byte[][] events, long firstEntry, byte[][] entries, long now)
    {
        if (Held(session, key, token, now) is not { } run)
        {
            return false;
        }

        InsertEvents(session, run.Id, firstEvent, events, run.Events);
        for (var i = Known(firstEntry, entries, run.Entries); i < entries.Length; i++)
        {
            session.Prepare("INSERT INTO run_journal (run, position, data) VALUES ($1, $2, $3)", run.Id, firstEntry + i, entries[i]).ExecuteNonQuery();
        }

        session.Prepare(
            "UPDATE run SET events = max(events, $2), entries = max(entries, $3), expires = $4 WHERE id = $1",
            run.Id,
            LengthAfter(firstEvent, events),
            LengthAfter(firstEntry, entries),
            now + run.Retention).ExecuteNonQuery();
        return true;
    }

    /// <summary>Gives a lease up (run-release.lua).</summary>
    public static bool Release(SqliteSession session, RunKey key, long token, long now) =>
        Held(session, key, token, now) is { } run
        && session.Prepare("UPDATE run SET owner = NULL, free = $2 WHERE id = $1", run.Id, now).ExecuteNonQuery() > 0;

    /// <summary>Gives all leases up.</summary>
    public static int FreeAll(SqliteSession session, long now) =>
        session.Prepare("UPDATE run SET owner = NULL, free = min(free, $1) WHERE ended = 0 AND owner IS NOT NULL", now).ExecuteNonQuery();

    /// <summary>Asks a run to end (run-cancel.lua).</summary>
    public static bool Cancel(SqliteSession session, RunKey key, long now) =>
        Live(session, key, now) is { } run && session.Prepare("UPDATE run SET cancelled = 1 WHERE id = $1", run.Id).ExecuteNonQuery() > 0;

    /// <summary>Notes that somebody follows a run now (run-followed.lua).</summary>
    public static bool Follow(SqliteSession session, RunKey key, long now) =>
        Live(session, key, now) is { } run && session.Prepare("UPDATE run SET followed = $2 WHERE id = $1", run.Id, now).ExecuteNonQuery() > 0;

    /// <summary>Deletes a run (run-delete.lua).</summary>
    public static bool Delete(SqliteSession session, RunKey key, long now)
    {
        if (Live(session, key, now) is not { } run)
        {
            return false;
        }

        Remove(session, run.Id);
        SqliteConversations.Release(session, key.Tenant, key.Id.Chain, key.Id.Self);
        return true;
    }

    /// <summary>Deletes a run for whoever holds it (run-delete.lua).</summary>
    public static bool Drop(SqliteSession session, RunKey key, long token, bool isUnmade, long now)
    {
        if (Live(session, key, now) is not { } run || run.Token != token || (run.Owner is null && token > 0) || !Delete(session, key, now))
        {
            return false;
        }

        if (isUnmade)
        {
            SqliteWrites.Change(session, key.Tenant, MemoryOf(key), LetIn, Forbidden);
        }

        return true;
    }

    /// <summary>The run while the token is its own.</summary>
    public static SqliteRun? Held(SqliteSession session, RunKey key, long token, long now) =>
        Live(session, key, now) is { Owner: not null } run && run.Token == token ? run : null;

    /// <summary>Ends a run with its last events (commit.lua).</summary>
    /// <exception cref="InvalidDataException">The event log is shorter than the index of the last events.</exception>
    public static void End(SqliteSession session, SqliteRun run, RunFence fence, byte[][] lastEvents, long now)
    {
        InsertEvents(session, run.Id, fence.FirstEvent, lastEvents, run.Events);
        if (run.Events == 0 && lastEvents.Length == 0)
        {
            Remove(session, run.Id);
            return;
        }

        session.Prepare("DELETE FROM run_journal WHERE run = $1", run.Id).ExecuteNonQuery();
        session.Prepare("DELETE FROM run_spec WHERE run = $1", run.Id).ExecuteNonQuery();
        session.Prepare(
            "UPDATE run SET ended = 1, owner = NULL, events = max(events, $2), entries = 0, expires = $3 WHERE id = $1",
            run.Id, LengthAfter(fence.FirstEvent, lastEvents), now + Milliseconds(fence.EventRetention)).ExecuteNonQuery();
    }

    /// <summary>Removes the event log of a run that has ended.</summary>
    public static void RemoveEnded(SqliteSession session, RunKey key)
    {
        var ended = session.Prepare(
            "SELECT id FROM run WHERE tenant = $1 AND chain = $2 AND self = $3 AND ended = 1", key.Tenant, key.Id.Chain, key.Id.Self).ExecuteScalar();
        if (ended is not null)
        {
            Remove(session, Convert.ToInt64(ended, CultureInfo.InvariantCulture));
        }
    }

    public static bool IsLive(SqliteSession session, RunKey key, long now) => Live(session, key, now) is not null;

    /// <summary>Removes the events of a chain's runs that have ended. A run that goes on is not found again by its end.</summary>
    public static void DeleteEnded(SqliteSession session, string tenant, string chain)
    {
        session.Prepare(
            "DELETE FROM run_event WHERE run IN (SELECT id FROM run WHERE tenant = $1 AND chain = $2 AND ended = 1)", tenant, chain).ExecuteNonQuery();
        session.Prepare("DELETE FROM run WHERE tenant = $1 AND chain = $2 AND ended = 1", tenant, chain).ExecuteNonQuery();
    }

    public static LiveRun? Get(SqliteSession session, RunKey key, long now) =>
        Live(session, key, now) is { } run ? new LiveRun(Spec(session, run), HasBegun: run.Token > 0) : null;

    /// <summary>Runs that are free, an equal share of each tenant, the longest waiting first (run-find.lua).</summary>
    public static IReadOnlyList<RunKey> FindFree(SqliteSession session, int most, long now)
    {
        using var rows = session.Prepare(
            """
            SELECT tenant, chain, self FROM (
                SELECT tenant, chain, self, free, row_number() OVER (PARTITION BY tenant ORDER BY free) AS place FROM run
                WHERE ended = 0 AND free <= $1 AND expires > $1)
            WHERE place <= max(1, $2 / (SELECT max(1, count(DISTINCT tenant)) FROM run WHERE ended = 0 AND free <= $1 AND expires > $1))
            ORDER BY free
            """,
            now, most).ExecuteReader();
        var runs = new List<RunKey>();
        while (rows.Read())
        {
            runs.Add(new RunKey(rows.GetString(0), new ResponseId(rows.GetString(1), rows.GetString(2))));
        }

        return runs;
    }

    /// <summary>Events from an index on; null when there is no event log.</summary>
    public static IReadOnlyList<ReadOnlyMemory<byte>>? ReadEvents(SqliteSession session, RunKey key, long from, int most, long now) =>
        Find(session, key, now) is { Events: > 0 } run
            ? ReadAll(session, "SELECT data FROM run_event WHERE run = $1 AND position >= $2 ORDER BY position LIMIT $3", run.Id, from, most)
            : null;

    private static string PartsWhere(string table, string condition) =>
        $"DELETE FROM {table} WHERE rowid IN ({SqliteBatch.Of($"SELECT {table}.rowid AS id, length({table}.data) AS size FROM run JOIN {table} ON {table}.run = run.id WHERE {condition} LIMIT $2")})";

    /// <summary>Removes what has expired, at most <paramref name="limit"/> rows of a table. Returns how many rows went.</summary>
    public static int Sweep(SqliteSession session, long now, int limit)
    {
        var events = session.Prepare(ExpiredEvents, now, limit).ExecuteNonQuery();
        var entries = session.Prepare(ExpiredEntries, now, limit).ExecuteNonQuery();
        var specs = session.Prepare(ExpiredSpecs, now, limit).ExecuteNonQuery();
        var runs = session.Prepare(
            """
            DELETE FROM run WHERE id IN (
                SELECT id FROM run WHERE expires <= $1
                    AND NOT EXISTS (SELECT 1 FROM run_event WHERE run_event.run = run.id)
                    AND NOT EXISTS (SELECT 1 FROM run_journal WHERE run_journal.run = run.id)
                    AND NOT EXISTS (SELECT 1 FROM run_spec WHERE run_spec.run = run.id) LIMIT $2)
            """,
            now, limit).ExecuteNonQuery();
        return events + entries + specs + runs;
    }

    /// <summary>Removes the runs of a tenant, at most <paramref name="limit"/> rows of a table. Returns how many rows went.</summary>
    public static int EraseTenant(SqliteSession session, string tenant, int limit)
    {
        // They end first: between two batches nobody must take a run of which a part is gone.
        session.Prepare("UPDATE run SET ended = 1, owner = NULL WHERE tenant = $1 AND ended = 0", tenant).ExecuteNonQuery();
        var events = session.Prepare(EventsOfTenant, tenant, limit).ExecuteNonQuery();
        var entries = session.Prepare(EntriesOfTenant, tenant, limit).ExecuteNonQuery();
        var specs = session.Prepare(SpecsOfTenant, tenant, limit).ExecuteNonQuery();
        var runs = session.Prepare(
            """
            DELETE FROM run WHERE id IN (
                SELECT id FROM run WHERE tenant = $1
                    AND NOT EXISTS (SELECT 1 FROM run_event WHERE run_event.run = run.id)
                    AND NOT EXISTS (SELECT 1 FROM run_journal WHERE run_journal.run = run.id)
                    AND NOT EXISTS (SELECT 1 FROM run_spec WHERE run_spec.run = run.id) LIMIT $2)
            """,
            tenant, limit).ExecuteNonQuery();
        return events + entries + specs + runs;
    }

    /// <summary>Whether a run was let in or forbidden is said once, as a claim. False when the other was said before.</summary>
    private static bool Remember(SqliteSession session, RunKey key, string what, TimeSpan memory, long now) =>
        SqliteWrites.Claim(session, key.Tenant, MemoryOf(key), what, now + Milliseconds(memory), now);

    private static string MemoryOf(RunKey key) => $"run:{key.Id}";

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

    /// <summary>Live or ended.</summary>
    private static SqliteRun? Find(SqliteSession session, RunKey key, long now)
    {
        using var row = session.Prepare(
            """
            SELECT id, token, owner, free, cancelled, ended, followed, retention, events, entries FROM run
            WHERE tenant = $1 AND chain = $2 AND self = $3 AND expires > $4
            """,
            key.Tenant, key.Id.Chain, key.Id.Self, now).ExecuteReader();
        return !row.Read()
            ? null
            : new SqliteRun(
                row.GetInt64(0),
                row.GetInt64(1),
                row.IsDBNull(2) ? null : row.GetString(2),
                row.GetInt64(3),
                IsCancelled: row.GetInt64(4) == 1,
                HasEnded: row.GetInt64(5) == 1,
                row.GetInt64(6),
                row.GetInt64(7),
                row.GetInt64(8),
                row.GetInt64(9));
    }

    private static SqliteRun? Live(SqliteSession session, RunKey key, long now) => Find(session, key, now) is { HasEnded: false } run ? run : null;

    private static long CountLive(SqliteSession session, long now) =>
        Convert.ToInt64(
            session.Prepare("SELECT count(*) FROM run WHERE ended = 0 AND expires > $1", now).ExecuteScalar(), CultureInfo.InvariantCulture);

    private static long CountLive(SqliteSession session, string tenant, long now) =>
        Convert.ToInt64(
            session.Prepare("SELECT count(*) FROM run WHERE tenant = $2 AND ended = 0 AND expires > $1", now, tenant).ExecuteScalar(),
            CultureInfo.InvariantCulture);

    private static byte[] Spec(SqliteSession session, SqliteRun run) =>
        (byte[]?)session.Prepare("SELECT data FROM run_spec WHERE run = $1", run.Id).ExecuteScalar()
            ?? throw new InvalidDataException("A run has lost its spec.");

    /// <summary>How many of the elements stand in their log already.</summary>
    private static long Known(long first, byte[][] elements, long length) =>
        elements.Length > 0 && length < first
            ? throw new InvalidDataException("A log of a run is shorter than what is to be appended says.")
            : Math.Max(0, length - first);

    /// <summary>How long a log is at least behind these elements; without any nothing is known of it.</summary>
    private static long LengthAfter(long first, byte[][] elements) => elements.Length == 0 ? 0 : first + elements.Length;

    private static void InsertEvents(SqliteSession session, long run, long first, byte[][] events, long length)
    {
        for (var i = Known(first, events, length); i < events.Length; i++)
        {
            session.Prepare("INSERT INTO run_event (run, position, data) VALUES ($1, $2, $3)", run, first + i, events[i]).ExecuteNonQuery();
        }
    }

    private static List<ReadOnlyMemory<byte>> ReadAll(SqliteSession session, string sql, long run, long from, int most)
    {
        using var rows = session.Prepare(sql, run, from, most).ExecuteReader();
        var elements = new List<ReadOnlyMemory<byte>>();
        while (rows.Read())
        {
            elements.Add(rows.GetFieldValue<byte[]>(0));
        }

        return elements;
    }

    /// <summary>An expired run that no sweep has met yet must not be appended to.</summary>
    private static void RemoveExpired(SqliteSession session, RunKey key, long now)
    {
        var expired = session.Prepare(
            "SELECT id FROM run WHERE tenant = $1 AND chain = $2 AND self = $3 AND expires <= $4",
            key.Tenant, key.Id.Chain, key.Id.Self, now).ExecuteScalar();
        if (expired is not null)
        {
            Remove(session, Convert.ToInt64(expired, CultureInfo.InvariantCulture));
        }
    }

    private static void Remove(SqliteSession session, long run)
    {
        session.Prepare("DELETE FROM run_event WHERE run = $1", run).ExecuteNonQuery();
        session.Prepare("DELETE FROM run_journal WHERE run = $1", run).ExecuteNonQuery();
        session.Prepare("DELETE FROM run_spec WHERE run = $1", run).ExecuteNonQuery();
        session.Prepare("DELETE FROM run WHERE id = $1", run).ExecuteNonQuery();
    }
}
