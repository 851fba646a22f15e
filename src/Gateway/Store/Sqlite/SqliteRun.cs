namespace Gateway.Store.Sqlite;

/// <summary>A row of the table <c>run</c>. Times are milliseconds since 1970.</summary>
/// <param name="Id">Names its logs.</param>
/// <param name="Token">Of the last lease; 0 when there was none.</param>
/// <param name="Owner">Who holds the lease, run out or not; null for nobody.</param>
/// <param name="Free">When the lease runs out, or since when nobody holds it.</param>
/// <param name="IsCancelled">Somebody asked it to end.</param>
/// <param name="HasEnded">Only its events are left.</param>
/// <param name="Followed">When somebody followed it last, or when it was made.</param>
/// <param name="Retention">In milliseconds.</param>
/// <param name="Events">The length of its event log.</param>
/// <param name="Entries">The length of its journal.</param>
internal sealed record SqliteRun(
    long Id, long Token, string? Owner, long Free, bool IsCancelled, bool HasEnded, long Followed, long Retention, long Events, long Entries);
