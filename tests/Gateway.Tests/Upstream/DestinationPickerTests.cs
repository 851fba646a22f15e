using System.Diagnostics.Metrics;
using Gateway.Protocol.Translation;
using Gateway.Upstream;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Yarp.ReverseProxy.Model;

namespace Gateway.Tests.Upstream;

public sealed class DestinationPickerTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private TimeProvider? _clock;
    private readonly RoutingOptions _options = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly Dictionary<string, ClusterState> _clusters = [];
    private UpstreamRegistry _registry = null!;
    private DestinationPicker _picker = null!;
    private ModelRoutes _routes = null!;

    public void Dispose()
    {
        _registry.Dispose();
        _services.Dispose();
    }

    [Fact]
    public void Pick_LeastInFlightWins()
    {
        Serve(3);
        Load("d0", 2);
        Load("d1", 1);
        Load("d2", 2);

        for (var i = 0; i < 5; i++)
        {
            Assert.Equal("d1", Peek());
        }
    }

    [Fact]
    public void Pick_IdleDestinations_TakeTurns()
    {
        Serve(3);

        var picked = Enumerable.Range(0, 300).Select(_ => Peek()!).CountBy(id => id);

        Assert.Equal(3, picked.Count());
        Assert.All(picked, p => Assert.InRange(p.Value, 98, 102));
    }

    [Fact]
    public void Pick_Weights_AreTheSharesOfIdleDestinationsAndOfBusyOnes()
    {
        Serve(("heavy", 1, 0, 3), ("light", 1, 0, 1));

        var idle = Enumerable.Range(0, 400).Select(_ => Peek()!).CountBy(id => id).ToDictionary();
        var busy = Enumerable.Range(0, 400).Select(_ => Take().Stats!.Id).CountBy(id => id).ToDictionary();

        Assert.InRange(idle["heavy-d0"], 297, 303);
        Assert.InRange(busy["heavy-d0"], 297, 303);
    }

    [Fact]
    public void Pick_WeightedKeys_AreSharedByWeight()
    {
        Serve(("heavy", 1, 0, 3), ("light", 1, 0, 1));

        var picked = Enumerable.Range(0, 2000).Select(i => Peek($"chain-{i}")!).CountBy(id => id).ToDictionary();

        Assert.InRange(picked["heavy-d0"], 1420, 1580);
    }

    [Fact]
    public void Pick_Priority_OverflowsOnlyWhenTheFirstTierHasNoPlace()
    {
        Serve(("first", 2, 1, 1), ("second", 1, 2, 1), ("zero", 0, 0, 1));
        var destinations = _clusters["first"].DestinationsState.AllDestinations;
        var call = Call();

        Assert.All(Enumerable.Range(0, 50), _ => Assert.StartsWith("first", Take().Stats!.Id, StringComparison.Ordinal));
        call.FailedAt(_picker.Stats("first", destinations[0]), UpstreamFailure.Connect);
        Assert.Equal("first-d1", Take(call).Stats!.Id);
        call.FailedAt(_picker.Stats("first", destinations[1]), UpstreamFailure.Connect);
        Assert.Equal("second-d0", Take(call).Stats!.Id);

        _clusters["first"].DestinationsState = new ClusterDestinationsState(destinations, []);
        Assert.Equal("second-d0", Peek("key"));
    }

    [Fact]
    public void Pick_Key_StaysWithItsDestinationAndMovesOnlyFromTheOneThatIsGone()
    {
        Serve(4);
        var cluster = _clusters["main"];
        var all = cluster.DestinationsState.AllDestinations;
        var keys = Enumerable.Range(0, 200).Select(i => $"chain-{i}").ToList();

        var before = keys.ToDictionary(k => k, k => Peek(k)!);
        cluster.DestinationsState = new ClusterDestinationsState(all, [.. all.Skip(1)]);
        var after = keys.ToDictionary(k => k, k => Peek(k)!);
        cluster.DestinationsState = new ClusterDestinationsState(all, [.. all.Reverse()]);
        var again = keys.ToDictionary(k => k, k => Peek(k)!);

        Assert.All(before.Values.CountBy(id => id), g => Assert.InRange(g.Value, 30, 70));
        Assert.All(keys.Where(k => before[k] != "d0"), k => Assert.Equal(before[k], after[k]));
        Assert.Equal(before, again);
    }

    [Fact]
    public void Pick_Key_HasTheSameDestinationOnEveryReplica()
    {
        Serve(8);
        var here = Enumerable.Range(0, 50).Select(i => Peek($"chain-{i}")).ToList();

        // Another process, which got the addresses in another order.
        var all = Enumerable.Range(0, 8).Reverse().Select(i => new DestinationState($"d{i}")).ToArray();
        _clusters["main"].DestinationsState = new ClusterDestinationsState(all, all);

        Assert.Equal(here, Enumerable.Range(0, 50).Select(i => Peek($"chain-{i}")));
    }

    [Fact]
    public void Pick_OneKeyFarAboveTheMean_SpillsToTheNextInItsOrder()
    {
        Serve(4);

        var picked = Enumerable.Range(0, 400).Select(_ => Take(key: "hot").Stats!.Id).ToList();

        // The first eight stay where they belong whatever the mean is.
        var own = picked[0];
        Assert.All(picked.Take(8), id => Assert.Equal(own, id));
        var second = picked.First(id => id != own);
        Assert.All(picked.Take(16), id => Assert.Contains(id, new[] { own, second }));
        var loads = picked.CountBy(id => id).ToDictionary();
        Assert.All(loads.Values, load => Assert.InRange(load, 1, (int)Math.Ceiling(1.25 * 400 / 4)));
        // Stable: the load is not spread but piled up in the key's order.
        Assert.Equal(125, loads[own]);
        Assert.Equal(125, loads[second]);
    }

    [Fact]
    public void Pick_OthersAreSpared_KeyStaysBelowTheMeanOfThoseThatAreLeft()
    {
        Serve(4);
        _picker.ReportThrottled(Stats("d2"), TimeSpan.FromSeconds(30));
        _picker.ReportThrottled(Stats("d3"), TimeSpan.FromSeconds(30));
        var key = Enumerable.Range(0, 100).Select(i => $"chain-{i}").First(k => Peek(k) == "d0");
        Load("d0", 21);
        Load("d1", 20);

        Assert.Equal("d0", Peek(key));
    }

    [Fact]
    public void Pick_KeyOfAFullDestination_GoesToTheNextInItsOrderEachTime()
    {
        Serve(new Dictionary<string, string?> { ["MaxConcurrentRequests"] = "2" }, ("main", 4, 0, 1));

        var picked = Enumerable.Range(0, 8).Select(_ => Take(key: "k").Stats!.Id).ToList();
        var full = _picker.TryPick(Call(key: "k"), again: false);

        Assert.Equal(4, picked.Distinct().Count());
        Assert.All(Enumerable.Range(0, 4), i => Assert.Equal(picked[2 * i], picked[(2 * i) + 1]));
        Assert.Equal(NoPlace.Full, full.Missing);
    }

    [Fact]
    public void Pick_Tried_IsLeftOutUnlessAskedFor()
    {
        Serve(2);
        var call = Call();
        call.FailedAt(Stats("d0"), UpstreamFailure.Connect);

        Assert.Equal("d1", Take(call).Stats!.Id);
        call.FailedAt(Stats("d1"), UpstreamFailure.Connect);

        Assert.Equal(NoPlace.AllTried, _picker.TryPick(call, again: false).Missing);
        Assert.True(_picker.TryPick(call, again: true).IsTaken);
    }

    [Fact]
    public void Pick_NothingAnswersProbes_IsUnavailable()
    {
        Serve(0);

        Assert.Equal(NoPlace.Unavailable, _picker.TryPick(Call(), again: true).Missing);
    }

    [Fact]
    public void Report_ThreeServerErrorsInARow_LeaveItAlone()
    {
        Serve(2);
        var sick = Stats("d0");

        _picker.ReportFailure(sick, UpstreamFailure.Refused);
        _picker.ReportFailure(sick, UpstreamFailure.IdleTimeout);
        sick.ClearFailures();
        _picker.ReportFailure(sick, UpstreamFailure.Refused);
        _picker.ReportFailure(sick, UpstreamFailure.Refused);
        Assert.Equal(0, sick.Ejections);
        _picker.ReportFailure(sick, UpstreamFailure.Refused);

        Assert.Equal(1, sick.Ejections);
        Assert.All(Enumerable.Range(0, 20), _ => Assert.Equal("d1", Peek()));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Contains("d0", Enumerable.Range(0, 60).Select(_ => Peek()));
    }

    [Fact]
    public void Report_RefusedConnection_LeavesItAloneAtOnceButAsksTheLastOneAllTheSame()
    {
        Serve(("first", 1, 0, 1), ("second", 1, 1, 1));
        var first = _picker.Stats("first", _clusters["first"].DestinationsState.AllDestinations[0]);
        var second = _picker.Stats("second", _clusters["second"].DestinationsState.AllDestinations[0]);

        _picker.ReportFailure(first, UpstreamFailure.Connect);
        Assert.Equal("second-d0", Peek());
        _picker.ReportFailure(second, UpstreamFailure.Connect);

        Assert.Equal("first-d0", Peek());
    }

    [Fact]
    public void Report_FailsAgainSoonAfterComingBack_StaysOutTwiceAsLongUpToFiveMinutes()
    {
        Serve(2);
        var sick = Stats("d0");
        var seconds = new List<double>();

        for (var i = 0; i < 7; i++)
        {
            _picker.ReportFailure(sick, UpstreamFailure.Connect);
            _picker.ReportFailure(sick, UpstreamFailure.Connect);
            var before = _time.GetTimestamp();
            seconds.Add(_time.GetElapsedTime(before, sick.OutUntil).TotalSeconds);
            _time.Advance(TimeSpan.FromSeconds(seconds[^1] + 5));
        }

        Assert.Equal([10, 20, 40, 80, 160, 300, 300], seconds);
        _time.Advance(TimeSpan.FromMinutes(6));
        _picker.ReportFailure(sick, UpstreamFailure.Connect);
        Assert.Equal(10, _time.GetElapsedTime(_time.GetTimestamp(), sick.OutUntil).TotalSeconds);
        Assert.Equal(8, sick.Ejections);
    }

    [Fact]
    public void Report_ProbeAnswered_EndsARefusedConnectionButNotServerErrors()
    {
        Serve(3);
        _picker.ReportFailure(Stats("d0"), UpstreamFailure.Connect);
        for (var i = 0; i < 3; i++)
        {
            _picker.ReportFailure(Stats("d1"), UpstreamFailure.Refused);
        }

        _picker.ReportProbeAnswered(Stats("d0"), wasOut: false);
        _picker.ReportProbeAnswered(Stats("d1"), wasOut: false);

        Assert.False(Stats("d0").IsAvoided(_time.GetTimestamp()));
        Assert.True(Stats("d1").IsAvoided(_time.GetTimestamp()));
    }

    [Theory]
    [InlineData(7, 7)]
    [InlineData(600, 60)]
    public void Report_Throttled_IsSparedForAsLongAsItAsksAtMostAMinute(int asked, int spared)
    {
        Serve(2);
        _picker.ReportThrottled(Stats("d0"), TimeSpan.FromSeconds(asked));

        _time.Advance(TimeSpan.FromSeconds(spared - 1));
        Assert.All(Enumerable.Range(0, 20), _ => Assert.Equal("d1", Peek()));
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Contains("d0", Enumerable.Range(0, 20).Select(_ => Peek()));
    }

    [Fact]
    public void Report_ThrottledAgainForLess_IsSparedForTheLongerTime()
    {
        Serve(2);
        _picker.ReportThrottled(Stats("d0"), TimeSpan.FromSeconds(7));
        _picker.ReportThrottled(Stats("d0"), retryAfter: null);

        _time.Advance(TimeSpan.FromSeconds(6));

        Assert.True(Stats("d0").IsAvoided(_time.GetTimestamp()));
    }

    [Fact]
    public void Pick_NewDestination_StartsWithATenthAndGrowsToItsShare()
    {
        Serve(1);
        _picker.Start();
        var cluster = _clusters["main"];
        DestinationState[] more = [.. cluster.DestinationsState.AllDestinations, new DestinationState("new")];
        cluster.DestinationsState = new ClusterDestinationsState(more, more);
        _picker.OnClusterChanged(cluster);

        Assert.InRange(ShareOfNew(), 85, 97);
        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.InRange(ShareOfNew(), 330, 337);
        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.InRange(ShareOfNew(), 498, 502);

        int ShareOfNew() => Enumerable.Range(0, 1000).Count(_ => Peek() == "new");
    }

    [Fact]
    public void Pick_DestinationThatComesBack_StartsSlowlyToo()
    {
        Serve(2);
        _picker.ReportFailure(Stats("d0"), UpstreamFailure.Connect);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.InRange(Enumerable.Range(0, 1000).Count(_ => Peek() == "d0"), 85, 97);

        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.InRange(Enumerable.Range(0, 1000).Count(_ => Peek() == "d0"), 498, 502);
        _picker.ReportProbeAnswered(Stats("d1"), wasOut: true);
        Assert.InRange(Enumerable.Range(0, 1000).Count(_ => Peek() == "d1"), 85, 97);
    }

    [Fact]
    public void Pick_WithoutSlowStart_HasItsShareAtOnce()
    {
        _options.SlowStart = TimeSpan.Zero;
        Serve(2);
        _picker.ReportProbeAnswered(Stats("d1"), wasOut: true);

        Assert.InRange(Enumerable.Range(0, 1000).Count(_ => Peek() == "d1"), 498, 502);
    }

    [Fact]
    public void Budget_RetriesAreAPartOfTheRequestsAndAFloor()
    {
        _options.RetryBudget = new RetryBudgetOptions { Ratio = 0.2, PerSecond = 1 };
        Serve(2);
        for (var i = 0; i < 50; i++)
        {
            Assert.True(_picker.MayAttempt(Call()));
        }

        var retry = Call();
        retry.BeginAttempt();
        Assert.Equal(20, Enumerable.Range(0, 100).Count(_ => _picker.MayAttempt(retry)));
        Assert.False(_picker.HasBudget(retry));

        // The requests are forgotten with the retries: the floor remains.
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(10, Enumerable.Range(0, 100).Count(_ => _picker.MayAttempt(retry)));
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(_picker.MayAttempt(retry));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(_picker.MayAttempt(retry));
    }

    [Fact]
    public void Pick_AllocatesNothing()
    {
        _clock = TimeProvider.System;
        Serve(64);
        var call = Call(key: "key");
        _picker.Leave(_picker.TryPick(call, again: false));

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            _picker.Leave(_picker.TryPick(call, again: false));
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private void Serve(int destinations) => Serve(("main", destinations, 0, 1));

    private void Serve(params (string Name, int Destinations, int Priority, int Weight)[] upstreams) => Serve([], upstreams);

    private void Serve(Dictionary<string, string?> more, params (string Name, int Destinations, int Priority, int Weight)[] upstreams)
    {
        var settings = new Dictionary<string, string?>();
        foreach (var (name, count, priority, weight) in upstreams)
        {
            settings[$"Gateway:Upstreams:{name}:Address"] = "http://127.0.0.1:1/v1";
            settings[$"Gateway:Upstreams:{name}:Weight"] = $"{weight}";
            foreach (var (key, value) in more)
            {
                settings[$"Gateway:Upstreams:{name}:{key}"] = value;
            }

            DestinationState[] all = [.. Enumerable.Range(0, count).Select(i => new DestinationState(upstreams.Length == 1 ? $"d{i}" : $"{name}-d{i}"))];
            _clusters[name] = new ClusterState(name) { DestinationsState = new ClusterDestinationsState(all, all) };
        }

        _registry = new UpstreamRegistry(new ConfigurationBuilder().AddInMemoryCollection(settings).Build(), NullLogger<UpstreamRegistry>.Instance);
        _picker = new DestinationPicker(
            _registry, Options.Create(_options), new UpstreamMetrics(_services.GetRequiredService<IMeterFactory>()), _clock ?? _time,
            NullLogger<DestinationPicker>.Instance);
        foreach (var cluster in _clusters.Values)
        {
            _picker.OnClusterAdded(cluster);
        }

        _routes = new ModelRoutes(upstreams.Select(u => new ChatRoute(u.Name, "m", RouteProfile.Generic) { Priority = u.Priority }));
    }

    private DestinationStats Stats(string id) => _picker.Stats("main", _clusters["main"].DestinationsState.AllDestinations.Single(d => d.DestinationId == id));

    private UpstreamCall Call(string? key = null) => new() { Routes = _routes, AffinityKey = key };

    private Place Take(UpstreamCall? call = null, string? key = null) => _picker.TryPick(call ?? Call(key), again: false);

    private string? Peek(string? key = null)
    {
        var place = Take(key: key);
        _picker.Leave(place);
        return place.Stats!.Id;
    }

    private void Load(string id, int calls)
    {
        for (var i = 0; i < calls; i++)
        {
            Stats(id).TryEnter(null);
        }
    }
}
