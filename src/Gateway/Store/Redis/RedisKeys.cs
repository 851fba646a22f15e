using System.Globalization;
using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// The key layout (docs/design/store.md). What stands in braces decides the slot: all keys of a chain are in one, so that a script may
/// touch them together; a tenant's indexes are in another, and the index of live runs is one for all tenants.
/// </summary>
internal static class RedisKeys
{
    /// <summary>The index of live runs: when each is free (<see cref="RunName"/>). No name of a tenant has a slash, so that it is nobody's.</summary>
    public static RedisKey Runs { get; } = "gw:{/runs}";

    /// <summary>The tenants that have a part of the index of live runs (<see cref="RunsOfTenant"/>): a set.</summary>
    public static RedisKey RunTenants { get; } = "gw:{/runs}:tenants";

    /// <summary>What the name of a tenant's part of the index of live runs begins with.</summary>
    public static string RunsOfTenants => "gw:{/runs}:of:";

    /// <summary>The channel of those that wait for a free run.</summary>
    public static RedisChannel FreeChannel { get; } = RedisChannel.Literal("gw:runs:free");

    public static RedisKey Record(string tenant, ResponseId id) => $"gw:{{{tenant}/{id.Chain}}}:r:{id.Self}";

    /// <summary>The key is a response's record. A tenant's name has no colon.</summary>
    public static bool IsRecord(RedisKey key) => key.ToString().Contains("}:r:", StringComparison.Ordinal);

    public static RedisKey Events(string tenant, ResponseId id) => $"gw:{{{tenant}/{id.Chain}}}:e:{id.Self}";

    public static RedisKey Run(RunKey run) => $"gw:{{{run.Tenant}/{run.Id.Chain}}}:run:{run.Id.Self}";

    public static RedisKey Journal(RunKey run) => $"gw:{{{run.Tenant}/{run.Id.Chain}}}:j:{run.Id.Self}";

    /// <summary>Whether a run was let in or forbidden: <c>made</c> or <c>no</c>.</summary>
    public static RedisKey RunMemory(RunKey run) => $"gw:{{{run.Tenant}/{run.Id.Chain}}}:k:{run.Id.Self}";

    /// <summary>The channel of those that follow a run.</summary>
    public static RedisChannel RunChannel(RunKey run) => RedisChannel.Literal($"gw:{run.Tenant}/{run.Id.Chain}:w:{run.Id.Self}");

    public static RedisKey Log(string tenant, string chain, string branch) => $"gw:{{{tenant}/{chain}}}:l:{branch}";

    /// <summary>The conversation of a chain: a hash (docs/design/store.md).</summary>
    public static RedisKey Conversation(string tenant, string chain) => $"gw:{{{tenant}/{chain}}}:c";

    /// <summary>The turns of a chain's conversation: a hash of their selfs and their places in its log, -1 for none.</summary>
    public static RedisKey Places(string tenant, string chain) => $"gw:{{{tenant}/{chain}}}:p";

    public static RedisKey Claim(string tenant, string name) => $"gw:{{{tenant}}}:claim:{ClaimName.Of(name)}";

    public static RedisKey Index(string tenant, string day) => $"gw:{{{tenant}}}:index:{day}";

    /// <summary>What the index of live runs calls a run.</summary>
    public static string RunName(RunKey run) => $"{run.Tenant}/{run.Id}";

    /// <summary>A tenant's part of the index of live runs, in the same slot: the same names and times.</summary>
    public static RedisKey RunsOfTenant(string tenant) => RunsOfTenants + tenant;

    /// <summary>The pattern of the names of a tenant's runs. A tenant's name has no character that means something in it.</summary>
    public static RedisValue RunsOf(string tenant) => $"{tenant}/*";

    public static bool TryParseRunName(string name, out RunKey run)
    {
        // No tenant has a slash in its name.
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        var isRun = ResponseId.TryParse(name[(slash + 1)..], out var id);
        run = isRun && slash > 0 ? new RunKey(name[..slash], id) : default;
        return isRun && slash > 0;
    }

    /// <summary>Which days have an index: a sorted set of when the day's index may go, in milliseconds -> day.</summary>
    public static RedisKey Days(string tenant) => $"gw:{{{tenant}}}:days";

    /// <summary>In the list of days: every day that has an index is in it.</summary>
    public static RedisValue AllDays { get; } = "all";

    /// <summary>Entries of the index that were met without their response: a sorted set of when first, in milliseconds -> id. Used in a Cluster.</summary>
    public static RedisKey Doubtful(string tenant) => $"gw:{{{tenant}}}:doubtful";

    /// <summary>A key in the slot of another one, for what is written only to wait for it.</summary>
    public static RedisKey Mark(RedisKey key)
    {
        var name = key.ToString();
        return name[..(name.IndexOf('}', StringComparison.Ordinal) + 1)] + ":w";
    }

    /// <summary>The day in UTC; in the order of texts it is in the order of time.</summary>
    public static string Day(DateTimeOffset created) => created.UtcDateTime.ToString("yyyyMMdd", CultureInfo.InvariantCulture);
}
