using System.Globalization;

namespace Gateway.Store.Sqlite;

/// <summary>The tables and their version (<c>PRAGMA user_version</c>). Times are milliseconds since 1970.</summary>
internal static class SqliteSchema
{
    public const int Version = 1;

    // A log's length is kept beside it, so that a commit needs no count. A turn's bytes are those of Redis (TurnCodec), and so are a
    // record's (RecordCodec).
    private const string Tables = """
        CREATE TABLE log (
            id INTEGER PRIMARY KEY,
            tenant TEXT NOT NULL,
            chain TEXT NOT NULL,
            branch TEXT NOT NULL,
            length INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            UNIQUE (tenant, chain, branch)
        ) STRICT;
        CREATE INDEX log_expires ON log (expires);
        CREATE TABLE turn (
            log INTEGER NOT NULL,
            position INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (log, position)
        ) STRICT;
        CREATE TABLE response (
            tenant TEXT NOT NULL,
            chain TEXT NOT NULL,
            self TEXT NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            record BLOB NOT NULL,
            PRIMARY KEY (tenant, chain, self)
        ) STRICT;
        CREATE INDEX response_created ON response (tenant, created, chain, self);
        CREATE INDEX response_expires ON response (expires);
        """;

    // Came later. An older gateway does not know it and leaves it alone, so the version stays.
    private const string Claims = """
        CREATE TABLE IF NOT EXISTS claim (
            tenant TEXT NOT NULL,
            name TEXT NOT NULL,
            owner TEXT NOT NULL,
            expires INTEGER NOT NULL,
            PRIMARY KEY (tenant, name)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS claim_expires ON claim (expires);
        """;

    // Came later too. A turn's place is its position in the conversation's log, -1 when it is not in it. A hold is of this process: there is no
    // other, and what one that ended has held is free.
    private const string Conversations = """
        CREATE TABLE IF NOT EXISTS conversation (
            tenant TEXT NOT NULL,
            chain TEXT NOT NULL,
            self TEXT NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            metadata BLOB NOT NULL,
            bytes INTEGER NOT NULL,
            last TEXT,
            owner TEXT,
            held INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (tenant, chain)
        ) STRICT;
        CREATE INDEX IF NOT EXISTS conversation_expires ON conversation (expires);
        CREATE TABLE IF NOT EXISTS place (
            tenant TEXT NOT NULL,
            chain TEXT NOT NULL,
            self TEXT NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (tenant, chain, self)
        ) STRICT, WITHOUT ROWID;
        """;

    /// <exception cref="StoreUnavailableException">The file was written by a newer version of the gateway.</exception>
    public static void Ensure(SqliteSession session)
    {
        var version = Convert.ToInt32(session.Prepare("PRAGMA user_version").ExecuteScalar(), CultureInfo.InvariantCulture);
        if (version > Version)
        {
            throw new StoreUnavailableException(
                $"The database in {StoreOptions.Section}:Path has schema version {version}; this gateway knows version {Version}. "
                + "Run the newer gateway, or name another folder.");
        }

        if (version == 0)
        {
            session.Run($"BEGIN IMMEDIATE; {Tables} PRAGMA user_version = {Version}; COMMIT;");
        }

        session.Run($"BEGIN IMMEDIATE; {Claims} {Conversations} COMMIT;");
    }
}
