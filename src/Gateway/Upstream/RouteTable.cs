using System.Collections.Concurrent;
using System.Collections.Frozen;
using Gateway.Protocol.Translation;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>
/// Which upstreams serve which model. Names in the configuration go before its globs, and those before discovered names; all upstreams that serve
/// the model in the same way share it. A model that is not here is unknown: upstreams are never asked by trying. A change of the configuration is shown when
/// YARP has a cluster for each upstream, for which it may have to look names up: until then requests go where they went before.
/// </summary>
internal sealed class RouteTable : IClusterChangeListener, IDisposable
{
    /// <summary>How long a first request waits for the first answers of the upstreams.</summary>
    private static readonly TimeSpan FirstDiscoveryWait = TimeSpan.FromSeconds(5);

    private readonly UpstreamRegistry _registry;
    private readonly TimeProvider _time;
    private readonly ILogger<RouteTable> _logger;
    private readonly long _startedAt;
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _firstDiscovery = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HashSet<string> _clusters = new(StringComparer.OrdinalIgnoreCase);
    private IReadOnlyList<ConfiguredUpstream> _upstreams;
    private Routes _routes;

    public RouteTable(UpstreamRegistry registry, TimeProvider time, ILogger<RouteTable> logger)
    {
        _registry = registry;
        _time = time;
        _logger = logger;
        _startedAt = time.GetUtcNow().ToUnixTimeSeconds();
        _upstreams = registry.All;
        _routes = new Routes(_upstreams, _startedAt);
        registry.Changed += ShowChanges;
    }

    /// <summary>Where requests for the model go; null when it is unknown.</summary>
    public ModelRoutes? Find(string model) => Volatile.Read(ref _routes).Find(model);

    /// <summary>As <see cref="Find"/>, but just after the start waits some seconds for the first lists of models before saying "unknown".</summary>
    public async ValueTask<ModelRoutes?> FindAsync(string model, CancellationToken cancellationToken)
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
        lock (_lock)
        {
            if (_upstreams.FirstOrDefault(upstream => upstream.Name == route.Upstream) is not { } shown || !Learn(shown, change))
            {
                return;
            }

            // A change of the configuration that is not shown yet has an object of its own.
            if (_registry.Find(route.Upstream) is { } next && next != shown && next.IsSpokenToAs(shown))
            {
                Learn(next, change);
            }

            // In the same step, so that whoever finds it learned already finds it in the routes too.
            Rebuild();
        }

        UpstreamLog.ProfileLearned(_logger, route.Upstream, route.Profile.Name);
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
            Volatile.Write(ref _routes, new Routes(_upstreams, _startedAt));
        }
    }

    public void OnClusterAdded(ClusterState cluster)
    {
        lock (_lock)
        {
            _clusters.Add(cluster.ClusterId);
        }

        ShowChanges();
    }

    public void OnClusterChanged(ClusterState cluster)
    {
    }

    public void OnClusterRemoved(ClusterState cluster)
    {
        lock (_lock)
        {
            _clusters.Remove(cluster.ClusterId);
        }
    }

    /// <summary>Called when every upstream was asked once.</summary>
    public void FirstDiscoveryDone() => _firstDiscovery.TrySetResult();

    public void Dispose() => _registry.Changed -= ShowChanges;

    private static bool Learn(ConfiguredUpstream upstream, Func<RouteProfile, RouteProfile> change)
    {
        var changed = change(upstream.Profile);
        if (changed == upstream.Profile)
        {
            return false;
        }

        upstream.Remembered = [.. upstream.Remembered, change];
        upstream.Profile = changed;
        return true;
    }

    private void ShowChanges()
    {
        lock (_lock)
        {
            var upstreams = _registry.All;
            if (!ReferenceEquals(upstreams, _upstreams) && upstreams.All(upstream => _clusters.Contains(upstream.Name)))
            {
                _upstreams = upstreams;
                Rebuild();
            }
        }
    }

    /// <summary>One immutable state of the table.</summary>
    private sealed class Routes
    {
        /// <summary>Names come from clients: a table of what globs make of them must not grow without end.</summary>
        private const int MostByGlob = 1024;

        private readonly FrozenDictionary<string, ModelRoutes> _exact;
        private readonly FrozenDictionary<string, ModelRoutes> _discovered;
        private readonly ConcurrentDictionary<string, ModelRoutes> _byGlob = new(StringComparer.Ordinal);
        private readonly IReadOnlyList<ConfiguredUpstream> _upstreams;

        public Routes(IReadOnlyList<ConfiguredUpstream> upstreams, long startedAt)
        {
            // Stable: those of equal priority stay in the order of their names.
            _upstreams = [.. upstreams.OrderBy(static upstream => upstream.Priority)];
            var exact = new Dictionary<string, List<ChatRoute>>(StringComparer.Ordinal);
            var discovered = new Dictionary<string, List<ChatRoute>>(StringComparer.Ordinal);
            foreach (var upstream in _upstreams)
            {
                foreach (var rule in upstream.Models.Where(static rule => !rule.IsGlob).DistinctBy(static rule => rule.Name, StringComparer.Ordinal))
                {
                    Add(exact, rule.Name, Route(upstream, rule.UpstreamName ?? rule.Name));
                }

                foreach (var model in upstream.Models.Count == 0 ? upstream.Discovered ?? [] : [])
                {
                    Add(discovered, model.Id, Route(upstream, model.Id));
                }
            }

            _exact = Freeze(exact);
            _discovered = Freeze(discovered);
            List = MakeList(startedAt);
        }

        public IReadOnlyList<ServedModel> List { get; }

        public ModelRoutes? Find(string model)
        {
            if (_exact.TryGetValue(model, out var routes) || _byGlob.TryGetValue(model, out routes))
            {
                return routes;
            }

            if (MatchGlobs(model) is not { Count: > 0 } matches)
            {
                return _discovered.GetValueOrDefault(model);
            }

            routes = new ModelRoutes(matches);
            return _byGlob.Count < MostByGlob ? _byGlob.GetOrAdd(model, routes) : routes;
        }

        /// <summary>The upstreams with a glob that the name matches; when some of them name the model in their lists, only those.</summary>
        private List<ChatRoute> MatchGlobs(string model)
        {
            List<ChatRoute> matching = [], naming = [];
            foreach (var upstream in _upstreams)
            {
                if (upstream.Models.FirstOrDefault(rule => rule.IsGlob && rule.Matches(model)) is not { } rule)
                {
                    continue;
                }

                var route = Route(upstream, rule.UpstreamName ?? model) with { ByPattern = rule.UpstreamName is null };
                matching.Add(route);
                if (upstream.Discovered?.Any(known => string.Equals(known.Id, route.Model, StringComparison.Ordinal)) == true)
                {
                    naming.Add(route);
                }
            }

            return naming.Count > 0 ? naming : matching;
        }

        private List<ServedModel> MakeList(long startedAt)
        {
            var list = new SortedDictionary<string, ServedModel>(StringComparer.Ordinal);
            foreach (var (name, routes) in _exact)
            {
                list[name] = new ServedModel(name, routes.First.Upstream, startedAt);
            }

            foreach (var upstream in _upstreams)
            {
                foreach (var model in upstream.Discovered ?? [])
                {
                    // With names configured, others are not served; with globs, what matches them is listed too.
                    if (upstream.Models.Count == 0 || upstream.Models.Any(m => m is { IsGlob: true, UpstreamName: null } && m.Matches(model.Id)))
                    {
                        var owner = MatchGlobs(model.Id) is [var first, ..] ? first.Upstream : upstream.Name;
                        list.TryAdd(model.Id, new ServedModel(model.Id, owner, model.Created ?? startedAt));
                    }
                }
            }

            return [.. list.Values];
        }

        private static void Add(Dictionary<string, List<ChatRoute>> table, string name, ChatRoute route)
        {
            if (!table.TryGetValue(name, out var routes))
            {
                table[name] = routes = [];
            }

            routes.Add(route);
        }

        private static FrozenDictionary<string, ModelRoutes> Freeze(Dictionary<string, List<ChatRoute>> table) =>
            table.ToFrozenDictionary(static pair => pair.Key, static pair => new ModelRoutes(pair.Value), StringComparer.Ordinal);

        private static ChatRoute Route(ConfiguredUpstream upstream, string model) =>
            new(upstream.Name, model, upstream.Profile) { Priority = upstream.Priority };
    }
}
