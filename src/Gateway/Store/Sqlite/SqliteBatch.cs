namespace Gateway.Store.Sqlite;

/// <summary>
/// Bounds what one transaction removes by its bytes. All wait for it, and removed text is overwritten (<c>secure_delete</c>): a few hundred rows can be
/// hundreds of megabytes.
/// </summary>
internal static class SqliteBatch
{
    /// <summary>How many bytes of a table are enough for one batch. The row that brings them is a part of it.</summary>
    public const int Bytes = 4 * 1024 * 1024;

    /// <summary>A subquery for the ids of those rows that fit into a batch.</summary>
    /// <param name="rows">A query for rows with an <c>id</c> and a <c>size</c>, with its limit.</param>
    public static string Of(string rows) =>
        $"SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS bytes_before FROM ({rows})) WHERE bytes_before < {Bytes}";
}
