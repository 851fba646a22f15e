using Gateway.Upstream;
using Microsoft.Extensions.Logging.Abstractions;
using Yarp.ReverseProxy.Health;
using Yarp.ReverseProxy.Model;

namespace Gateway.Tests.Upstream;

public sealed class DestinationPickerTests
{
    private static readonly HashSet<string> None = [];

    private readonly HealthUpdater _health = new();
    private readonly DestinationPicker _picker;

    public DestinationPickerTests() => _picker = new DestinationPicker(_health, NullLogger<DestinationPicker>.Instance);

    [Fact]
    public void Pick_LeastInFlightWins()
    {
        var cluster = Cluster(3);
        Load(cluster, 0, 2);
        Load(cluster, 1, 1);
        Load(cluster, 2, 2);

        for (var i = 0; i < 5; i++)
        {
            Assert.Equal("d1", _picker.Pick(cluster, null, None)!.DestinationId);
        }
    }

    [Fact]
    public void Pick_IdleDestinations_TakeTurns()
    {
        var cluster = Cluster(3);

        var picked = Enumerable.Range(0, 9).Select(_ => _picker.Pick(cluster, null, None)!.DestinationId).GroupBy(id => id);

        Assert.All(picked, g => Assert.Equal(3, g.Count()));
        Assert.Equal(3, picked.Count());
    }

    [Fact]
    public void Pick_Key_StaysWithItsDestinationAndMovesOnlyFromTheOneThatIsGone()
    {
        var all = Cluster(4);
        var fewer = new ClusterState("c") { DestinationsState = new ClusterDestinationsState(all.DestinationsState.AllDestinations, [.. all.DestinationsState.AllDestinations.Skip(1)]) };
        var keys = Enumerable.Range(0, 200).Select(i => $"chain-{i}").ToList();

        var before = keys.ToDictionary(k => k, k => _picker.Pick(all, k, None)!.DestinationId);
        var after = keys.ToDictionary(k => k, k => _picker.Pick(fewer, k, None)!.DestinationId);

        Assert.All(before.Values.GroupBy(id => id), g => Assert.InRange(g.Count(), 20, 90));
        Assert.All(keys.Where(k => before[k] != "d0"), k => Assert.Equal(before[k], after[k]));
    }

    [Fact]
    public void Pick_Key_LeavesADestinationThatIsClearlyBusier()
    {
        var cluster = Cluster(2);
        var own = _picker.Pick(cluster, "key", None)!;
        var index = own.DestinationId == "d0" ? 0 : 1;

        Load(cluster, index, 4);
        Assert.Same(own, _picker.Pick(cluster, "key", None));
        Load(cluster, index, 1);

        Assert.NotSame(own, _picker.Pick(cluster, "key", None));
    }

    [Fact]
    public void Pick_Tried_IsLeftOutWhileThereIsAnother()
    {
        var cluster = Cluster(2);

        Assert.Equal("d1", _picker.Pick(cluster, null, ["d0"])!.DestinationId);
        Assert.NotNull(_picker.Pick(cluster, null, ["d0", "d1"]));
        Assert.Null(_picker.Pick(Cluster(0), null, None));
    }

    [Fact]
    public void Report_ThreeServerErrorsInARow_TakeItOut()
    {
        var cluster = Cluster(2);
        var sick = cluster.DestinationsState.AllDestinations[0];

        _picker.ReportFailure(cluster, sick, UpstreamFailure.Refused);
        _picker.ReportFailure(cluster, sick, UpstreamFailure.IdleTimeout);
        _picker.ReportSuccess(sick);
        _picker.ReportFailure(cluster, sick, UpstreamFailure.Refused);
        _picker.ReportFailure(cluster, sick, UpstreamFailure.Refused);
        Assert.Empty(_health.TakenOut);
        _picker.ReportFailure(cluster, sick, UpstreamFailure.Refused);

        Assert.Equal(["d0"], _health.TakenOut);
    }

    [Fact]
    public void Report_RefusedConnection_TakesItOutAtOnceButNeverTheLastOne()
    {
        var cluster = Cluster(2);
        _picker.ReportFailure(cluster, cluster.DestinationsState.AllDestinations[0], UpstreamFailure.Connect);
        var alone = Cluster(1);
        _picker.ReportFailure(alone, alone.DestinationsState.AllDestinations[0], UpstreamFailure.Connect);

        Assert.Equal(["d0"], _health.TakenOut);
    }

    [Fact]
    public void Pick_AllocatesNothing()
    {
        var cluster = Cluster(4);
        _picker.Pick(cluster, "key", None);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            _picker.Pick(cluster, "key", None);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private void Load(ClusterState cluster, int index, int calls)
    {
        for (var i = 0; i < calls; i++)
        {
            _picker.Stats(cluster.DestinationsState.AllDestinations[index]).Enter();
        }
    }

    private static ClusterState Cluster(int destinations)
    {
        DestinationState[] all = [.. Enumerable.Range(0, destinations).Select(i => new DestinationState($"d{i}"))];
        return new ClusterState("c") { DestinationsState = new ClusterDestinationsState(all, all) };
    }

    private sealed class HealthUpdater : IDestinationHealthUpdater
    {
        public List<string> TakenOut { get; } = [];

        public void SetActive(ClusterState cluster, IEnumerable<NewActiveDestinationHealth> newHealthStates) => throw new NotSupportedException();

        public void SetPassive(ClusterState cluster, DestinationState destination, DestinationHealth newHealth, TimeSpan reactivationPeriod)
        {
            Assert.Equal(DestinationHealth.Unhealthy, newHealth);
            Assert.Equal(DestinationPicker.ReactivationPeriod, reactivationPeriod);
            TakenOut.Add(destination.DestinationId);
        }
    }
}
