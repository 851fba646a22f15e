namespace Gateway.Store.Sqlite;

/// <summary>A write that waits for its group.</summary>
internal abstract class SqliteWrite
{
    /// <summary>It can not be done in a transaction, so it is a group of its own.</summary>
    public virtual bool Alone => false;

    /// <summary>Does the write in the group's transaction; may be called again when the group was rolled back.</summary>
    public abstract void Execute(SqliteSession session);

    /// <summary>The group is on disk.</summary>
    public abstract void Succeed();

    public abstract void Fail(Exception exception);
}
