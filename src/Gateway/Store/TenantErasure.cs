namespace Gateway.Store;

/// <summary>What was erased.</summary>
/// <param name="Responses">Responses that could be retrieved.</param>
/// <param name="Entries">Keys of Redis and entries in its index of live runs, or rows of SQLite; those of the responses included.</param>
internal readonly record struct TenantErasure(long Responses, long Entries)
{
    public static TenantErasure operator +(TenantErasure one, TenantErasure other) =>
        new(one.Responses + other.Responses, one.Entries + other.Entries);
}
