using System.Globalization;
using System.Net;
using Microsoft.Extensions.Options;

namespace Gateway.Policy;

/// <summary>Messages name the configuration key and the value, except for API keys, of which only the place is told.</summary>
internal sealed class AccessOptionsValidator : IValidateOptions<AccessOptions>
{
    private const int MostToolCalls = 10_000;

    // Those of Gateway:Store:Retention.
    private static readonly TimeSpan ShortestRetention = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetention = TimeSpan.FromDays(3650);

    public ValidateOptionsResult Validate(string? name, AccessOptions options)
    {
        List<string> failures = [];
        ValidatePolicy("Gateway:Policy", options.Policy, EffectivePolicy.From(options.Policy), failures);
        var owners = new Dictionary<ApiKeyHash, string>();
        foreach (var (tenant, tenantOptions) in options.Tenants)
        {
            var key = $"Gateway:Tenants:{tenant}";
            if (!TenantName.IsValid(tenant))
            {
                failures.Add($"{key}: the tenant name '{tenant}' does not match ^[a-z0-9][a-z0-9._-]{{0,62}}$ (lower-case letters, digits, '.', '_', '-').");
            }

            if (tenantOptions.AccountId is { } account && string.IsNullOrWhiteSpace(account))
            {
                failures.Add($"{key}:AccountId is '{account}': give a name, or leave it out for the tenant's own.");
            }

            ValidateKeys(key, tenant, tenantOptions, owners, failures);
            ValidatePolicy($"{key}:Policy", tenantOptions.Policy, EffectivePolicy.From(options.Policy, tenantOptions.Policy), failures);
        }

        ValidateAdmin(options.Admin, owners, failures);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void ValidateAdmin(AdminOptions options, Dictionary<ApiKeyHash, string> owners, List<string> failures)
    {
        CheckRange("Gateway:Admin:Port", options.Port, IPEndPoint.MaxPort, failures);
        if (!IPAddress.TryParse(options.Address, out _))
        {
            failures.Add($"Gateway:Admin:Address is '{options.Address}': it must be an IP address.");
        }

        for (var i = 0; i < options.Keys.Count; i++)
        {
            var place = string.Create(CultureInfo.InvariantCulture, $"Gateway:Admin:Keys:{i}");
            if (ApiKeyHash.ReadConfigured(options.Keys[i], out var hash) is { } problem)
            {
                failures.Add($"{place} {problem}");
            }
            else if (owners.TryGetValue(hash, out var tenant))
            {
                failures.Add($"{place} is also a key of tenant '{tenant}': what an administrator may do is not for tenants.");
            }
        }
    }

    private static void ValidateKeys(
        string key, string tenant, TenantOptions options, Dictionary<ApiKeyHash, string> owners, List<string> failures)
    {
        for (var i = 0; i < options.Keys.Count; i++)
        {
            var place = string.Create(CultureInfo.InvariantCulture, $"{key}:Keys:{i}");
            if (ApiKeyHash.ReadConfigured(options.Keys[i], out var hash) is { } problem)
            {
                failures.Add($"{place} {problem}");
            }
            else if (!owners.TryAdd(hash, tenant) && owners[hash] != tenant)
            {
                failures.Add($"{place} is also a key of tenant '{owners[hash]}': a key belongs to one tenant.");
            }
        }
    }

    private static void ValidatePolicy(string key, PolicyOptions options, EffectivePolicy effective, List<string> failures)
    {
        if (options.Store is { } store && !Enum.IsDefined(store))
        {
            failures.Add($"{key}:Store is '{store}': it must be Allow or Never.");
        }

        CheckRetention($"{key}:Retention:Responses", options.Retention.Responses, failures);
        CheckRetention($"{key}:Retention:Background", options.Retention.Background, failures);
        CheckRetention($"{key}:Retention:Conversations", options.Retention.Conversations, failures);
        CheckRange($"{key}:MaxToolCalls", options.MaxToolCalls, MostToolCalls, failures);
        CheckRange($"{key}:DefaultMaxToolCalls", options.DefaultMaxToolCalls, MostToolCalls, failures);
        CheckRange($"{key}:OpenStreams", options.OpenStreams, int.MaxValue, failures);
        CheckRange($"{key}:QueuedRuns", options.QueuedRuns, int.MaxValue, failures);
        CheckRange($"{key}:Followers", options.Followers, int.MaxValue, failures);
        if (options.DefaultMaxToolCalls > effective.MaxToolCalls)
        {
            failures.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{key}:DefaultMaxToolCalls is {options.DefaultMaxToolCalls}: it must not be above MaxToolCalls, which is {effective.MaxToolCalls} there."));
        }

        CheckToolHosts(key, options.ToolHosts, failures);
        for (var i = 0; i < (options.Models?.Count ?? 0); i++)
        {
            if (string.IsNullOrWhiteSpace(options.Models?[i]))
            {
                failures.Add(string.Create(CultureInfo.InvariantCulture, $"{key}:Models:{i} is empty: give a model's name, or a pattern with '*'."));
            }
        }
    }

    private static void CheckToolHosts(string key, IReadOnlyList<string>? hosts, List<string> failures)
    {
        for (var i = 0; i < (hosts?.Count ?? 0); i++)
        {
            if (HostRule.Read(hosts?[i], out _) is { } problem)
            {
                failures.Add(string.Create(CultureInfo.InvariantCulture, $"{key}:ToolHosts:{i} {problem}"));
            }
        }
    }

    private static void CheckRetention(string key, TimeSpan? value, List<string> failures)
    {
        if (value < ShortestRetention || value > LongestRetention)
        {
            failures.Add($"{key} is {value:c}: it must be from {ShortestRetention:c} to {LongestRetention:c}.");
        }
    }

    private static void CheckRange(string key, int? value, int most, List<string> failures)
    {
        if (value < 1 || value > most)
        {
            failures.Add(string.Create(CultureInfo.InvariantCulture, $"{key} is {value}: it must be from 1 to {most}."));
        }
    }
}
