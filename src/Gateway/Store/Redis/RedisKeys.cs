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

    public static RedisKey Events(string tenant, ResponseId id) => $"gw:{{{tenant}/{id.Chain}}}:e:{id.Self}";

    public static RedisKey Log(string tenant, string chain, string branch) => $"gw:{{{tenant}/{chain}}}:l:{branch}";

    /// <summary>The conversation of a chain: a hash (docs/design/store.md).</summary>
    public static RedisKey Conversation(string tenant, string chain) => $"gw:{{{tenant}/{chain}}}:c";

    /// <summary>The turns of a chain's conversation: a hash of their selfs and their places in its log, -1 for none.</summary>
    public static RedisKey Places(string tenant, string chain) => $"gw:{{{tenant}/{chain}}}:p";

    public static RedisKey Claim(string tenant, string name) => $"gw:{{{tenant}}}:claim:{ClaimName.Of(name)}";

    public static RedisKey Index(string tenant, DateOnly day) =>
        string.Create(CultureInfo.InvariantCulture, $"gw:{{{tenant}}}:index:{day:yyyyMMdd}");

    public static DateOnly Day(DateTimeOffset created) => DateOnly.FromDateTime(created.UtcDateTime);
}
