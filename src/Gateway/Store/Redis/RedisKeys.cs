using System.Globalization;
using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// The key layout (docs/design/store.md). What stands in braces decides the slot: all keys of a chain are in one, so that a script may
/// touch them together; a tenant's indexes are in another, and the index of live runs is one for all tenants.
/// </summary>
internal static class RedisKeys
{
    /// <summary>The index of live runs: when each is free (<see cref="RunName"/>).</summary>
    public static RedisKey Runs { get; } = "gw:{runs}";

    /// <summary>The channel of those that wait for a free run.</summary>
    public static RedisChannel FreeChannel { get; } = RedisChannel.Literal("gw:runs:free");

    public static RedisKey Record(string tenant, ResponseId id) => $"gw:{{{tenant}/{id.Chain}}}:r:{id.Self}";

    public static RedisKey Events(string tenant, ResponseId id) => $"gw:{{{tenant}/{id.Chain}}}:e:{id.Self}";

    public static RedisKey Run(RunKey run) => $"gw:{{{run.Tenant}/{run.Id.Chain}}}:run:{run.Id.Self}";

    public static RedisKey Journal(RunKey run) => $"gw:{{{run.Tenant}/{run.Id.Chain}}}:j:{run.Id.Self}";

    /// <summary>The channel of those that follow a run.</summary>
    public static RedisChannel RunChannel(RunKey run) => RedisChannel.Literal($"gw:{run.Tenant}/{run.Id.Chain}:w:{run.Id.Self}");

    public static RedisKey Log(string tenant, string chain, string branch) => $"gw:{{{tenant}/{chain}}}:l:{branch}";

    public static RedisKey Claim(string tenant, string name) => $"gw:{{{tenant}}}:claim:{ClaimName.Of(name)}";

    public static RedisKey Index(string tenant, DateOnly day) =>
        string.Create(CultureInfo.InvariantCulture, $"gw:{{{tenant}}}:index:{day:yyyyMMdd}");

    /// <summary>What the index of live runs calls a run.</summary>
    public static string RunName(RunKey run) => $"{run.Tenant}/{run.Id}";

    public static bool TryParseRunName(string name, out RunKey run)
    {
        // No tenant has a slash in its name.
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        var isRun = ResponseId.TryParse(name[(slash + 1)..], out var id);
        run = isRun && slash > 0 ? new RunKey(name[..slash], id) : default;
        return isRun && slash > 0;
    }

    public static DateOnly Day(DateTimeOffset created) => DateOnly.FromDateTime(created.UtcDateTime);
}
