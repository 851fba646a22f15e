using System.Collections.Concurrent;
using System.IO.Hashing;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>
/// Picks the destination of a call among those of all upstreams that serve its model, for translated and passed-through calls alike, and
/// remembers how it went. A key prefers its own destination while that is not far above the mean; without one the least busy is taken.
/// </summary>
internal sealed class DestinationPicker(
    UpstreamRegistry registry, IOptions<RoutingOptions> options, UpstreamMetrics metrics, TimeProvider time, ILogger<DestinationPicker> logger)
    : IClusterChangeListener
{
    /// <summary>The longest time that a destination is spared for because it asked for it.</summary>
    public static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(60);

    /// <summary>How long a destination is spared for that has reached its limit and does not say for how long.</summary>
    public static readonly TimeSpan UsualRest = TimeSpan.FromSeconds(1);

    /// <summary>Failures in a row that take a destination out; a refused connection counts as all of them.</summary>
    private const int FailuresToTakeOut = 3;

    /// <summary>How far above the mean a destination may be for the sake of its keys.</summary>
    private const double LoadFactor = 1.25;

    /// <summary>So few calls are no load, whatever the mean.</summary>
    private const int LightLoad = 8;

    /// <summary>The share that a destination starts with.</summary>
    private const double FirstShare = 0.1;

    /// <summary>Multiples of it, without their whole part, are spread more evenly over 0 to 1 than chance would.</summary>
    private const double GoldenRatio = 0.6180339887498949;

    private readonly ConditionalWeakTable<DestinationState, DestinationStats> _stats = [];
    private readonly RoutingOptions _options = options.Value;

    // Told by YARP: its own table of clusters is made of what listens to it.
    private readonly ConcurrentDictionary<string, ClusterState> _clusters = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>As each cluster was last configured: an upstream leaves the configuration before its cluster goes.</summary>
    private readonly ConcurrentDictionary<string, ConfiguredUpstream> _lastConfigured = new(StringComparer.OrdinalIgnoreCase);
    private int _version;
    private int _rotation;
    private bool _started;

    /// <summary>Raised when a call gave its place back.</summary>
    public event Action? Freed;

    /// <summary>Destinations that appear from now on are new ones, and start slowly.</summary>
    public void Start() => _started = true;

    public DestinationStats Stats(string upstream, DestinationState destination)
    {
        if (_stats.TryGetValue(destination, out var known))
        {
            return known;
        }

        var made = new DestinationStats(upstream, destination) { RampFrom = _started ? time.GetTimestamp() : 0 };
        return _stats.GetValue(destination, _ => made);
    }

    /// <summary>
    /// Takes a place for the next attempt: in the first tier that has one, and at a destination that is left alone only when no other is left in
    /// any tier. Give it back with <see cref="Leave"/>.
    /// </summary>
    /// <param name="call">The call.</param>
    /// <param name="again">A destination that failed the call is better than none.</param>
    public Place TryPick(UpstreamCall call, bool again) => Pick(call, again, enters: true);

    /// <summary>Where the call would go if no destination were full. No place is taken, so there is none to give back.</summary>
    public Place Choose(UpstreamCall call) => Pick(call, again: false, enters: false);

    private Place Pick(UpstreamCall call, bool again, bool enters)
    {
        var candidates = Resolve(call.Routes).All;
        var search = new Search(
            call, call.AffinityKey is { } key ? XxHash3.HashToUInt64(MemoryMarshal.AsBytes(key.AsSpan())) : null, enters, time.GetTimestamp());
        var place = PickInAnyTier(candidates, ref search);
        if (!place.IsTaken && search.SawAvoided)
        {
            search.TakesAvoided = true;
            place = PickInAnyTier(candidates, ref search);
        }

        if (!place.IsTaken && again && search.SawTried)
        {
            (search.TakesTried, search.TakesAvoided) = (true, true);
            place = PickInAnyTier(candidates, ref search);
        }

        return place.IsTaken ? place
            : new Place(search.SawFull ? NoPlace.Full : search.SawTried ? NoPlace.AllTried : NoPlace.Unavailable);
    }

    /// <summary>True when a destination is left that this call has not failed at; with <paramref name="mayWait"/> a full one counts too.</summary>
    public bool HasUntried(UpstreamCall call, bool mayWait)
    {
        var now = time.GetTimestamp();
        foreach (var candidate in Resolve(call.Routes).All)
        {
            if (call.IsExcluded(candidate.Route))
            {
                continue;
            }

            foreach (var stats in candidate.Available(this))
            {
                if (!call.HasTried(stats) && (mayWait || (!stats.IsAvoided(now) && !IsFull(candidate, stats))))
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Counts a call at its first attempt; says of a further one whether it is within the budget.</summary>
    public bool MayAttempt(UpstreamCall call)
    {
        if (Resolve(call.Routes).All is not [var first, ..])
        {
            return true;
        }

        if (call.Attempts == 0)
        {
            first.Upstream.Retries.CountRequest(time);
            return true;
        }

        var within = first.Upstream.Retries.TryTake(_options.RetryBudget, time);
        metrics.Retried(first.Upstream.Name, within);
        return within;
    }

    /// <summary>One more attempt of the call would be within the budget now.</summary>
    public bool HasBudget(UpstreamCall call) =>
        Resolve(call.Routes).All is not [var first, ..] || first.Upstream.Retries.HasRoom(_options.RetryBudget, time);

    /// <summary>The configured upstreams behind the routes, the preferred one first.</summary>
    public Candidate[] CandidatesOf(ModelRoutes routes) => Resolve(routes).All;

    public void Leave(in Place place)
    {
        place.Stats!.Leave();
        metrics.Ended(place.Stats);
        Freed?.Invoke();
    }

    /// <summary>Counts a refused connection, a 5xx or a stall against the destination, and leaves it alone for a while when that is enough.</summary>
    public void ReportFailure(DestinationStats destination, UpstreamFailure failure)
    {
        if (destination.AddFailures(failure == UpstreamFailure.Connect ? FailuresToTakeOut : 1) < FailuresToTakeOut)
        {
            return;
        }

        if (destination.TakeOut(time, failure == UpstreamFailure.Connect) is var period && period > TimeSpan.Zero)
        {
            UpstreamLog.DestinationTakenOut(logger, destination.Upstream, failure, period.TotalSeconds);
            metrics.TakenOut(destination, Outcome.Of(failure));
        }
    }

    /// <summary>Spares a destination that answered 429.</summary>
    /// <param name="destination">The destination.</param>
    /// <param name="retryAfter">The time after which it wants to be asked again; null when it does not say: then <see cref="UsualRest"/>.</param>
    public void ReportThrottled(DestinationStats destination, TimeSpan? retryAfter)
    {
        var wait = retryAfter ?? UsualRest;
        destination.Rest(time, wait < LongestRest ? wait : LongestRest);
    }

    /// <summary>A destination answered a probe.</summary>
    /// <param name="destination">The destination.</param>
    /// <param name="wasOut">It did not answer the probes before.</param>
    public void ReportProbeAnswered(DestinationStats destination, bool wasOut)
    {
        if (wasOut)
        {
            destination.RampFrom = time.GetTimestamp();
        }

        if (destination.TakeBack(time))
        {
            Freed?.Invoke();
        }
    }

    public void OnClusterAdded(ClusterState cluster) => OnClusterChanged(cluster);

    public void OnClusterChanged(ClusterState cluster)
    {
        _clusters[cluster.ClusterId] = cluster;
        Interlocked.Increment(ref _version);
        if (registry.Find(cluster.ClusterId) is { } upstream)
        {
            _lastConfigured[cluster.ClusterId] = upstream;
            // Now, so that the start of each new destination is known.
            foreach (var destination in cluster.DestinationsState.AllDestinations)
            {
                Stats(upstream.Name, destination);
            }
        }
    }

    public void OnClusterRemoved(ClusterState cluster)
    {
        if (_clusters.TryRemove(KeyValuePair.Create(cluster.ClusterId, cluster)))
        {
            _lastConfigured.TryRemove(cluster.ClusterId, out _);
        }

        Interlocked.Increment(ref _version);
    }

    private Candidates Resolve(ModelRoutes routes)
    {
        var upstreams = registry.All;
        var version = Volatile.Read(ref _version);
        if (routes.Candidates is { } known && known.Version == version && ReferenceEquals(known.Upstreams, upstreams))
        {
            return known;
        }

        var all = new List<Candidate>(routes.All.Count);
        foreach (var route in routes.All)
        {
            if ((registry.Find(route.Upstream) ?? _lastConfigured.GetValueOrDefault(route.Upstream)) is { } upstream
                && _clusters.TryGetValue(upstream.Name, out var cluster))
            {
                all.Add(new Candidate(route, upstream, cluster));
            }
        }

        // Calls that were on their way when the cluster went still have it: it is gone for new ones.
        var made = new Candidates(upstreams, version, all.Count == 0 && routes.Candidates is { } before ? before.All : [.. all]);
        routes.Candidates = made;
        return made;
    }

    private Place PickInAnyTier(Candidate[] candidates, ref Search search)
    {
        for (var start = 0; start < candidates.Length;)
        {
            var end = start + 1;
            while (end < candidates.Length && candidates[end].Route.Priority == candidates[start].Route.Priority)
            {
                end++;
            }

            // Another call may take the last place between the look and the step.
            while (PickInTier(candidates.AsSpan(start, end - start), ref search) is { Stats: not null } place)
            {
                if (!search.Enters)
                {
                    return place;
                }

                if (place.Stats.TryEnter(place.Candidate!.Upstream.MaxConcurrentRequests))
                {
                    metrics.Started(place.Stats);
                    return place;
                }
            }

            start = end;
        }

        return default;
    }

    private Place PickInTier(ReadOnlySpan<Candidate> tier, ref Search search)
    {
        var most = search.Key is null ? 0 : MostFor(tier, ref search);
        Place own = default, least = default;
        double ownScore = 0, leastLoad = 0, ties = 0;
        foreach (var candidate in tier)
        {
            if (search.Call.IsExcluded(candidate.Route))
            {
                continue;
            }

            foreach (var stats in candidate.Available(this))
            {
                if (!search.Takes(candidate, stats))
                {
                    continue;
                }

                var share = ShareOf(candidate, stats, search.Now);
                var running = stats.InFlight;
                if (search.Key is { } key && (running < LightLoad || running + 1 <= Math.Ceiling(most * share)))
                {
                    // Weighted rendezvous: each key has its order of destinations, and the first that has room is the key's own.
                    var score = -share / Math.Log(stats.Spot(key));
                    if (score > ownScore)
                    {
                        (own, ownScore) = (new Place(candidate, stats, NoPlace.None), score);
                    }
                }

                var load = running / share;
                if (least.Stats is null || load < leastLoad)
                {
                    (least, leastLoad, ties) = (new Place(candidate, stats, NoPlace.None), load, share);
                }
                else if (load == leastLoad)
                {
                    ties += share;
                }
            }
        }

        return own.IsTaken ? own : ties > 0 ? TakeTurns(tier, ref search, leastLoad, ties, least) : default;
    }

    /// <summary>Of several that are equally busy each gets its share of the calls, so that idle servers share the load too.</summary>
    private Place TakeTurns(ReadOnlySpan<Candidate> tier, ref Search search, double load, double ties, Place least)
    {
        var turn = (uint)Interlocked.Increment(ref _rotation) * GoldenRatio;
        var left = (turn - Math.Floor(turn)) * ties;
        foreach (var candidate in tier)
        {
            if (search.Call.IsExcluded(candidate.Route))
            {
                continue;
            }

            foreach (var stats in candidate.Available(this))
            {
                var share = ShareOf(candidate, stats, search.Now);
                if (search.Takes(candidate, stats) && stats.InFlight / share == load && (left -= share) < 0)
                {
                    return new Place(candidate, stats, NoPlace.None);
                }
            }
        }

        // Loads have changed meanwhile.
        return least;
    }

    /// <summary>The most calls for each unit of weight: somewhat above the mean, with this call, of those destinations that it may go to.</summary>
    private double MostFor(ReadOnlySpan<Candidate> tier, ref Search search)
    {
        var inFlight = 0;
        double weight = 0;
        foreach (var candidate in tier)
        {
            if (!search.Call.IsExcluded(candidate.Route))
            {
                foreach (var stats in candidate.Available(this))
                {
                    if (search.Takes(candidate, stats))
                    {
                        inFlight += stats.InFlight;
                        weight += ShareOf(candidate, stats, search.Now);
                    }
                }
            }
        }

        return LoadFactor * (inFlight + 1) / weight;
    }

    /// <summary>The destination's weight, less while it is starting.</summary>
    private double ShareOf(Candidate candidate, DestinationStats stats, long now)
    {
        double weight = candidate.Upstream.Weight;
        var from = stats.RampFrom;
        if (from == 0)
        {
            return weight;
        }

        var done = _options.SlowStart > TimeSpan.Zero ? time.GetElapsedTime(from, now) / _options.SlowStart : 1;
        if (done >= 1 && from <= now)
        {
            stats.RampFrom = 0;
            return weight;
        }

        return weight * Math.Clamp(done, FirstShare, 1);
    }

    private static bool IsFull(Candidate candidate, DestinationStats stats) =>
        candidate.Upstream.MaxConcurrentRequests is { } most && stats.InFlight >= most;

    /// <summary>One search for a place, and what it saw.</summary>
    private struct Search(UpstreamCall call, ulong? key, bool enters, long now)
    {
        public readonly UpstreamCall Call => call;

        public readonly ulong? Key => key;

        /// <summary>It takes a place: a full destination is none.</summary>
        public readonly bool Enters => enters;

        public readonly long Now => now;

        public bool TakesAvoided { get; set; }

        public bool TakesTried { get; set; }

        public bool SawAvoided { get; private set; }

        public bool SawTried { get; private set; }

        public bool SawFull { get; private set; }

        public bool Takes(Candidate candidate, DestinationStats stats)
        {
            if (call.HasTried(stats) && !TakesTried)
            {
                SawTried = true;
                return false;
            }

            if (enters && IsFull(candidate, stats))
            {
                SawFull = true;
                return false;
            }

            if (stats.IsAvoided(now) && !TakesAvoided)
            {
                SawAvoided = true;
                return false;
            }

            return true;
        }
    }
}
