using Gateway.Runs;
using Gateway.Store;

namespace Gateway.Tests.Runs;

public sealed class FairTurnsTests
{
    private readonly FairTurns _turns = new();

    [Fact]
    public void Order_TakesTurns_WithinATenantTheLongestWaitingFirst()
    {
        var (a, b, c) = (RunsOf("a", 3), RunsOf("b", 1), RunsOf("c", 2));

        Assert.Equal([a[0], b[0], c[0], a[1], c[1], a[2]], _turns.Order([.. a, .. b, .. c]));
    }

    [Fact]
    public void Order_TenantThatHadNoTurnLongest_GoesFirst()
    {
        var (a, b, c) = (RunsOf("a", 2), RunsOf("b", 2), RunsOf("c", 1));
        _turns.Taken("b");
        _turns.Taken("a");

        Assert.Equal([c[0], b[0], a[0], b[1], a[1]], _turns.Order([.. a, .. b, .. c]));
        _turns.Taken("c");
        _turns.Taken("b");
        Assert.Equal([a[0], c[0], b[0], a[1], b[1]], _turns.Order([.. a, .. b, .. c]));
    }

    [Fact]
    public void Order_RunThatCouldNotBeReached_ComesBehindAllOthers_TheLatestLast()
    {
        var (a, b) = (RunsOf("a", 2), RunsOf("b", 1));
        _turns.Failed(a[0]);
        _turns.Failed(b[0]);

        Assert.Equal([a[1], a[0], b[0]], _turns.Order([.. a, .. b]));
        _turns.Failed(a[0]);
        Assert.Equal([a[1], b[0], a[0]], _turns.Order([.. a, .. b]));

        // One that was not free meanwhile begins anew.
        Assert.Equal([a[0]], _turns.Order([a[0]]));
        Assert.Equal([b[0], a[1], a[0]], _turns.Order([.. b, .. a]));
    }

    private static RunKey[] RunsOf(string tenant, int count) => [.. Enumerable.Range(0, count).Select(_ => new RunKey(tenant, ResponseId.NewChain()))];
}
