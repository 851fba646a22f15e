using System.Globalization;

namespace Gateway.Store.Sqlite;

/// <summary>The tables and their version (<c>PRAGMA user_version</c>). Times are milliseconds since 1970.</summary>
internal static class SqliteSchema
{
    // A log's length is kept beside it, so that a commit needs no count. A turn's bytes are those of Redis (TurnCodec), and so are a
    // record's (RecordCodec).
    private const string Responses = """
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

    // Made without a step of its own once: some databases of version 1 have it.
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

    // A run that has ended stays for its events. "free" is when the lease runs out, or since when nobody holds it (owner is null). The spec
    // is large and has a table of its own: a lease's renewal would write it again.
    private const string Runs = """
        CREATE TABLE run (
            id INTEGER PRIMARY KEY,
            tenant TEXT NOT NULL,
            chain TEXT NOT NULL,
            self TEXT NOT NULL,
            token INTEGER NOT NULL,
            owner TEXT,
            free INTEGER NOT NULL,
            cancelled INTEGER NOT NULL,
            ended INTEGER NOT NULL,
            followed INTEGER NOT NULL,
            retention INTEGER NOT NULL,
            events INTEGER NOT NULL,
            entries INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            UNIQUE (tenant, chain, self)
        ) STRICT;
        CREATE INDEX run_free ON run (free, expires) WHERE ended = 0;
        CREATE INDEX run_expires ON run (expires);
        CREATE TABLE run_spec (
            run INTEGER PRIMARY KEY,
            data BLOB NOT NULL
        ) STRICT;
        CREATE TABLE run_journal (
            run INTEGER NOT NULL,
            position INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (run, position)
        ) STRICT;
        CREATE TABLE run_event (
            run INTEGER NOT NULL,
            position INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (run, position)
        ) STRICT;
        """;

    // A turn's place is its position in the conversation's log, -1 when it is not in it. A hold is of this process: there is no
    // other, and what one that ended has held is free.
    private const string Conversations = """
        CREATE TABLE conversation (
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
        CREATE INDEX conversation_expires ON conversation (expires);
        CREATE TABLE place (
            tenant TEXT NOT NULL,
            chain TEXT NOT NULL,
            self TEXT NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (tenant, chain, self)
        ) STRICT, WITHOUT ROWID;
        """;

    /// <summary>The way from an empty file to the newest version; the version is how many of them were taken. Only ever add to the end.</summary>
    private static readonly string[] Steps = [Responses, Claims, Runs, Conversations];

    public static int Version => Steps.Length;

    /// <exception cref="StoreUnavailableException">The file was written by a newer version of the gateway.</exception>
    public static void Ensure(SqliteSession session)
    {
        var version = Convert.ToInt32(session.Prepare("PRAGMA user_version").ExecuteScalar(), CultureInfo.InvariantCulture);
        if (version > Version)
        {
            throw new StoreUnavailableException(
                $"The database in {StoreOptions.Section}:Path has schema version {version}; this gateway knows version {Version}. "
                + "Run the newer gateway, restore the backup from before the upgrade, or name another folder.");
        }

        for (; version < Version; version++)
        {
            session.Run($"BEGIN IMMEDIATE; {Steps[version]} PRAGMA user_version = {version + 1}; COMMIT;");
        }
    }
}
