using System.Collections.Frozen;
using Gateway.Protocol.Translation;

namespace Gateway.Upstream;

/// <summary>
/// Which upstream serves which model. Names in the configuration go before its globs, and those before discovered names; of several upstreams
/// the first by name. A model that is not here is unknown: upstreams are never asked by trying.
/// </summary>
internal sealed class RouteTable : IDisposable
{
    /// <summary>How long a first request waits for the first answers of the upstreams.</summary>
    private static readonly TimeSpan FirstDiscoveryWait = TimeSpan.FromSeconds(5);

    private readonly UpstreamRegistry _registry;
    private readonly TimeProvider _time;
    private readonly ILogger<RouteTable> _logger;
    private readonly long _startedAt;
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _firstDiscovery = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Routes _routes;

    public RouteTable(UpstreamRegistry registry, TimeProvider time, ILogger<RouteTable> logger)
    {
        _registry = registry;
        _time = time;
        _logger = logger;
        _startedAt = time.GetUtcNow().ToUnixTimeSeconds();
        _routes = new Routes(registry.All, _startedAt);
        registry.Changed += Rebuild;
    }

    /// <summary>Where requests for the model go; null when it is unknown.</summary>
    public ChatRoute? Find(string model) => Volatile.Read(ref _routes).Find(model);

    /// <summary>As <see cref="Find"/>, but just after the start waits some seconds for the first lists of models before saying "unknown".</summary>
    public async ValueTask<ChatRoute?> FindAsync(string model, CancellationToken cancellationToken)
    {
        if (Find(model) is { } route)
        {
            return route;
        }

        await WaitForFirstDiscoveryAsync(cancellationToken);
        return Find(model);
    }

    /// <summary>Every model with a name, ordered by name.</summary>
    public IReadOnlyList<ServedModel> List() => Volatile.Read(ref _routes).List;

    /// <summary>Completes when every upstream was asked for its models once, or after some seconds.</summary>
    public async ValueTask WaitForFirstDiscoveryAsync(CancellationToken cancellationToken)
    {
        if (!_firstDiscovery.Task.IsCompleted)
        {
            // Whether it came in time or not, the table says what is known.
            await Task.WhenAny(_firstDiscovery.Task, Task.Delay(FirstDiscoveryWait, _time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Changes the profile of a route's upstream for all later requests: something it refuses was learned.</summary>
    public void Remember(ChatRoute route, Func<RouteProfile, RouteProfile> change)
    {
        if (_registry.Find(route.Upstream) is not { } upstream)
        {
            return;
        }

        lock (_lock)
        {
            var changed = change(upstream.Profile);
            if (changed == upstream.Profile)
            {
                return;
            }

            upstream.Remembered.Add(change);
            upstream.Profile = changed;
        }

        UpstreamLog.ProfileLearned(_logger, route.Upstream, route.Profile.Name);
        Rebuild();
    }

    /// <summary>Puts another profile in force for an upstream, as it turned out to be; what was learned from refusals holds on.</summary>
    public void Apply(ConfiguredUpstream upstream, RouteProfile profile)
    {
        lock (_lock)
        {
            upstream.Profile = upstream.Remembered.Aggregate(profile, static (changed, change) => change(changed));
        }

        Rebuild();
    }

    /// <summary>Called when what the upstreams' models are has changed.</summary>
    public void Rebuild()
    {
        lock (_lock)
        {
            Volatile.Write(ref _routes, new Routes(_registry.All, _startedAt));
        }
    }

    /// <summary>Called when every upstream was asked once.</summary>
    public void FirstDiscoveryDone() => _firstDiscovery.TrySetResult();

    public void Dispose() => _registry.Changed -= Rebuild;

    /// <summary>One immutable state of the table.</summary>
    private sealed class Routes
    {
        private readonly FrozenDictionary<string, ChatRoute> _exact;
        private readonly FrozenDictionary<string, ChatRoute> _discovered;
        private readonly (ModelRule Rule, ConfiguredUpstream Upstream)[] _globs;

        public Routes(IReadOnlyList<ConfiguredUpstream> upstreams, long startedAt)
        {
            var exact = new Dictionary<string, ChatRoute>(StringComparer.Ordinal);
            var discovered = new Dictionary<string, ChatRoute>(StringComparer.Ordinal);
            var globs = new List<(ModelRule, ConfiguredUpstream)>();
            var list = new SortedDictionary<string, ServedModel>(StringComparer.Ordinal);
            foreach (var upstream in upstreams)
            {
                foreach (var rule in upstream.Models)
                {
                    if (rule.IsGlob)
                    {
                        globs.Add((rule, upstream));
                    }
                    else if (exact.TryAdd(rule.Name, Route(upstream, rule.UpstreamName ?? rule.Name)))
                    {
                        list[rule.Name] = new ServedModel(rule.Name, upstream.Name, startedAt);
                    }
                }
            }

            _globs = [.. globs];
            _exact = exact.ToFrozenDictionary(StringComparer.Ordinal);
            foreach (var upstream in upstreams)
            {
                foreach (var model in upstream.Discovered ?? [])
                {
                    // With names configured, others are not served; with globs, what matches them is listed too.
                    if (upstream.Models.Count > 0 && !upstream.Models.Any(m => m is { IsGlob: true, UpstreamName: null } && m.Matches(model.Id)))
                    {
                        continue;
                    }

                    if (upstream.Models.Count == 0)
                    {
                        discovered.TryAdd(model.Id, Route(upstream, model.Id));
                    }

                    var owner = MatchGlob(model.Id)?.Upstream ?? upstream;
                    list.TryAdd(model.Id, new ServedModel(model.Id, owner.Name, model.Created ?? startedAt));
                }
            }

            _discovered = discovered.ToFrozenDictionary(StringComparer.Ordinal);
            List = [.. list.Values];
        }

        public IReadOnlyList<ServedModel> List { get; }

        public ChatRoute? Find(string model)
        {
            if (_exact.TryGetValue(model, out var route))
            {
                return route;
            }

            return MatchGlob(model) is { } match
                ? Route(match.Upstream, match.Rule.UpstreamName ?? model) with { ByPattern = match.Rule.UpstreamName is null }
                : _discovered.GetValueOrDefault(model);
        }

        private (ModelRule Rule, ConfiguredUpstream Upstream)? MatchGlob(string model)
        {
            foreach (var match in _globs)
            {
                if (match.Rule.Matches(model))
                {
                    return match;
                }
            }

            return null;
        }

        private static ChatRoute Route(ConfiguredUpstream upstream, string model) => new(upstream.Name, model, upstream.Profile);
    }
}
