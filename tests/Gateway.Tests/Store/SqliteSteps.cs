using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Gateway.Tests.Store;

/// <summary>Counts the steps of SQLite's machine that a page takes: an exact measure of its work, on any machine.</summary>
internal static class SqliteSteps
{
    public static long Count(string database, string page, string tenant, int place, long start, int limit)
    {
        using var connection = new SqliteConnection($"Data Source={database};Pooling=False;Mode=ReadOnly");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = page;
        object[] values = [tenant, start + place, string.Empty, string.Empty, start, limit];
        for (var n = 0; n < values.Length; n++)
        {
            command.Parameters.Add(new SqliteParameter($"${n + 1}", values[n]));
        }

        long steps = 0;
        raw.sqlite3_progress_handler(connection.Handle, 1, _ => { steps++; return 0; }, null);
        using var rows = command.ExecuteReader();
        var count = 0;
        while (rows.Read())
        {
            count++;
        }

        raw.sqlite3_progress_handler(connection.Handle, 0, (delegate_progress?)null, null);
        Assert.InRange(count, 100, limit);
        return steps;
    }
}
