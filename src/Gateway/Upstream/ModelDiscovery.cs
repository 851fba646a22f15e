using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>
/// Asks every destination of every upstream for its models, at the start and again and again. A server that does not answer keeps the models it
/// named last. Key files are read in the same rhythm.
/// </summary>
internal sealed class ModelDiscovery : UpstreamRounds
{
    private const int MaxListBytes = 4 * 1024 * 1024;
    private const int Parallelism = 8;

    private readonly IProxyStateLookup _clusters;
    private readonly RouteTable _routes;
    private readonly DiscoveryOptions _options;
    private readonly ILogger<ModelDiscovery> _logger;

    /// <summary>Where it stands with each upstream, by its name: an upstream whose configuration changed keeps its lists. Touched by the loop alone, what is in it by the parts of a round too.</summary>
    private readonly Dictionary<string, State> _states = new(StringComparer.OrdinalIgnoreCase);

    public ModelDiscovery(
        UpstreamRegistry registry, IProxyStateLookup clusters, RouteTable routes, IOptions<DiscoveryOptions> options, TimeProvider time, ILogger<ModelDiscovery> logger)
        : base(registry, time)
    {
        _clusters = clusters;
        _routes = routes;
        _options = options.Value;
        _logger = logger;
    }

    /// <summary>Asks what is due; returns the time until something is due again.</summary>
    protected override async Task<TimeSpan> RunRoundAsync(CancellationToken cancellationToken)
    {
        var due = TakeDue();
        try
        {
            await AskAllAsync(due, cancellationToken);
        }
#pragma warning disable CA1031 // A bug in here must not end the discovery for the life of the process, nor the process.
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            UpstreamLog.DiscoveryBroken(_logger, e);
        }

        _routes.FirstDiscoveryDone();
        if (_states.Count == 0)
        {
            return _options.Interval;
        }

        var next = Time.GetElapsedTime(Time.GetTimestamp(), _states.Values.Min(static state => state.DueAt));
        return next > TimeSpan.Zero ? next : TimeSpan.Zero;
    }

    /// <summary>The upstreams to be asked now: those whose time has come, and those that are new or changed. Till their answers say otherwise they are due again after the interval.</summary>
    private List<State> TakeDue()
    {
        var upstreams = Registry.All;
        foreach (var gone in _states.Keys.Except(upstreams.Select(static upstream => upstream.Name), StringComparer.OrdinalIgnoreCase).ToList())
        {
            _states.Remove(gone);
        }

        var now = Time.GetTimestamp();
        var due = new List<State>();
        foreach (var upstream in upstreams)
        {
            var isKnown = _states.TryGetValue(upstream.Name, out var state);
            state ??= _states[upstream.Name] = new State { Upstream = upstream };
            if (!isKnown || state.Upstream != upstream)
            {
                (state.Upstream, state.Retry) = (upstream, TimeSpan.Zero);
            }
            else if (state.DueAt > now)
            {
                continue;
            }

            state.DueAt = After(_options.Interval);
            due.Add(state);
        }

        return due;
    }

    private async Task AskAllAsync(List<State> due, CancellationToken cancellationToken)
    {
        var questions = new List<(State State, ClusterState Cluster, DestinationState Destination)>();
        foreach (var state in due)
        {
            ReadKeyFile(state);
            if (state.Upstream.NeedsDiscovery && _clusters.TryGetCluster(state.Upstream.Name, out var cluster))
            {
                // Not those of its former configuration, as long as YARP looks up the names of the new one.
                questions.AddRange(cluster.DestinationsState.AllDestinations.Where(state.Upstream.Has).Select(d => (state, cluster, d)));
            }
        }

        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(questions, parallel, async (q, token) => await AskAsync(q.State, q.Cluster, q.Destination, token));

        var changed = false;
        var asked = questions.ToLookup(static q => q.State, static q => q.Destination.DestinationId);
        foreach (var state in due.Where(static state => state.Upstream.NeedsDiscovery))
        {
            var destinations = asked[state].ToHashSet(StringComparer.Ordinal);
            changed |= Merge(state, destinations);
            if (state.Lists.Keys.Any(destinations.Contains))
            {
                state.Retry = TimeSpan.Zero;
                continue;
            }

            // A server that starts has its list soon; one that has none yet after a while may never have one.
            state.Retry = state.Retry + _options.RetryInterval < _options.Interval ? state.Retry + _options.RetryInterval : _options.Interval;
            state.DueAt = After(state.Retry);
        }

        if (changed)
        {
            _routes.Rebuild();
        }
    }

    /// <summary>Joins the lists of an upstream's destinations; true when the outcome differs from the last one.</summary>
    private bool Merge(State state, HashSet<string> destinations)
    {
        foreach (var gone in state.Silent.Keys.Where(id => !destinations.Contains(id)).ToList())
        {
            state.Silent.TryRemove(gone, out _);
        }

        var lists = state.Lists;
        if (lists.IsEmpty)
        {
            return false;
        }

        // Addresses that are gone take their models along, unless none of the new ones has answered yet.
        if (lists.Keys.Any(destinations.Contains))
        {
            foreach (var gone in lists.Keys.Where(id => !destinations.Contains(id)).ToList())
            {
                lists.TryRemove(gone, out _);
            }
        }

        var models = lists.OrderBy(l => l.Key, StringComparer.Ordinal).SelectMany(l => l.Value).DistinctBy(m => m.Id, StringComparer.Ordinal).ToList();
        if (state.Upstream.Discovered is { } known && known.Select(m => (m.Id, m.Window)).SequenceEqual(models.Select(m => (m.Id, m.Window))))
        {
            return false;
        }

        state.Upstream.Discovered = models;
        UpstreamLog.ModelsDiscovered(_logger, state.Upstream.Name, models.Count);
        return true;
    }

    private async ValueTask AskAsync(State state, ClusterState cluster, DestinationState destination, CancellationToken cancellationToken)
    {
        var (models, reason) = await ReadListAsync(state.Upstream, cluster, destination, cancellationToken);
        if (models is not null)
        {
            state.Lists[destination.DestinationId] = models;
            state.Silent.TryRemove(destination.DestinationId, out _);
        }
        else if (state.Silent.TryAdd(destination.DestinationId, true))
        {
            UpstreamLog.DiscoveryFailed(_logger, state.Upstream.Name, reason);
        }
    }

    private async ValueTask<(IReadOnlyList<DiscoveredModel>? Models, string Reason)> ReadListAsync(
        ConfiguredUpstream upstream, ClusterState cluster, DestinationState destination, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_options.Timeout, Time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{destination.Model.Config.Address.TrimEnd('/')}/models");
            UpstreamRequests.Address(request, upstream, destination);
            using var response = await cluster.Model.HttpClient.SendAsync(request, linked.Token);
            if (!response.IsSuccessStatusCode)
            {
                return (null, $"status {(int)response.StatusCode}");
            }

            await response.Content.LoadIntoBufferAsync(MaxListBytes, linked.Token);
            return (ModelListReader.Read(await response.Content.ReadAsByteArrayAsync(linked.Token)), "no list of models");
        }
        catch (HttpRequestException e)
        {
            return (null, e.HttpRequestError.ToString());
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, "no answer in time");
        }
    }

    private void ReadKeyFile(State state)
    {
        if (state.Upstream.ApiKeyFile is not { } path)
        {
            return;
        }

        var reason = "not a key";
        try
        {
            var key = UpstreamReader.ReadKeyFile(path);
            if (UpstreamReader.IsKey(key))
            {
                state.Upstream.SetApiKey(key);
                reason = null;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reason = e.GetType().Name;
        }

        if (reason is not null && reason != state.KeyReason)
        {
            UpstreamLog.KeyFileNotRead(_logger, state.Upstream.Name, reason);
        }

        state.KeyReason = reason;
    }

    private long After(TimeSpan wait) => Time.GetTimestamp() + (long)(wait.TotalSeconds * Time.TimestampFrequency);

    /// <summary>Where it stands with one upstream.</summary>
    private sealed class State
    {
        public required ConfiguredUpstream Upstream { get; set; }

        /// <summary>The last list of each destination.</summary>
        public ConcurrentDictionary<string, IReadOnlyList<DiscoveredModel>> Lists { get; } = new(StringComparer.Ordinal);

        /// <summary>The destinations whose silence is in the log.</summary>
        public ConcurrentDictionary<string, bool> Silent { get; } = new(StringComparer.Ordinal);

        /// <summary>Why the key file can not be used, as the log says; null when it can.</summary>
        public string? KeyReason { get; set; }

        /// <summary>The last wait for a first list; it becomes longer by the same each time.</summary>
        public TimeSpan Retry { get; set; }

        /// <summary>A timestamp of the clock.</summary>
        public long DueAt { get; set; }
    }
}
