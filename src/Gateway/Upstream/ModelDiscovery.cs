using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>
/// Asks every destination of every upstream for its models, at the start and again and again. A server that does not answer keeps the models it
/// named last. Key files are read in the same round.
/// </summary>
internal sealed class ModelDiscovery : UpstreamRounds
{
    private const int MaxListBytes = 4 * 1024 * 1024;
    private const int Parallelism = 8;

    private readonly IProxyStateLookup _clusters;
    private readonly RouteTable _routes;
    private readonly DiscoveryOptions _options;
    private readonly ILogger<ModelDiscovery> _logger;

    /// <summary>The last list of each destination of each upstream. Rounds do not overlap, their parts do.</summary>
    private readonly ConcurrentDictionary<ConfiguredUpstream, ConcurrentDictionary<string, IReadOnlyList<DiscoveredModel>>> _lists = [];
    private readonly ConcurrentDictionary<(ConfiguredUpstream Upstream, string Destination), bool> _silent = [];

    public ModelDiscovery(
        UpstreamRegistry registry, IProxyStateLookup clusters, RouteTable routes, IOptions<DiscoveryOptions> options, TimeProvider time, ILogger<ModelDiscovery> logger)
        : base(registry, time)
    {
        _clusters = clusters;
        _routes = routes;
        _options = options.Value;
        _logger = logger;
    }

    protected override async Task<TimeSpan> RunRoundAsync(CancellationToken cancellationToken)
    {
        try
        {
            await AskAllAsync(cancellationToken);
        }
#pragma warning disable CA1031 // A bug in here must not end the discovery for the life of the process, nor the process.
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            UpstreamLog.DiscoveryBroken(_logger, e);
        }

        _routes.FirstDiscoveryDone();
        return Registry.All.Any(u => u.NeedsDiscovery && u.Discovered is null) ? _options.RetryInterval : _options.Interval;
    }

    private async Task AskAllAsync(CancellationToken cancellationToken)
    {
        var upstreams = Registry.All;
        foreach (var gone in _lists.Keys.Except(upstreams).ToList())
        {
            _lists.TryRemove(gone, out _);
        }

        var questions = new List<(ConfiguredUpstream Upstream, ClusterState Cluster, DestinationState Destination)>();
        foreach (var upstream in upstreams)
        {
            ReadKeyFile(upstream);
            if (upstream.NeedsDiscovery && _clusters.TryGetCluster(upstream.Name, out var cluster))
            {
                questions.AddRange(cluster.DestinationsState.AllDestinations.Select(d => (upstream, cluster, d)));
            }
        }

        foreach (var gone in _silent.Keys.Except(questions.Select(q => (q.Upstream, q.Destination.DestinationId))).ToList())
        {
            _silent.TryRemove(gone, out _);
        }

        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(questions, parallel, async (q, token) => await AskAsync(q.Upstream, q.Cluster, q.Destination, token));

        var changed = false;
        foreach (var group in questions.GroupBy(q => q.Upstream))
        {
            changed |= Merge(group.Key, group.Select(q => q.Destination.DestinationId).ToHashSet(StringComparer.Ordinal));
        }

        if (changed)
        {
            _routes.Rebuild();
        }
    }

    /// <summary>Joins the lists of an upstream's destinations; true when the outcome differs from the last one.</summary>
    private bool Merge(ConfiguredUpstream upstream, HashSet<string> destinations)
    {
        if (!_lists.TryGetValue(upstream, out var lists))
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
        if (upstream.Discovered is { } known && known.Select(m => (m.Id, m.Window)).SequenceEqual(models.Select(m => (m.Id, m.Window))))
        {
            return false;
        }

        upstream.Discovered = models;
        UpstreamLog.ModelsDiscovered(_logger, upstream.Name, models.Count);
        return true;
    }

    private async ValueTask AskAsync(ConfiguredUpstream upstream, ClusterState cluster, DestinationState destination, CancellationToken cancellationToken)
    {
        var (models, reason) = await ReadListAsync(upstream, cluster, destination, cancellationToken);
        if (models is not null)
        {
            _lists.GetOrAdd(upstream, _ => new(StringComparer.Ordinal))[destination.DestinationId] = models;
            _silent.TryRemove((upstream, destination.DestinationId), out _);
        }
        else if (_silent.TryAdd((upstream, destination.DestinationId), true))
        {
            UpstreamLog.DiscoveryFailed(_logger, upstream.Name, reason);
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

    private void ReadKeyFile(ConfiguredUpstream upstream)
    {
        if (upstream.ApiKeyFile is not { } path)
        {
            return;
        }

        try
        {
            var key = UpstreamReader.ReadKeyFile(path);
            if (UpstreamReader.IsKey(key))
            {
                upstream.SetApiKey(key);
            }
            else
            {
                UpstreamLog.KeyFileNotRead(_logger, upstream.Name, "not a key");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            UpstreamLog.KeyFileNotRead(_logger, upstream.Name, e.GetType().Name);
        }
    }
}
