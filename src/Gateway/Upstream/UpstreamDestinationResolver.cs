using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.ServiceDiscovery;

namespace Gateway.Upstream;

/// <summary>
/// Expands a name with several addresses (a headless service) into a destination each. Never throws: a name that does not resolve keeps its
/// last answer, or is left for the connection to resolve. YARP's own resolver stops the process at start on one unknown name.
/// </summary>
internal sealed class UpstreamDestinationResolver(TimeProvider time, ILogger<UpstreamDestinationResolver> logger, UpstreamDestinationResolver.Lookup lookup)
    : IDestinationResolver
{
    /// <summary>How names are looked up: the system's resolver, except in tests.</summary>
    internal delegate Task<IPAddress[]> Lookup(string host, CancellationToken cancellationToken);

    public static readonly TimeSpan RefreshPeriod = TimeSpan.FromSeconds(10);

    /// <summary>The start of the process waits for the answers, so a silent name server must not hold it up for long.</summary>
    private static readonly TimeSpan LookupTimeout = TimeSpan.FromSeconds(2);

    // Names leave the configuration rarely; the map is dropped when it has seen more than any configuration holds.
    private const int MaxNames = 4096;

    private readonly ConcurrentDictionary<string, IPAddress[]> _lastAnswers = new(StringComparer.OrdinalIgnoreCase);

    public async ValueTask<ResolvedDestinationCollection> ResolveDestinationsAsync(
        IReadOnlyDictionary<string, DestinationConfig> destinations, CancellationToken cancellationToken)
    {
        var groups = await Task.WhenAll(destinations.Select(d => ExpandAsync(d.Key, d.Value, cancellationToken)));
        var resolved = new Dictionary<string, DestinationConfig>(StringComparer.OrdinalIgnoreCase);
        foreach (var (id, destination) in groups.SelectMany(g => g))
        {
            resolved[id] = destination;
        }

        return new ResolvedDestinationCollection(resolved, destinations.Values.Any(d => NameOf(d) is not null) ? RefreshToken() : null);
    }

    /// <summary>The destination is the configured one, or one that it was expanded into.</summary>
    public static bool IsOf(string destinationId, string configuredId) =>
        destinationId.StartsWith(configuredId, StringComparison.OrdinalIgnoreCase) && destinationId.AsSpan(configuredId.Length) is [] or ['[', ..];

    /// <summary>
    /// The system's resolver without the IPv6 addresses that this machine has no way to, when there are others: it tells them all the same. A
    /// connection to a name would go on with the next address, but a destination has only one.
    /// </summary>
    public static async Task<IPAddress[]> AskSystemAsync(string host, CancellationToken cancellationToken) =>
        WithRoute(await Dns.GetHostAddressesAsync(host, cancellationToken), HasRoute);

    /// <summary>The addresses but those of IPv6 without a route, unless there are no others.</summary>
    public static IPAddress[] WithRoute(IPAddress[] addresses, Func<IPAddress, bool> hasRoute)
    {
        var reachable = addresses.Where(address => address.AddressFamily != AddressFamily.InterNetworkV6 || hasRoute(address)).ToArray();
        return reachable.Length > 0 ? reachable : addresses;
    }

    /// <summary>Whether a packet could be sent there: connecting a datagram socket looks that up and sends none.</summary>
    public static bool HasRoute(IPAddress address)
    {
        const int anyPort = 9;
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Connect(address, anyPort);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string IdOf(string configuredId, IPAddress address) => $"{configuredId}[{address}]";

    private CancellationChangeToken RefreshToken()
    {
        // Not disposed here: its own timer ends it, and disposing it would end the refreshing.
#pragma warning disable CA2000
        var refresh = new CancellationTokenSource(RefreshPeriod, time);
#pragma warning restore CA2000
        return new CancellationChangeToken(refresh.Token);
    }

    private async Task<IReadOnlyList<(string Id, DestinationConfig Destination)>> ExpandAsync(
        string id, DestinationConfig destination, CancellationToken cancellationToken)
    {
        if (NameOf(destination) is not { } uri)
        {
            return [(id, destination)];
        }

        var addresses = await LookUpAsync(uri.IdnHost, cancellationToken);
        if (addresses.Length < 2)
        {
            // One address is no choice: connections resolve the name themselves, and keep doing so.
            return [(id, destination)];
        }

        return [.. addresses.Select(address => (IdOf(id, address), destination with
        {
            Address = WithHost(uri, address),
            Health = destination.Health is { } health ? WithHost(new Uri(health), address) : null,
            // The server and its certificate know themselves by name.
            Host = destination.Host ?? uri.Authority,
        }))];
    }

    private async Task<IPAddress[]> LookUpAsync(string host, CancellationToken cancellationToken)
    {
        try
        {
            var addresses = await lookup(host, cancellationToken).WaitAsync(LookupTimeout, time, cancellationToken);
            if (addresses.Length > 0)
            {
                if (_lastAnswers.Count >= MaxNames)
                {
                    _lastAnswers.Clear();
                }

                return _lastAnswers[host] = [.. addresses.Distinct()];
            }
        }
        catch (Exception e) when (e is SocketException or TimeoutException or ArgumentException or OperationCanceledException)
        {
            UpstreamLog.NameNotResolved(logger, e.GetType().Name, _lastAnswers.ContainsKey(host));
        }

        return _lastAnswers.GetValueOrDefault(host, []);
    }

    /// <summary>The address of a destination that is given by a name that DNS may know several addresses of.</summary>
    private static Uri? NameOf(DestinationConfig destination) =>
        Uri.TryCreate(destination.Address, UriKind.Absolute, out var uri) && uri.HostNameType == UriHostNameType.Dns && !uri.IsLoopback ? uri : null;

    private static string WithHost(Uri uri, IPAddress address) =>
        new UriBuilder(uri) { Host = address.ToString() }.Uri.GetLeftPart(UriPartial.Query).TrimEnd('/');
}
