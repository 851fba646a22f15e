using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Configuration;

namespace Gateway.Upstream;

/// <summary>Gives YARP one cluster per upstream, and no routes: our endpoints pick the cluster themselves.</summary>
internal sealed class UpstreamProxyConfigProvider : IProxyConfigProvider, IDisposable
{
    /// <summary>Keys of a cluster's metadata, which is how the client factory learns what YARP's own configuration has no word for.</summary>
    public const string ConnectTimeoutKey = "Gateway.ConnectTimeout";
    public const string CaFileKey = "Gateway.CaFile";
    public const string DemoKey = "Gateway.Demo";

    private readonly UpstreamRegistry _registry;
    private readonly Lock _lock = new();
    private ProxyConfig _config;

    public UpstreamProxyConfigProvider(UpstreamRegistry registry)
    {
        _registry = registry;
        _config = new ProxyConfig(registry.All);
        registry.Changed += OnChanged;
    }

    public IProxyConfig GetConfig() => Volatile.Read(ref _config);

    public void Dispose() => _registry.Changed -= OnChanged;

    private void OnChanged()
    {
        ProxyConfig old;
        lock (_lock)
        {
            // Read inside: of two changes at once the newer one must stay.
            old = _config;
            Volatile.Write(ref _config, new ProxyConfig(_registry.All));
        }

        old.SignalChange();
    }

    private static ClusterConfig ToCluster(ConfiguredUpstream upstream)
    {
        var metadata = new Dictionary<string, string> { [ConnectTimeoutKey] = upstream.ConnectTimeout.ToString("c") };
        if (upstream.CaFile is not null)
        {
            metadata[CaFileKey] = upstream.CaFile;
        }

        if (upstream.IsDemo)
        {
            metadata[DemoKey] = bool.TrueString;
        }

        return new ClusterConfig
        {
            ClusterId = upstream.Name,
            // The address is the id, so that every replica hashes a key to the same destination, whatever the order of the list.
            Destinations = upstream.Addresses.ToDictionary(a => a, a => new DestinationConfig { Address = a }, StringComparer.OrdinalIgnoreCase),
            HealthCheck = new HealthCheckConfig
            {
                Active = upstream.Health is { } health ? new ActiveHealthCheckConfig
                {
                    Enabled = true,
                    Interval = health.Interval,
                    Timeout = health.Timeout,
                    Policy = HealthProbes.Policy,
                    // Not used by our own factory of probes; here so that a change of it is one of the cluster.
                    Path = health.Path,
                } : null,
                AvailableDestinationsPolicy = AnsweringDestinations.Policy,
            },
            Metadata = metadata,
        };
    }

    // The source has no timer and no links, so there is nothing to dispose; YARP may look at the token after a newer one came.
#pragma warning disable CA1001
    private sealed class ProxyConfig : IProxyConfig
#pragma warning restore CA1001
    {
        private readonly CancellationTokenSource _changed = new();

        public ProxyConfig(IReadOnlyList<ConfiguredUpstream> upstreams)
        {
            Clusters = [.. upstreams.Select(ToCluster)];
            ChangeToken = new CancellationChangeToken(_changed.Token);
        }

        public IReadOnlyList<RouteConfig> Routes => [];

        public IReadOnlyList<ClusterConfig> Clusters { get; }

        public IChangeToken ChangeToken { get; }

        public void SignalChange() => _changed.Cancel();
    }
}
