using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Gateway.Policy;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Egress;

/// <summary>
/// Stands between the gateway's network and URLs that clients send: a name must have public addresses only, unless the operator allows it
/// by <c>Gateway:Tools:AllowedHosts</c>, and must be one that the tenant may use. Everything that goes where a client says goes through one
/// of its scopes.
/// </summary>
internal sealed class EgressGuard : IDisposable
{
    // By the policy object, which a tenant has until the configuration changes: the scope, and the connections in it, go with it.
    private readonly ConditionalWeakTable<EffectivePolicy, EgressScope> _scopes = [];
    private readonly IReadOnlyList<HostRule> _allowed;
    private readonly IHostResolver _resolver;
    private readonly GatewayMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger<EgressGuard> _logger;

    public EgressGuard(IOptions<EgressOptions> options, IHostResolver resolver, GatewayMetrics metrics, TimeProvider time, ILogger<EgressGuard> logger)
    {
        _allowed = HostRule.ReadAll(options.Value.AllowedHosts);
        _resolver = resolver;
        _metrics = metrics;
        _time = time;
        _logger = logger;
        Limits = options.Value.Egress;
        Operator = new EgressScope(this, policy: null);
    }

    public EgressLimits Limits { get; }

    /// <summary>
    /// For URLs from the operator's own configuration: any address, but no redirect to another origin. Never for a URL that a client sent.
    /// </summary>
    public EgressScope Operator { get; }

    /// <summary>For URLs that come with a tenant's request. A scope has connections of its own: no tenant ever uses one that another opened.</summary>
    public EgressScope For(EffectivePolicy policy) => _scopes.GetValue(policy, p => new EgressScope(this, p));

    public void Dispose()
    {
        Operator.Dispose();
        foreach (var (_, scope) in _scopes)
        {
            scope.Dispose();
        }
    }

    /// <summary>
    /// The addresses of a host, every one of them allowed; or why not. A name without an answer within <see cref="EgressLimits.ConnectTimeout"/>
    /// has no address.
    /// </summary>
    internal async ValueTask<(IPAddress[] Addresses, EgressRefusal? Refusal)> ResolveAsync(
        string host, int port, bool anyAddress, CancellationToken cancellationToken)
    {
        IPAddress[] addresses;
        try
        {
            // Not by the token alone: the system's resolver may not hear of it while it waits for a name server.
            addresses = IPAddress.TryParse(host, out var literal)
                ? [literal]
                : await _resolver.ResolveAsync(host, cancellationToken).WaitAsync(Limits.ConnectTimeout, _time, cancellationToken);
        }
        catch (Exception e) when (e is SocketException or TimeoutException)
        {
            addresses = [];
        }

        if (addresses.Length == 0)
        {
            return (addresses, Refuse(EgressRefusalKind.HostUnresolved, host));
        }

        // One bad address among good ones is enough: an honest name has no private address beside its public ones.
        return anyAddress || Array.TrueForAll(addresses, address => IsAllowed(host, port, address))
            ? (addresses, null)
            : (addresses, Refuse(EgressRefusalKind.AddressNotAllowed, host));
    }

    /// <summary>Makes a refusal, counts it and logs it.</summary>
    internal EgressRefusal Refuse(EgressRefusalKind kind, string host)
    {
        _metrics.EgressRefused(JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString()));
        EgressLog.Refused(_logger, host, kind);
        return new EgressRefusal(kind);
    }

    private bool IsAllowed(string host, int port, IPAddress address) => AddressClassifier.Classify(address) switch
    {
        AddressClass.Public => true,
        AddressClass.NoHost => false,
        // No range is meant to hold it and no name should lead to it.
        AddressClass.Metadata => _allowed.Any(rule => rule.IsSingleAddress && rule.MatchesAddress(address, port)),
        _ => _allowed.Any(rule => rule.MatchesHost(host, port) || rule.MatchesAddress(address, port)),
    };
}
