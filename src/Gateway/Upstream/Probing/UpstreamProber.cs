using Microsoft.Extensions.Options;
using Yarp.ReverseProxy;

namespace Gateway.Upstream.Probing;

/// <summary>
/// Finds out what upstreams with the profile <c>auto</c> are and take, beside the traffic: requests never wait for it. Once an upstream was
/// answered for, only its kind, version and models are looked at again, and it is probed anew when one of them has changed.
/// </summary>
internal sealed class UpstreamProber : UpstreamRounds
{
    private const int Parallelism = 2;
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromMinutes(10);

    private readonly IProxyStateLookup _clusters;
    private readonly RouteTable _routes;
    private readonly ProbingOptions _options;
    private readonly ILogger<UpstreamProber> _logger;

    /// <summary>Touched by the loop alone; an upstream whose configuration changed is a new one.</summary>
    private readonly Dictionary<ConfiguredUpstream, State> _states = [];

    public UpstreamProber(
        UpstreamRegistry registry, IProxyStateLookup clusters, RouteTable routes, IOptions<ProbingOptions> options, TimeProvider time, ILogger<UpstreamProber> logger)
        : base(registry, time)
    {
        _clusters = clusters;
        _routes = routes;
        _options = options.Value;
        _logger = logger;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!_options.Enabled)
        {
            return;
        }

        try
        {
            // Most upstreams' models come from there.
            await _routes.WaitForFirstDiscoveryAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return;
        }

        await base.ExecuteAsync(stoppingToken);
    }

    /// <summary>Probes what is due; returns the time until something is due again.</summary>
    protected override async Task<TimeSpan> RunRoundAsync(CancellationToken cancellationToken)
    {
        var upstreams = Registry.All.Where(u => u.IsAuto).ToList();
        foreach (var gone in _states.Keys.Except(upstreams).ToList())
        {
            _states.Remove(gone);
        }

        foreach (var upstream in upstreams)
        {
            _states.TryAdd(upstream, new State());
        }

        var now = Time.GetUtcNow();
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(_states.Where(s => s.Value.DueAt <= now), parallel, async (s, token) => await ProbeOneAsync(s.Key, s.Value, token));
        if (_states.Count == 0)
        {
            return _options.Interval;
        }

        var next = _states.Values.Min(s => s.DueAt) - Time.GetUtcNow();
        return next > TimeSpan.Zero ? next : TimeSpan.Zero;
    }

    private async Task ProbeOneAsync(ConfiguredUpstream upstream, State state, CancellationToken cancellationToken)
    {
        try
        {
            await ProbeAsync(upstream, state, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
#pragma warning disable CA1031 // A bug in here, met by one server, must not end the probing of the others, nor the process.
        catch (Exception e)
#pragma warning restore CA1031
        {
            ProbeLog.Broken(_logger, e, upstream.Name, upstream.Profile.Name);
            state.DueAt = Time.GetUtcNow() + LongestRetry;
        }
    }

    private async Task ProbeAsync(ConfiguredUpstream upstream, State state, CancellationToken cancellationToken)
    {
        if (!_clusters.TryGetCluster(upstream.Name, out var cluster) || cluster.DestinationsState.AvailableDestinations.FirstOrDefault(upstream.Has) is not { } destination)
        {
            Interrupt(upstream, state, "no destination is known");
            return;
        }

        var client = new ProbeClient(upstream, cluster, destination, _options.Timeout, Time);
        var (kind, reason) = await KindProbe.AskAsync(client, cancellationToken);
        if (kind is null)
        {
            Interrupt(upstream, state, reason);
            return;
        }

        var models = ModelsOf(upstream);
        if (kind != state.Kind || state.Probe is null || !models.SequenceEqual(state.Models, StringComparer.Ordinal))
        {
            state.Kind = kind;
            state.Models = models;
            state.Probe = new CapabilityProbe(ProfileTable.Compose(kind.Profile, [], upstream.Overrides), upstream.Overrides, models);
            state.IsTold = false;
        }

        var isDone = await state.Probe.RunAsync(client, cancellationToken);
        var report = state.Probe.Report(kind, Time.GetUtcNow());
        // An earlier outcome stays in force until this one is whole; without one the kind's row is better than the generic one.
        if (!state.IsTold && (isDone || upstream.Probe.Status != ProbeStatus.Complete))
        {
            _routes.Apply(upstream, ProfileTable.Compose(kind.Profile, report.Learned, upstream.Overrides));
            upstream.Probe = report;
        }

        if (!isDone)
        {
            Interrupt(upstream, state, report.Reason ?? "");
            return;
        }

        state.Retry = FirstRetry;
        state.LastReason = null;
        state.DueAt = Time.GetUtcNow() + _options.Interval;
        if (!state.IsTold)
        {
            state.IsTold = true;
            var differences = report.Learned.Count == 0 ? "nothing" : string.Join(", ", report.Learned.Select(l => $"{l.Key}={l.Value}"));
            ProbeLog.Probed(_logger, upstream.Name, kind.Profile, kind.Version ?? "unknown", differences, report.Calls);
        }
    }

    private void Interrupt(ConfiguredUpstream upstream, State state, string reason)
    {
        if (upstream.Probe.Status != ProbeStatus.Complete)
        {
            upstream.Probe = upstream.Probe with { Reason = reason, At = Time.GetUtcNow() };
        }

        // Told when it was so twice: a server that starts is away for a moment.
        if (state.LastReason != reason && state.Retry > FirstRetry)
        {
            state.LastReason = reason;
            ProbeLog.Interrupted(_logger, upstream.Name, reason, upstream.Profile.Name);
        }

        state.DueAt = Time.GetUtcNow() + state.Retry;
        state.Retry = state.Retry * 2 < LongestRetry ? state.Retry * 2 : LongestRetry;
    }

    /// <summary>The models by the upstream's own names: those configured, in their order, then those of its list that are served.</summary>
    private static List<string> ModelsOf(ConfiguredUpstream upstream)
    {
        var named = upstream.Models.Where(m => m.UpstreamName is not null || !m.IsGlob).Select(m => m.UpstreamName ?? m.Name);
        var listed = (upstream.Discovered ?? []).Select(m => m.Id)
            .Where(id => upstream.Models.Count == 0 || upstream.Models.Any(m => m is { IsGlob: true, UpstreamName: null } && m.Matches(id)));
        return [.. named.Concat(listed).Distinct(StringComparer.Ordinal)];
    }

    /// <summary>Where the probe of one upstream stands.</summary>
    private sealed class State
    {
        public ServerKind? Kind { get; set; }

        public IReadOnlyList<string> Models { get; set; } = [];

        public CapabilityProbe? Probe { get; set; }

        /// <summary>The outcome of <see cref="Probe"/> is in force and in the log.</summary>
        public bool IsTold { get; set; }

        public string? LastReason { get; set; }

        public TimeSpan Retry { get; set; } = FirstRetry;

        public DateTimeOffset DueAt { get; set; }
    }
}
