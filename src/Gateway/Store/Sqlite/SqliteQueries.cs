namespace Gateway.Store.Sqlite;

/// <summary>The reads of the store. What has expired is not seen, swept or not.</summary>
internal static class SqliteQueries
{
    /// <summary>A page from a place ($2, $3, $4) on to older ones. Both walk along an index: a page costs the same wherever it is.</summary>
    public const string NewestFirst = """
        SELECT chain, self, record FROM response
        WHERE tenant = $1 AND (created, chain, self) < ($2, $3, $4) AND expires > $5
        ORDER BY created DESC, chain DESC, self DESC LIMIT $6
        """;

    public const string OldestFirst = """
        SELECT chain, self, record FROM response
        WHERE tenant = $1 AND (created, chain, self) > ($2, $3, $4) AND expires > $5
        ORDER BY created, chain, self LIMIT $6
        """;

    public static ResponseRecord? Record(SqliteSession session, string tenant, ResponseId id, long now)
    {
        var record = (byte[]?)session.Prepare(
            "SELECT record FROM response WHERE tenant = $1 AND chain = $2 AND self = $3 AND expires > $4",
            tenant, id.Chain, id.Self, now).ExecuteScalar();
        return record is null ? null : RecordCodec.Decode(id, record);
    }

    public static StoredResponse? Response(SqliteSession session, string tenant, ResponseRecord record, long now)
    {
        var own = record.Path[^1];
        var element = (byte[]?)session.Prepare(
            """
            SELECT turn.data FROM log JOIN turn ON turn.log = log.id
            WHERE log.tenant = $1 AND log.chain = $2 AND log.branch = $3 AND log.expires > $4 AND turn.position = $5
            """,
            tenant, own.Chain, own.Branch, now, own.Count - 1).ExecuteScalar();
        return element is not null && TurnCodec.Decode(element) is { } turn ? new StoredResponse(record, turn) : null;
    }

    /// <summary>
    /// The turns of a path, oldest first, or null when one is missing or erased. <paramref name="isTail"/>: none follows the last.
    /// </summary>
    public static List<Turn>? Turns(SqliteSession session, string tenant, IReadOnlyList<PathSegment> path, long now, out bool isTail)
    {
        var turns = new List<Turn>();
        isTail = true;
        foreach (var segment in path)
        {
            using var rows = session.Prepare(
                """
                SELECT turn.data, log.length FROM log JOIN turn ON turn.log = log.id
                WHERE log.tenant = $1 AND log.chain = $2 AND log.branch = $3 AND log.expires > $4 AND turn.position < $5
                ORDER BY turn.position
                """,
                tenant, segment.Chain, segment.Branch, now, segment.Count).ExecuteReader();
            var missing = segment.Count;
            for (; rows.Read(); missing--)
            {
                if (TurnCodec.Decode(rows.GetFieldValue<byte[]>(0)) is not { } turn)
                {
                    return null;
                }

                turns.Add(turn);
                isTail = segment.IsTailOf(rows.GetInt64(1));
            }

            if (missing > 0)
            {
                return null;
            }
        }

        return turns;
    }

    /// <summary>Null when the cursor is not a response of the tenant.</summary>
    public static StoredPage? Page(SqliteSession session, string tenant, ListQuery query, long now)
    {
        var newestFirst = query.Before is null;
        var (created, chain, self) = newestFirst ? (long.MaxValue, string.Empty, string.Empty) : (long.MinValue, string.Empty, string.Empty);
        if ((query.After ?? query.Before) is { } cursor)
        {
            if (Record(session, tenant, cursor, now) is not { } place)
            {
                return null;
            }

            (created, chain, self) = (place.CreatedAt.ToUnixTimeMilliseconds(), cursor.Chain, cursor.Self);
        }

        // One more than asked for tells whether there are more.
        using var rows = session.Prepare(newestFirst ? NewestFirst : OldestFirst, tenant, created, chain, self, now, query.Limit + 1).ExecuteReader();
        var page = new List<StoredResponse>(query.Limit);
        var (seen, bytes, hasMore) = (0, 0L, false);
        while (!hasMore && rows.Read())
        {
            hasMore = seen++ == query.Limit || bytes >= query.MostBytes;
            if (!hasMore
                && Response(session, tenant, RecordCodec.Decode(new ResponseId(rows.GetString(0), rows.GetString(1)), rows.GetFieldValue<byte[]>(2)), now) is { } response)
            {
                page.Add(response);
                bytes += response.Bytes;
            }
        }

        if (!newestFirst)
        {
            page.Reverse();
        }

        return new StoredPage(page, hasMore);
    }

    /// <summary>Who has a claim, or null.</summary>
    public static string? Owner(SqliteSession session, string tenant, string name, long now) => (string?)session.Prepare(
        "SELECT owner FROM claim WHERE tenant = $1 AND name = $2 AND expires > $3", tenant, ClaimName.Of(name), now).ExecuteScalar();
}
