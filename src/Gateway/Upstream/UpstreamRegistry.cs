using System.Collections.Frozen;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Gateway.Upstream;

/// <summary>The configured upstreams, read again whenever the configuration changes. A broken change is logged and the last good one kept.</summary>
internal sealed class UpstreamRegistry : IDisposable
{
    private readonly IConfiguration _configuration;
    private readonly ILogger<UpstreamRegistry> _logger;
    private readonly Lock _lock = new();
    private readonly IDisposable _subscription;
    private Snapshot _current;

    /// <exception cref="OptionsValidationException">The configuration the process starts with is wrong.</exception>
    public UpstreamRegistry(IConfiguration configuration, ILogger<UpstreamRegistry> logger)
    {
        _configuration = configuration;
        _logger = logger;
        List<string> errors = [];
        var upstreams = UpstreamReader.Read(configuration, errors);
        if (errors.Count > 0)
        {
            throw new OptionsValidationException(UpstreamReader.Section, typeof(UpstreamOptions), errors);
        }

        _current = new Snapshot(upstreams);
        LogUpstreams(upstreams);
        _subscription = ChangeToken.OnChange(configuration.GetReloadToken, Reload);
    }

    /// <summary>Raised after <see cref="All"/> has changed.</summary>
    public event Action? Changed;

    /// <summary>By name, since configuration has no other order.</summary>
    public IReadOnlyList<ConfiguredUpstream> All => Volatile.Read(ref _current).All;

    public ConfiguredUpstream? Find(string name) => Volatile.Read(ref _current).ByName.GetValueOrDefault(name);

    public void Dispose() => _subscription.Dispose();

    private void Reload()
    {
        lock (_lock)
        {
            List<string> errors = [];
            var upstreams = UpstreamReader.Read(_configuration, errors);
            if (upstreams is [{ IsDemo: true }] && All is not [{ IsDemo: true }])
            {
                // A settings file that is away or empty while it is replaced. The demo is for a gateway that starts with nothing.
                errors.Add($"{UpstreamReader.Section} names no upstream any more.");
            }

            if (errors.Count > 0)
            {
                UpstreamLog.ReloadRefused(_logger, string.Join(" ", errors));
                return;
            }

            var kept = upstreams.Select(Keep).ToList();
            if (kept.SequenceEqual(All))
            {
                return;
            }

            Volatile.Write(ref _current, new Snapshot(kept));
            LogUpstreams(kept);
        }

        Changed?.Invoke();
    }

    /// <summary>The upstream itself when nothing about it was changed; else the new one, with what is still known of it.</summary>
    private ConfiguredUpstream Keep(ConfiguredUpstream upstream)
    {
        if (Find(upstream.Name) is not { } old)
        {
            return upstream;
        }

        if (old.Fingerprint == upstream.Fingerprint)
        {
            return old;
        }

        upstream.TakeOver(old);
        return upstream;
    }

    private void LogUpstreams(IReadOnlyList<ConfiguredUpstream> upstreams)
    {
        if (upstreams is [{ IsDemo: true }])
        {
            UpstreamLog.DemoOnly(_logger);
            return;
        }

        foreach (var upstream in upstreams)
        {
            UpstreamLog.UpstreamConfigured(_logger, upstream.Name, upstream.Addresses.Count, upstream.Profile.Name);
        }
    }

    private sealed class Snapshot(IReadOnlyList<ConfiguredUpstream> all)
    {
        public IReadOnlyList<ConfiguredUpstream> All { get; } = all;

        public FrozenDictionary<string, ConfiguredUpstream> ByName { get; } = all.ToFrozenDictionary(u => u.Name, StringComparer.OrdinalIgnoreCase);
    }
}
