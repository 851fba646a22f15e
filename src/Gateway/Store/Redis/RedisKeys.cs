using System.Globalization;
using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// The key layout (docs/design/store.md). What stands in braces decides the slot: all keys of a chain are in one, so that a script may
/// touch them together; a tenant's indexes are in another.
/// </summary>
internal static class RedisKeys
{
    public static RedisKey Record(string tenant, ResponseId id) => $"gw:{{{tenant}/{id.Chain}}}:r:{id.Self}";

    /// <summary>The key is a response's record. A tenant's name has no colon.</summary>
    public static bool IsRecord(RedisKey key) => key.ToString().Contains("}:r:", StringComparison.Ordinal);

    public static RedisKey Events(string tenant, ResponseId id) => $"gw:{{{tenant}/{id.Chain}}}:e:{id.Self}";

    public static RedisKey Log(string tenant, string chain, string branch) => $"gw:{{{tenant}/{chain}}}:l:{branch}";

    public static RedisKey Claim(string tenant, string name) => $"gw:{{{tenant}}}:claim:{ClaimName.Of(name)}";

    public static RedisKey Index(string tenant, string day) => $"gw:{{{tenant}}}:index:{day}";

    /// <summary>Which days have an index: a sorted set of when the day's index may go, in milliseconds -> day.</summary>
    public static RedisKey Days(string tenant) => $"gw:{{{tenant}}}:days";

    /// <summary>The day in UTC; in the order of texts it is in the order of time.</summary>
    public static string Day(DateTimeOffset created) => created.UtcDateTime.ToString("yyyyMMdd", CultureInfo.InvariantCulture);
}
