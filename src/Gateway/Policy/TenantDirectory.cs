using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using Gateway.Protocol.Responses;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Gateway.Policy;

/// <summary>
/// Finds the tenant of a request by its API key. Live on reload of the configuration: a valid one is swapped in whole, an invalid one is
/// logged and the last good one stays.
/// </summary>
internal sealed class TenantDirectory : IDisposable
{
    private const string Scheme = "Bearer ";

    private readonly IConfiguration _configuration;
    private readonly IValidateOptions<AccessOptions> _validator;
    private readonly ILogger<TenantDirectory> _logger;
    private readonly TimeSpan _usualRetention;
    private readonly IDisposable _reloads;
    private volatile Snapshot _snapshot;

    public TenantDirectory(
        IConfiguration configuration, IOptions<AccessOptions> options, IValidateOptions<AccessOptions> validator, ILogger<TenantDirectory> logger)
    {
        _configuration = configuration;
        _validator = validator;
        _logger = logger;
        // Read at start, as all of the store's section.
        _usualRetention = options.Value.Store.Retention;
        _snapshot = Read(options.Value, wasClosed: false);
        WarnOfUnreachable(_snapshot);
        _reloads = ChangeToken.OnChange(configuration.GetReloadToken, Reload);
    }

    /// <summary>A request without a key is refused.</summary>
    public bool RequiresKey => _snapshot.RequiresKey;

    /// <summary>The names of the tenants that can be used, in order; only <c>default</c> while no keys are configured.</summary>
    public IReadOnlyList<string> Names => _snapshot.Names;

    /// <summary>
    /// Finds the tenant that a bearer key belongs to. While no keys are configured it is <c>default</c>, whatever was sent. The scheme may be
    /// written in any case; the key may not.
    /// </summary>
    /// <returns>The error, with <see cref="Tenant.Nobody"/>; or null when the tenant was found.</returns>
    public ApiError? Authenticate(string? authorizationHeader, out Tenant tenant)
    {
        var snapshot = _snapshot;
        tenant = Tenant.Nobody;
        if (!snapshot.RequiresKey)
        {
            tenant = snapshot.Anonymous;
            return null;
        }

        if (!TryHash(authorizationHeader, out var hash) || !snapshot.ByKey.TryGetValue(hash, out var owner))
        {
            return ApiError.InvalidApiKey();
        }

        tenant = owner;
        return null;
    }

    /// <summary>The tenant of that name, for work that goes on without a request; null when it can not be used any more.</summary>
    public Tenant? Find(string name)
    {
        var snapshot = _snapshot;
        return snapshot.RequiresKey
            ? snapshot.ByKey.Values.FirstOrDefault(tenant => tenant.Name == name)
            : name == Tenant.DefaultName ? snapshot.Anonymous : null;
    }

    /// <summary>Somebody may administer.</summary>
    public bool HasAdminKeys => _snapshot.Admins.Count > 0;

    /// <summary>Checks an administrator's bearer key. A tenant's key is none, and while there are none configured every key is wrong.</summary>
    /// <param name="authorizationHeader">The header as it was sent.</param>
    /// <param name="key">The place of the key in <c>Gateway:Admin:Keys</c>, to tell who it was.</param>
    /// <returns>The error, or null.</returns>
    public ApiError? AuthenticateAdmin(string? authorizationHeader, out int key)
    {
        key = -1;
        return TryHash(authorizationHeader, out var hash) && _snapshot.Admins.TryGetValue(hash, out key) ? null : ApiError.InvalidApiKey();
    }

    /// <summary>403 when a client names an account that is not the key's. Naming none is fine.</summary>
    public static ApiError? CheckAccount(Tenant tenant, string? accountId) =>
        string.IsNullOrEmpty(accountId) || tenant.AccountId is null || string.Equals(accountId, tenant.AccountId, StringComparison.Ordinal)
            ? null
            : new ApiError(403, ApiError.InvalidRequestType, "account_not_allowed", null, "The account named in the request does not belong to this API key.");

    /// <summary>The answer for a model that the tenant may not use is that of a model that does not exist.</summary>
    public static ApiError? CheckModel(Tenant tenant, string model) => tenant.Policy.AllowsModel(model) ? null : ApiError.ModelNotFound(model);

    public void Dispose() => _reloads.Dispose();

    private static bool TryHash(string? authorizationHeader, out ApiKeyHash hash)
    {
        hash = default;
        var header = authorizationHeader.AsSpan();
        return header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) && ApiKeyHash.TryHash(header[Scheme.Length..].Trim(), out hash);
    }

    private Snapshot Read(AccessOptions options, bool wasClosed)
    {
        Dictionary<ApiKeyHash, Tenant> byKey = [];
        List<string> keyless = [];
        foreach (var (name, tenantOptions) in options.Tenants.OrderBy(t => t.Key, StringComparer.Ordinal))
        {
            var tenant = new Tenant(name, tenantOptions.AccountId ?? name, EffectivePolicy.From(options.Policy, tenantOptions.Policy, _usualRetention));
            foreach (var key in tenantOptions.Keys)
            {
                if (ApiKeyHash.ReadConfigured(key, out var hash) is null)
                {
                    byKey[hash] = tenant;
                }
            }

            if (tenantOptions.Keys.Count == 0)
            {
                keyless.Add(name);
            }
        }

        // Closed for good once it was closed, and closed if somebody named tenants but gave no key that can be read: taking the last key away
        // (a revocation, or a mistake) must not open the gateway to everyone.
        var closed = byKey.Count > 0 || keyless.Exists(name => name != Tenant.DefaultName) || (wasClosed && !options.AllowAnonymous);
        var anonymous = new Tenant(
            Tenant.DefaultName,
            accountId: null,
            EffectivePolicy.From(options.Policy, options.Tenants.GetValueOrDefault(Tenant.DefaultName)?.Policy,
                _usualRetention));
        Dictionary<ApiKeyHash, int> admins = [];
        for (var i = 0; i < options.Admin.Keys.Count; i++)
        {
            if (ApiKeyHash.ReadConfigured(options.Admin.Keys[i], out var hash) is null)
            {
                admins.TryAdd(hash, i);
            }
        }

        return new Snapshot(
            closed,
            anonymous,
            byKey.ToFrozenDictionary(),
            admins.ToFrozenDictionary(),
            closed ? [.. byKey.Values.Select(t => t.Name).Distinct()] : [Tenant.DefaultName],
            closed ? keyless : []);
    }

    [SuppressMessage("Design", "CA1031", Justification = "A reload runs on the file watcher's thread, where nobody could name the blame: binding throws several types for a bad value.")]
    private void Reload()
    {
        try
        {
            var options = _configuration.GetSection(AccessOptions.Section).Get<AccessOptions>() ?? new AccessOptions();
            if (_validator.Validate(null, options) is { Failed: true } result)
            {
                PolicyLog.ReloadRefused(_logger, result.FailureMessage);
                return;
            }

            var next = Read(options, _snapshot.RequiresKey);
            _snapshot = next;
            PolicyLog.Reloaded(_logger, next.Names.Count);
            WarnOfUnreachable(next);
        }
        catch (Exception e)
        {
            PolicyLog.ReloadRefused(_logger, e.Message);
        }
    }

    private void WarnOfUnreachable(Snapshot snapshot)
    {
        foreach (var name in snapshot.Keyless)
        {
            PolicyLog.TenantWithoutKeys(_logger, name);
        }
    }

    /// <param name="RequiresKey">A request without a key is refused.</param>
    /// <param name="Anonymous">The tenant of all requests while none is needed.</param>
    /// <param name="ByKey">Tenants by the hash of their keys.</param>
    /// <param name="Admins">The places of administrators' keys by their hash.</param>
    /// <param name="Names">Tenants that can be used.</param>
    /// <param name="Keyless">Tenants that nobody can be, for want of a key.</param>
    private sealed record Snapshot(
        bool RequiresKey,
        Tenant Anonymous,
        FrozenDictionary<ApiKeyHash, Tenant> ByKey,
        FrozenDictionary<ApiKeyHash, int> Admins,
        IReadOnlyList<string> Names,
        IReadOnlyList<string> Keyless);
}
