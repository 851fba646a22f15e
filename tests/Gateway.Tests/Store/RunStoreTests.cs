using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>What every store of runs means. Each store runs all of it.</summary>
public abstract class RunStoreTests
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Lease = RunStarts.Lease;

    private protected abstract Task<StoreUnderTest> OpenAsync();

    [Fact]
    public async Task Create_WithoutALease_WaitsForAnybody()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant);

        Assert.Equal(0, (await test.Runs.CreateAsync(start, None)).Token);

        var live = Assert.IsType<LiveRun>(await test.Runs.GetRunAsync(start.Run, None));
        Assert.Equal(Commits.Text(start.Spec), Commits.Text(live.Spec));
        Assert.False(live.HasBegun);
        Assert.Equal(["created", "in progress"], await EventsAsync(test, start.Run));
        Assert.Equal([start.Run], await FreeAsync(test));
    }

    [Fact]
    public async Task Create_WithALease_IsHeldByItsMaker()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");

        var token = (await test.Runs.CreateAsync(start, None)).Token;

        Assert.Equal(1, token);
        Assert.True((await test.Runs.GetRunAsync(start.Run, None))?.HasBegun);
        Assert.Empty(await FreeAsync(test));
        Assert.Null(await test.Runs.TakeAsync(start.Run, "b", Lease, None));
        Assert.True((await test.Runs.RenewAsync(start.Run, 1, Lease, None)).IsHeld);
    }

    [Fact]
    public async Task Create_WithoutEvents_HasNoEventLog()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a") with { Events = [] };

        await test.Runs.CreateAsync(start, None);
        Assert.True(await test.Runs.AppendAsync(start.Run, 1, RunStarts.Entries(0, "round") with { FirstEvent = 7 }, None));

        Assert.Null(await EventsAsync(test, start.Run));
        Assert.Equal(
            CommitOutcome.Appended, await test.Store.CommitAsync(RunStarts.Commit(test, start.Run, 1, firstEvent: 7), None));
        Assert.Null(await EventsAsync(test, start.Run));
    }

    [Theory]
    [InlineData(null, 0)]
    [InlineData("a", 1)]
    public async Task Create_SentAgain_IsDoneOnce(string? owner, long token)
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, owner);

        Assert.Equal(token, (await test.Runs.CreateAsync(start, None)).Token);
        var kept = await test.CountAsync();
        Assert.Equal(token, (await test.Runs.CreateAsync(start, None)).Token);

        Assert.Equal(kept, await test.CountAsync());
        Assert.Equal(["created", "in progress"], await EventsAsync(test, start.Run));
        Assert.Equal(owner is null ? [start.Run] : [], await FreeAsync(test));
    }

    [Fact]
    public async Task Create_SentAgainInAFullQueue_IsLetIn()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant) with { MostRuns = await test.CountRunsAsync() + 1 };

        Assert.Equal(0, (await test.Runs.CreateAsync(start, None)).Token);

        Assert.Equal(0, (await test.Runs.CreateAsync(start, None)).Token);
    }

    [Fact]
    public async Task Create_SentAgainAfterAnotherTookIt_GivesATokenThatIsRefused()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.AdvanceAsync(Lease);
        var taken = Assert.IsType<TakenRun>(await test.Runs.TakeAsync(start.Run, "b", Lease, None));

        var token = Assert.IsType<long>((await test.Runs.CreateAsync(start, None)).Token);

        Assert.False((await test.Runs.RenewAsync(start.Run, token, Lease, None)).IsHeld);
        Assert.True((await test.Runs.RenewAsync(start.Run, taken.Token, Lease, None)).IsHeld);
        Assert.Empty(await FreeAsync(test));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("a")]
    public async Task Create_SentAgainAfterTheEnd_DoesNotBeginAgain(string? owner)
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, owner);
        await test.Runs.CreateAsync(start, None);
        var token = owner is null ? Assert.IsType<TakenRun>(await test.Runs.TakeAsync(start.Run, "b", Lease, None)).Token : 1;
        await test.Store.CommitAsync(RunStarts.Commit(test, start.Run, token, 2, "completed"), None);
        var kept = await test.CountAsync();

        var again = Assert.IsType<long>((await test.Runs.CreateAsync(start, None)).Token);

        Assert.Equal(kept, await test.CountAsync());
        Assert.Null(await test.Runs.GetRunAsync(start.Run, None));
        Assert.False((await test.Runs.RenewAsync(start.Run, again, Lease, None)).IsHeld);
        Assert.Equal(["created", "in progress", "completed"], await EventsAsync(test, start.Run));
    }

    [Fact]
    public async Task Create_FullQueue_IsRefusedUntilARunEnds()
    {
        await using var test = await OpenAsync();
        var most = await test.CountRunsAsync() + 3;
        var starts = Enumerable.Range(0, 5).Select(n => RunStarts.Of(test.Tenant, n == 0 ? "a" : null) with { MostRuns = most }).ToArray();
        foreach (var start in starts.Take(3))
        {
            Assert.NotNull((await test.Runs.CreateAsync(start, None)).Token);
        }

        var kept = await test.CountAsync();
        Assert.Null((await test.Runs.CreateAsync(starts[3], None)).Token);
        Assert.Null((await test.Runs.CreateAsync(starts[4] with { Owner = "a", Lease = Lease }, None)).Token);
        Assert.Equal(kept, await test.CountAsync());
        Assert.Null(await test.Runs.GetRunAsync(starts[3].Run, None));
        Assert.Null(await EventsAsync(test, starts[3].Run));

        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(RunStarts.Commit(test, starts[0].Run, 1, 2), None));
        Assert.Equal(0, (await test.Runs.CreateAsync(starts[3], None)).Token);
        Assert.Null((await test.Runs.CreateAsync(starts[4], None)).Token);
        Assert.True(await test.Runs.DeleteRunAsync(starts[1].Run, None));
        Assert.Equal(0, (await test.Runs.CreateAsync(starts[4], None)).Token);
    }

    [Fact]
    public async Task Create_TenantHasEnough_IsRefusedWhatWouldWait()
    {
        await using var test = await OpenAsync();
        await using var other = await OpenAsync();
        var starts = Enumerable.Range(0, 4).Select(n => RunStarts.Of(test.Tenant, n == 0 ? "a" : null) with { MostOfTenant = 2 }).ToArray();
        Assert.Equal(1, (await test.Runs.CreateAsync(starts[0], None)).Token);
        Assert.Equal(0, (await test.Runs.CreateAsync(starts[1], None)).Token);

        Assert.Equal(new RunAdmission(null, RunRefusal.TenantFull), await test.Runs.CreateAsync(starts[2], None));

        // What is there, does not wait, or is another tenant's is let in.
        Assert.Equal(0, (await test.Runs.CreateAsync(starts[1], None)).Token);
        Assert.Equal(1, (await test.Runs.CreateAsync(starts[2] with { Owner = "a", Lease = Lease }, None)).Token);
        Assert.Equal(0, (await other.Runs.CreateAsync(RunStarts.Of(other.Tenant) with { MostOfTenant = 1 }, None)).Token);
        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(RunStarts.Commit(test, starts[0].Run, 1, 2), None));
        Assert.True(await test.Runs.DeleteRunAsync(starts[1].Run, None));
        Assert.Equal(0, (await test.Runs.CreateAsync(starts[3], None)).Token);
    }

    [Fact]
    public async Task FindFree_TenantWithManyRuns_DoesNotHideThoseOfTheOthers()
    {
        await using var test = await OpenAsync();
        string[] tenants = [test.Tenant, test.Tenant + ".b", test.Tenant + ".c"];
        var many = Enumerable.Range(0, 20).Select(_ => RunStarts.Of(tenants[0])).ToList();
        RunStart[] late = [RunStarts.Of(tenants[1]), RunStarts.Of(tenants[2])];
        foreach (var start in many.Concat(late))
        {
            await test.Runs.CreateAsync(start, None);
        }

        var found = await test.Runs.FindFreeAsync(6, None);

        Assert.Equal(late.Select(start => start.Run), found.Where(run => run.Tenant == tenants[1]).Concat(found.Where(run => run.Tenant == tenants[2])));
        Assert.InRange(found.Count(run => run.Tenant == tenants[0]), 1, 4);
        Assert.All(found.Where(run => run.Tenant == tenants[0]), run => Assert.Contains(run, many.Select(start => start.Run)));
        foreach (var start in late)
        {
            Assert.True(await test.Runs.DeleteRunAsync(start.Run, None));
        }
    }

    [Fact]
    public async Task Create_ManyAtOnce_FillTheQueueExactly()
    {
        await using var test = await OpenAsync();
        var most = await test.CountRunsAsync() + 5;
        var starts = Enumerable.Range(0, 20).Select(_ => RunStarts.Of(test.Tenant) with { MostRuns = most });

        var tokens = await Task.WhenAll(starts.Select(start => test.Runs.CreateAsync(start, None).AsTask()));

        Assert.Equal(5, tokens.Count(admission => admission.Token == 0));
        Assert.Equal(15, tokens.Count(admission => admission.Refusal == RunRefusal.QueueFull));
    }

    [Fact]
    public async Task Forbid_RunThatWasNotLetIn_IsNeverMade()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a") with { Memory = TimeSpan.FromHours(24) };

        Assert.True(await test.Runs.ForbidAsync(start.Run, TimeSpan.FromHours(24), None));
        Assert.True(await test.Runs.ForbidAsync(start.Run, TimeSpan.FromHours(24), None));

        Assert.Equal(new RunAdmission(null, RunRefusal.Forbidden), await test.Runs.CreateAsync(start, None));
        Assert.Null(await test.Runs.GetRunAsync(start.Run, None));
        Assert.Null(await EventsAsync(test, start.Run));
    }

    [Fact]
    public async Task Forbid_RunThatWasLetIn_ChangesNothing_WhateverBecameOfIt()
    {
        await using var test = await OpenAsync();
        var starts = Enumerable.Range(0, 3).Select(_ => RunStarts.Of(test.Tenant, "a") with { Memory = TimeSpan.FromHours(24) }).ToArray();
        foreach (var start in starts)
        {
            Assert.Equal(1, (await test.Runs.CreateAsync(start, None)).Token);
        }

        await test.Store.CommitAsync(RunStarts.Commit(test, starts[1].Run, 1, 2, "completed"), None);
        await test.Runs.DeleteRunAsync(starts[2].Run, None);

        foreach (var start in starts)
        {
            Assert.False(await test.Runs.ForbidAsync(start.Run, TimeSpan.FromHours(24), None));
        }

        Assert.Equal(1, (await test.Runs.CreateAsync(starts[0], None)).Token);
        Assert.True((await test.Runs.RenewAsync(starts[0].Run, 1, Lease, None)).IsHeld);
        await test.Store.DeleteAsync(test.Tenant, starts[1].Run.Id, None);
        Assert.False(await test.Runs.ForbidAsync(starts[1].Run, TimeSpan.FromHours(24), None));
    }

    [Fact]
    public async Task Drop_OfNothingMade_LetsTheSameRequestBeMadeAgain()
    {
        await using var test = await OpenAsync();
        var starts = Enumerable.Range(0, 3).Select(n => RunStarts.Of(test.Tenant, n == 1 ? null : "a") with { Memory = TimeSpan.FromHours(24) }).ToArray();
        foreach (var start in starts)
        {
            await test.Runs.CreateAsync(start, None);
        }

        Assert.True(await test.Runs.DropRunAsync(starts[0].Run, 1, isUnmade: true, None));
        Assert.True(await test.Runs.DropRunAsync(starts[1].Run, 0, isUnmade: true, None));
        Assert.True(await test.Runs.DropRunAsync(starts[2].Run, 1, isUnmade: false, None));

        Assert.False(await test.Runs.DropRunAsync(starts[0].Run, 1, isUnmade: true, None));
        Assert.Equal([true, true, false], await AllAsync(start => test.Runs.ForbidAsync(start.Run, TimeSpan.FromHours(24), None)));
        Assert.Equal(new RunAdmission(null, RunRefusal.Forbidden), await test.Runs.CreateAsync(starts[0], None));
        Assert.Empty(await FreeAsync(test));

        async Task<List<bool>> AllAsync(Func<RunStart, ValueTask<bool>> ask)
        {
            List<bool> answers = [];
            foreach (var start in starts)
            {
                answers.Add(await ask(start));
            }

            return answers;
        }
    }

    [Fact]
    public async Task Drop_WithoutAMemory_LeavesNone()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);

        Assert.True(await test.Runs.DropRunAsync(start.Run, 1, isUnmade: true, None));

        Assert.Null(await test.Runs.GetRunAsync(start.Run, None));
        Assert.Null(await EventsAsync(test, start.Run));
        Assert.Equal(0, await test.CountAsync());
    }

    [Fact]
    public async Task Drop_IsAnothers_ChangesNothing()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a") with { Memory = TimeSpan.FromHours(24) };
        await test.Runs.CreateAsync(start, None);
        await test.Runs.ReleaseAsync(start.Run, 1, None);
        Assert.False(await test.Runs.DropRunAsync(start.Run, 1, isUnmade: true, None));
        await test.Runs.TakeAsync(start.Run, "b", Lease, None);

        Assert.False(await test.Runs.DropRunAsync(start.Run, 0, isUnmade: true, None));
        Assert.False(await test.Runs.DropRunAsync(start.Run, 1, isUnmade: true, None));

        Assert.True((await test.Runs.RenewAsync(start.Run, 2, Lease, None)).IsHeld);
        Assert.Equal(["created", "in progress"], await EventsAsync(test, start.Run));
        await test.AdvanceAsync(Lease * 2);
        Assert.Equal([start.Run], await FreeAsync(test));
        Assert.False(await test.Runs.ForbidAsync(start.Run, TimeSpan.FromHours(24), None));
    }

    [Fact]
    public async Task Take_FreeRun_GivesAllThatIsNeededToGoOn()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.Runs.AppendAsync(start.Run, 1, new RunAppend(2, RunStarts.Many("three"), 0, RunStarts.Many("round", "call")), None);
        await test.Runs.CancelAsync(start.Run, None);
        await test.Runs.ReleaseAsync(start.Run, 1, None);

        var taken = Assert.IsType<TakenRun>(await test.Runs.TakeAsync(start.Run, "b", Lease, None));

        Assert.Equal(2, taken.Token);
        Assert.Equal(Commits.Text(start.Spec), Commits.Text(taken.Spec));
        Assert.Equal(["round", "call"], taken.Journal.Texts());
        Assert.True(taken.IsCancelled);
        Assert.Equal(3, taken.EventCount);
        Assert.Empty(await FreeAsync(test));
        Assert.Null(await test.Runs.TakeAsync(start.Run, "a", Lease, None));
        Assert.Null(await test.Runs.TakeAsync(start.Run, "b", Lease, None));
    }

    [Fact]
    public async Task Take_WaitingRun_Begins()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant);
        await test.Runs.CreateAsync(start, None);

        var taken = Assert.IsType<TakenRun>(await test.Runs.TakeAsync(start.Run, "a", Lease, None));

        Assert.Equal(1, taken.Token);
        Assert.Empty(taken.Journal);
        Assert.False(taken.IsCancelled);
        Assert.Equal(2, taken.EventCount);
        Assert.True((await test.Runs.GetRunAsync(start.Run, None))?.HasBegun);
    }

    [Fact]
    public async Task Take_ManyAtOnce_OneGetsIt()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant);
        await test.Runs.CreateAsync(start, None);

        var taken = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(n => test.Runs.TakeAsync(start.Run, $"replica {n}", Lease, None).AsTask()));

        Assert.Equal(1, taken.Count(run => run is not null));
    }

    [Fact]
    public async Task Take_LeaseRanOut_GoesToAnother()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.AdvanceAsync(Lease / 2);
        Assert.Null(await test.Runs.TakeAsync(start.Run, "b", Lease, None));
        Assert.Empty(await FreeAsync(test));

        await test.AdvanceAsync(Lease / 2);

        Assert.Equal([start.Run], await FreeAsync(test));
        Assert.Equal(2, (await test.Runs.TakeAsync(start.Run, "b", Lease, None))?.Token);
    }

    [Fact]
    public async Task Renew_InTime_KeepsTheLease()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);

        for (var n = 0; n < 4; n++)
        {
            await test.AdvanceAsync(Lease * 0.75);
            Assert.True((await test.Runs.RenewAsync(start.Run, 1, Lease, None)).IsHeld);
            Assert.Null(await test.Runs.TakeAsync(start.Run, "b", Lease, None));
            Assert.Empty(await FreeAsync(test));
        }
    }

    [Fact]
    public async Task Renew_LeaseRanOutButNobodyTookIt_KeepsTheRun()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.AdvanceAsync(Lease * 2);

        Assert.True((await test.Runs.RenewAsync(start.Run, 1, Lease, None)).IsHeld);

        Assert.Null(await test.Runs.TakeAsync(start.Run, "b", Lease, None));
        Assert.True(await test.Runs.AppendAsync(start.Run, 1, RunStarts.Events(2, "three"), None));
    }

    [Fact]
    public async Task Renew_TellsOfCancellationAndFollowers()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.AdvanceAsync(TimeSpan.FromMinutes(10));
        var before = await test.Runs.RenewAsync(start.Run, 1, Lease, None);
        await test.Runs.FollowedAsync(start.Run, None);
        await test.AdvanceAsync(TimeSpan.FromMinutes(5));
        await test.Runs.CancelAsync(start.Run, None);
        var after = await test.Runs.RenewAsync(start.Run, 1, Lease, None);

        // Redis's own clock goes on a little.
        Assert.False(before.IsCancelled);
        Assert.InRange(before.FollowedAgo, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11));
        Assert.True(after.IsCancelled);
        Assert.InRange(after.FollowedAgo, TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(6));
    }

    [Fact]
    public async Task OldToken_AfterAnotherTookTheRun_ChangesNothing()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.Runs.AppendAsync(start.Run, 1, RunStarts.Entries(0, "round"), None);
        await test.AdvanceAsync(Lease);
        var taken = Assert.IsType<TakenRun>(await test.Runs.TakeAsync(start.Run, "b", Lease, None));

        await AssertRefusedAsync(test, start.Run, 1, entries: 1);

        Assert.Null(await test.Runs.TakeAsync(start.Run, "a", Lease, None));
        Assert.True(await test.Runs.AppendAsync(start.Run, taken.Token, new RunAppend(2, RunStarts.Many("mine"), 1, RunStarts.Many("call")), None));
        Assert.Equal(["created", "in progress", "mine"], await EventsAsync(test, start.Run));
        await test.Runs.ReleaseAsync(start.Run, taken.Token, None);
        taken = Assert.IsType<TakenRun>(await test.Runs.TakeAsync(start.Run, "a", Lease, None));
        Assert.Equal(["round", "call"], taken.Journal.Texts());
        Assert.Equal(
            CommitOutcome.Appended, await test.Store.CommitAsync(RunStarts.Commit(test, start.Run, taken.Token, 3, "completed"), None));
    }

    [Fact]
    public async Task OldToken_AfterItWasReleased_ChangesNothing()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.Runs.ReleaseAsync(start.Run, 1, None);

        await AssertRefusedAsync(test, start.Run, 1);

        Assert.Equal([start.Run], await FreeAsync(test));
        var taken = Assert.IsType<TakenRun>(await test.Runs.TakeAsync(start.Run, "b", Lease, None));
        Assert.Equal(2, taken.Token);
        Assert.Empty(taken.Journal);
    }

    [Fact]
    public async Task NoToken_OfARunThatWaits_ChangesNothing()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant);
        await test.Runs.CreateAsync(start, None);

        await AssertRefusedAsync(test, start.Run, 0);

        Assert.False((await test.Runs.GetRunAsync(start.Run, None))?.HasBegun);
    }

    [Fact]
    public async Task Token_OfADeletedRun_ChangesNothing()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.Runs.AppendAsync(start.Run, 1, RunStarts.Entries(0, "round"), None);

        Assert.True(await test.Runs.DeleteRunAsync(start.Run, None));

        await AssertRefusedAsync(test, start.Run, 1);
        Assert.False(await test.Runs.DeleteRunAsync(start.Run, None));
        Assert.False(await test.Runs.CancelAsync(start.Run, None));
        await test.Runs.FollowedAsync(start.Run, None);
        Assert.Null(await test.Runs.GetRunAsync(start.Run, None));
        Assert.Null(await EventsAsync(test, start.Run));
        Assert.Null(await test.Runs.TakeAsync(start.Run, "b", Lease, None));
        Assert.InRange(await test.CountAsync(), 0, 2);
    }

    [Fact]
    public async Task Append_InOrder_IsReadInOrder()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);

        for (var n = 0; n < 30; n++)
        {
            var append = new RunAppend(2 + 2 * n, RunStarts.Many($"event {n}", $"and {n}"), n, RunStarts.Many($"entry {n}"));
            Assert.True(await test.Runs.AppendAsync(start.Run, 1, append, None));
        }

        string[] expected = ["created", "in progress", .. Enumerable.Range(0, 30).SelectMany(n => new[] { $"event {n}", $"and {n}" })];
        Assert.Equal(expected, await EventsAsync(test, start.Run));
        Assert.Equal(expected[17..30], (await test.Runs.ReadEventsAsync(start.Run, 17, 13, None)).Texts());
        Assert.Equal(expected[60..], (await test.Runs.ReadEventsAsync(start.Run, 60, 13, None)).Texts());
        Assert.Equal([], (await test.Runs.ReadEventsAsync(start.Run, 62, 13, None)).Texts());
        Assert.Equal([], (await test.Runs.ReadEventsAsync(start.Run, 1000, 13, None)).Texts());
        await test.Runs.ReleaseAsync(start.Run, 1, None);
        Assert.Equal(
            Enumerable.Range(0, 30).Select(n => $"entry {n}"), (await test.Runs.TakeAsync(start.Run, "b", Lease, None))?.Journal.Texts());
    }

    [Fact]
    public async Task Append_SentAgain_IsDoneOnce()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        var first = new RunAppend(2, RunStarts.Many("three", "four"), 0, RunStarts.Many("one", "two"));
        var longer = new RunAppend(3, RunStarts.Many("four", "five", "six"), 1, RunStarts.Many("two", "three"));

        Assert.True(await test.Runs.AppendAsync(start.Run, 1, first, None));
        Assert.True(await test.Runs.AppendAsync(start.Run, 1, first, None));
        Assert.True(await test.Runs.AppendAsync(start.Run, 1, longer, None));
        Assert.True(await test.Runs.AppendAsync(start.Run, 1, first, None));
        Assert.True(await test.Runs.AppendAsync(start.Run, 1, longer, None));

        Assert.Equal(["created", "in progress", "three", "four", "five", "six"], await EventsAsync(test, start.Run));
        await test.Runs.ReleaseAsync(start.Run, 1, None);
        Assert.Equal(["one", "two", "three"], (await test.Runs.TakeAsync(start.Run, "b", Lease, None))?.Journal.Texts());
    }

    [Fact]
    public async Task Append_BehindTheEndOfALog_IsAnErrorAndWritesNothing()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);

        foreach (var append in (RunAppend[])
            [
                new(3, RunStarts.Many("four"), 0, RunStarts.Many("one")),
                new(2, RunStarts.Many("three"), 1, RunStarts.Many("two")),
            ])
        {
            await Assert.ThrowsAsync<StoreUnavailableException>(() => test.Runs.AppendAsync(start.Run, 1, append, None).AsTask());
        }

        await Assert.ThrowsAsync<StoreUnavailableException>(
            () => test.Store.CommitAsync(RunStarts.Commit(test, start.Run, 1, 3, "completed"), None).AsTask());
        Assert.True(test.Store.Health.Available);
        Assert.Equal(["created", "in progress"], await EventsAsync(test, start.Run));
        Assert.Null(await test.Store.GetAsync(test.Tenant, start.Run.Id, None));
        await test.Runs.ReleaseAsync(start.Run, 1, None);
        Assert.Empty(Assert.IsType<TakenRun>(await test.Runs.TakeAsync(start.Run, "b", Lease, None)).Journal);
    }

    [Fact]
    public async Task Append_ManyAndLarge_ComeBackWhole()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a") with { Spec = new byte[2_000_000] };
        await test.Runs.CreateAsync(start, None);
        var events = Enumerable.Range(0, 10_000).Select(n => $"event {n}").ToArray();
        var large = new byte[1_000_000];
        Random.Shared.NextBytes(large);

        Assert.True(await test.Runs.AppendAsync(start.Run, 1, new RunAppend(2, RunStarts.Many(events), 0, [large, default]), None));

        Assert.Equal(events, (await EventsAsync(test, start.Run))?.Skip(2));
        await test.Runs.ReleaseAsync(start.Run, 1, None);
        var taken = Assert.IsType<TakenRun>(await test.Runs.TakeAsync(start.Run, "b", Lease, None));
        Assert.Equal(2_000_000, taken.Spec.Length);
        Assert.True(taken.Journal[0].Span.SequenceEqual(large));
        Assert.True(taken.Journal[1].IsEmpty);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Commit_OfARun_EndsItWithItsLastEvents(bool aside)
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.Runs.AppendAsync(start.Run, 1, new RunAppend(2, RunStarts.Many("three"), 0, RunStarts.Many("round")), None);
        var commit = RunStarts.Commit(test, start.Run, 1, 2, "three", "four", "completed") with { Aside = aside };

        Assert.Equal(aside ? CommitOutcome.Branched : CommitOutcome.Appended, await test.Store.CommitAsync(commit, None));

        Assert.Equal(commit.Turn.Text(), (await test.Store.GetAsync(test.Tenant, start.Run.Id, None))?.Turn.Text());
        Assert.Equal(["created", "in progress", "three", "four", "completed"], await EventsAsync(test, start.Run));
        Assert.Null(await test.Runs.GetRunAsync(start.Run, None));
        Assert.Null(await test.Runs.TakeAsync(start.Run, "b", Lease, None));
        Assert.False(await test.Runs.CancelAsync(start.Run, None));
        Assert.False(await test.Runs.DeleteRunAsync(start.Run, None));
        Assert.False((await test.Runs.RenewAsync(start.Run, 1, Lease, None)).IsHeld);
        Assert.False(await test.Runs.AppendAsync(start.Run, 1, RunStarts.Events(5, "late"), None));
        await test.Runs.ReleaseAsync(start.Run, 1, None);
        await test.Runs.FollowedAsync(start.Run, None);
        Assert.Empty(await FreeAsync(test));
        Assert.Equal(["created", "in progress", "three", "four", "completed"], await EventsAsync(test, start.Run));
    }

    [Fact]
    public async Task Commit_OfARunBehindAParent_ChecksItsHistoryToo()
    {
        await using var test = await OpenAsync();
        var parent = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        await test.Store.CommitAsync(parent, None);
        var chain = Assert.IsType<Chain>(await test.Store.LoadChainAsync(test.Tenant, parent.Id, None));

        // In the parent's chain; in a chain of its own; with a log of its own chain before the parent's; behind a history that is lost.
        var raced = Commits.Child(test.Tenant, chain, test.Time.GetUtcNow()) with { Aside = true };
        await test.Store.CommitAsync(raced, None);
        var id = parent.Id.NewInChain();
        (ResponseId Id, PathSegment[] Path, CommitOutcome Outcome)[] cases =
        [
            (id, [.. chain.Parent.Path], CommitOutcome.Appended),
            (id.NewInChain(), [.. chain.Parent.Path], CommitOutcome.Branched),
            (ResponseId.NewChain(), [.. chain.Parent.Path], CommitOutcome.Appended),
            (id.NewInChain(), [.. chain.Parent.Path, new PathSegment(id.Chain, raced.Id.Self, 1)], CommitOutcome.Appended),
            (id.NewInChain(), [new PathSegment(id.Chain, "0", 9)], CommitOutcome.HistoryLost),
        ];
        foreach (var (self, path, outcome) in cases)
        {
            var start = RunStarts.Of(new RunKey(test.Tenant, self), "a");
            await test.Runs.CreateAsync(start, None);
            var commit = RunStarts.Commit(test, start.Run, 1, 2, "completed") with { ParentPath = path };

            Assert.Equal(CommitOutcome.Fenced, await test.Store.CommitAsync(commit with { Run = commit.Run! with { Token = 2 } }, None));
            Assert.Equal(outcome, await test.Store.CommitAsync(commit, None));

            var isKept = outcome != CommitOutcome.HistoryLost;
            Assert.Equal(isKept, await test.Runs.GetRunAsync(start.Run, None) is null);
            Assert.Equal(isKept ? ["created", "in progress", "completed"] : ["created", "in progress"], await EventsAsync(test, start.Run));
            Assert.Equal(isKept, (await test.Store.LoadChainAsync(test.Tenant, self, None))?.Turns.Count == path.Sum(part => part.Count) + 1);
        }
    }

    [Fact]
    public async Task Commit_SentAgain_IsDoneOnce()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        var commit = RunStarts.Commit(test, start.Run, 1, 2, "completed");
        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(commit, None));
        var kept = await test.CountAsync();

        Assert.Equal(CommitOutcome.AlreadyCommitted, await test.Store.CommitAsync(commit, None));

        Assert.Equal(kept, await test.CountAsync());
        Assert.Equal(["created", "in progress", "completed"], await EventsAsync(test, start.Run));
    }

    [Fact]
    public async Task Events_AfterTheEnd_StayForTheirRetention()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.Store.CommitAsync(RunStarts.Commit(test, start.Run, 1, 2, "completed"), None);

        await test.AdvanceAsync(RunStarts.EventRetention - TimeSpan.FromMinutes(1));
        Assert.Equal(["created", "in progress", "completed"], await EventsAsync(test, start.Run));
        await test.AdvanceAsync(TimeSpan.FromMinutes(1));

        Assert.Null(await EventsAsync(test, start.Run));
        Assert.NotNull(await test.Store.GetAsync(test.Tenant, start.Run.Id, None));
        await test.AdvanceAsync(Commits.Retention);
        Assert.Equal(0, await test.CountAsync());
    }

    [Fact]
    public async Task End_LeavesNothingOfTheRunButItsEvents()
    {
        await using var test = await OpenAsync();
        await test.Store.CommitAsync(Commits.Start(test.Tenant, test.Time.GetUtcNow()), None);
        var one = await test.CountAsync();
        await test.Store.CommitAsync(Commits.Start(test.Tenant, test.Time.GetUtcNow()), None);
        var two = await test.CountAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.Runs.AppendAsync(start.Run, 1, new RunAppend(2, RunStarts.Many("three"), 0, RunStarts.Many("round")), None);

        await test.Store.CommitAsync(RunStarts.Commit(test, start.Run, 1, 3, "completed"), None);
        await test.AdvanceAsync(RunStarts.EventRetention);

        // A third response, like any other.
        Assert.Equal(two + two - one, await test.CountAsync());
    }

    [Fact]
    public async Task Delete_OfTheResponse_TakesItsEventsToo()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        await test.Store.CommitAsync(RunStarts.Commit(test, start.Run, 1, 2, "completed"), None);

        Assert.True(await test.Store.DeleteAsync(test.Tenant, start.Run.Id, None));

        Assert.Null(await EventsAsync(test, start.Run));
        await test.AdvanceAsync(Commits.Retention);
        Assert.Equal(0, await test.CountAsync());
    }

    [Fact]
    public async Task Cancel_AsOftenAsOneLikes_IsToldToAll()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant);
        await test.Runs.CreateAsync(start, None);

        Assert.True(await test.Runs.CancelAsync(start.Run, None));
        Assert.True(await test.Runs.CancelAsync(start.Run, None));

        Assert.Equal([start.Run], await FreeAsync(test));
        Assert.True((await test.Runs.TakeAsync(start.Run, "a", Lease, None))?.IsCancelled);
        Assert.True((await test.Runs.RenewAsync(start.Run, 1, Lease, None)).IsCancelled);
        Assert.True(await test.Runs.CancelAsync(start.Run, None));
    }

    [Fact]
    public async Task FindFree_GivesTheLongestWaitingFirst()
    {
        await using var test = await OpenAsync();
        var runs = new List<RunKey>();
        for (var n = 0; n < 5; n++)
        {
            var start = RunStarts.Of(test.Tenant, n is 1 or 3 ? "a" : null);
            await test.Runs.CreateAsync(start, None);
            runs.Add(start.Run);
            await test.AdvanceAsync(TimeSpan.FromMinutes(1));
        }

        Assert.Equal([runs[0], runs[2], runs[4]], await FreeAsync(test));

        // The third is taken and given back, so it waits from now on; the leases of two run out later than that.
        var taken = Assert.IsType<TakenRun>(await test.Runs.TakeAsync(runs[2], "a", Lease, None));
        await test.Runs.ReleaseAsync(runs[2], taken.Token, None);
        await test.AdvanceAsync(Lease);

        Assert.Equal([runs[0], runs[4], runs[2], runs[1], runs[3]], await FreeAsync(test));
        Assert.Equal(2, (await test.Runs.FindFreeAsync(2, None)).Count);
    }

    [Fact]
    public async Task Tenants_SeeNothingOfEachOther()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant);
        await test.Runs.CreateAsync(start, None);
        var foreign = start.Run with { Tenant = test.Tenant + "-b" };

        Assert.Null(await test.Runs.GetRunAsync(foreign, None));
        Assert.Null(await test.Runs.TakeAsync(foreign, "a", Lease, None));
        Assert.Null(await test.Runs.ReadEventsAsync(foreign, 0, 10, None));
        Assert.False(await test.Runs.CancelAsync(foreign, None));
        Assert.False(await test.Runs.DeleteRunAsync(foreign, None));
        Assert.False((await test.Runs.TakeAsync(start.Run, "a", Lease, None))?.IsCancelled);
    }

    [Fact]
    public async Task Expiry_OfARunThatNobodyEnds_LeavesNothingBehind()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        var waiting = RunStarts.Of(test.Tenant);
        await test.Runs.CreateAsync(start, None);
        await test.Runs.CreateAsync(waiting, None);

        // Each write keeps all of it.
        await test.AdvanceAsync(RunStarts.Retention * 0.75);
        await test.Runs.AppendAsync(start.Run, 1, new RunAppend(2, RunStarts.Many("three"), 0, RunStarts.Many("round")), None);
        await test.AdvanceAsync(RunStarts.Retention * 0.75);
        Assert.Null(await test.Runs.GetRunAsync(waiting.Run, None));
        Assert.True((await test.Runs.RenewAsync(start.Run, 1, Lease, None)).IsHeld);
        await test.AdvanceAsync(RunStarts.Retention * 0.75);
        Assert.Equal(["round"], (await test.Runs.TakeAsync(start.Run, "b", Lease, None))?.Journal.Texts());
        await test.AdvanceAsync(RunStarts.Retention * 0.75);
        Assert.NotNull(await test.Runs.GetRunAsync(start.Run, None));
        Assert.Equal(["created", "in progress", "three"], await EventsAsync(test, start.Run));

        await test.AdvanceAsync(RunStarts.Retention * 0.25);

        Assert.Null(await test.Runs.GetRunAsync(start.Run, None));
        Assert.Null(await EventsAsync(test, start.Run));
        foreach (var run in await FreeAsync(test))
        {
            Assert.Null(await test.Runs.TakeAsync(run, "c", Lease, None));
        }

        Assert.Equal(0, await test.CountAsync());
    }

    [Fact]
    public async Task Watch_WakesAfterEachChange()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        var deleted = RunStarts.Of(test.Tenant, "a");
        var woken = new Woken();
        var other = new Woken();
        await using var watch = await test.Runs.WatchAsync(start.Run, woken.Wake, None);
        await using var watchOther = await test.Runs.WatchAsync(deleted.Run, other.Wake, None);
        await test.Runs.CreateAsync(start, None);
        await test.Runs.CreateAsync(deleted, None);

        await woken.ByAsync(() => test.Runs.AppendAsync(start.Run, 1, RunStarts.Events(2, "three"), None).AsTask());
        await woken.ByAsync(() => test.Runs.CancelAsync(start.Run, None).AsTask());
        await woken.ByAsync(() => test.Store.CommitAsync(RunStarts.Commit(test, start.Run, 1, 3, "completed"), None).AsTask());
        Assert.Equal(0, other.Times);
        await other.ByAsync(() => test.Runs.DeleteRunAsync(deleted.Run, None).AsTask());

        Assert.Equal(3, woken.Times);
        Assert.Equal(1, other.Times);
    }

    [Fact]
    public async Task Watch_SeveralOfOneRun_EndEachOnItsOwn()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        var first = new Woken();
        var second = new Woken();
        var ended = await test.Runs.WatchAsync(start.Run, first.Wake, None);
        var going = await test.Runs.WatchAsync(start.Run, second.Wake, None);
        await first.ByAsync(() => second.ByAsync(() => AppendAsync(2)));

        await ended.DisposeAsync();
        await ended.DisposeAsync();
        await second.ByAsync(() => AppendAsync(3));
        Assert.Equal(1, first.Times);
        Assert.Equal(2, second.Times);

        // The last one goes, and the next one comes at once.
        await going.DisposeAsync();
        await using var again = await test.Runs.WatchAsync(start.Run, first.Wake, None);
        await first.ByAsync(() => AppendAsync(4));
        Assert.Equal(2, second.Times);

        Task AppendAsync(long index) => test.Runs.AppendAsync(start.Run, 1, RunStarts.Events(index, "more"), None).AsTask();
    }

    [Fact]
    public async Task Watch_ComingAndGoing_NeverEndsDeaf()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        var woken = new Woken();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            for (var n = 0; n < 50; n++)
            {
                await using var brief = await test.Runs.WatchAsync(start.Run, () => { }, None);
            }
        }));

        // Each comes while the one before it goes.
        for (var n = 0; n < 200; n++)
        {
            await using var watch = await test.Runs.WatchAsync(start.Run, woken.Wake, None);
            await woken.ByAsync(() => test.Runs.AppendAsync(start.Run, 1, RunStarts.Events(2, "three"), None).AsTask());
        }
    }

    [Fact]
    public async Task WatchFree_WakesForRunsThatAnybodyMayTake()
    {
        await using var test = await OpenAsync();
        var held = RunStarts.Of(test.Tenant, "a");
        var woken = new Woken();
        await using var watch = await test.Runs.WatchFreeAsync(woken.Wake, None);

        await woken.ByAsync(() => test.Runs.CreateAsync(RunStarts.Of(test.Tenant), None).AsTask());
        await test.Runs.CreateAsync(held, None);
        await woken.ByAsync(() => test.Runs.ReleaseAsync(held.Run, 1, None).AsTask());
    }

    [Fact]
    public async Task Cancelled_Caller_GetsNoStoreError()
    {
        await using var test = await OpenAsync();
        var start = RunStarts.Of(test.Tenant, "a");
        await test.Runs.CreateAsync(start, None);
        var cancelled = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => test.Runs.RenewAsync(start.Run, 1, Lease, cancelled).AsTask());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => test.Runs.ReadEventsAsync(start.Run, 0, 1, cancelled).AsTask());
        Assert.True(test.Store.Health.Available);
    }

    [Fact]
    public Task AnySequence_AgreesWithTheModel() => RunProperty.CheckAsync(OpenAsync);

    private static async Task<IReadOnlyList<string>?> EventsAsync(StoreUnderTest test, RunKey run) =>
        (await test.Runs.ReadEventsAsync(run, 0, 100_000, None)).Texts();

    /// <summary>The tenant's free runs.</summary>
    private static async Task<IEnumerable<RunKey>> FreeAsync(StoreUnderTest test) =>
        (await test.Runs.FindFreeAsync(100_000, None)).Where(run => run.Tenant == test.Tenant);

    /// <summary>Every write with this token is refused, and nothing has changed by them.</summary>
    private static async Task AssertRefusedAsync(StoreUnderTest test, RunKey run, long token, int entries = 0)
    {
        var events = await EventsAsync(test, run);
        var live = await test.Runs.GetRunAsync(run, None);
        var free = await FreeAsync(test);
        var kept = await test.CountAsync();

        Assert.False((await test.Runs.RenewAsync(run, token, Lease, None)).IsHeld);

        // Whoever has just created a run that waits may remove it while nobody has taken it.
        Assert.False(token > 0 && await test.Runs.DropRunAsync(run, token, isUnmade: true, None));
        Assert.False(await test.Runs.AppendAsync(run, token, new RunAppend(events?.Count ?? 0, RunStarts.Many("stale"), entries, RunStarts.Many("stale")), None));
        await test.Runs.ReleaseAsync(run, token, None);
        var commit = RunStarts.Commit(test, run, token, events?.Count ?? 0, "stale");
        Assert.Equal(kept, await test.CountAsync());
        Assert.Equal(CommitOutcome.Fenced, await test.Store.CommitAsync(commit, None));

        Assert.Null(await test.Store.GetAsync(test.Tenant, run.Id, None));
        Assert.Equal(events, await EventsAsync(test, run));
        Assert.Equal(live is null, await test.Runs.GetRunAsync(run, None) is null);
        Assert.Equal(free, await FreeAsync(test));

        // In a Cluster a refused commit leaves an entry in the tenant's index of responses, which leads nowhere, and its day; and nothing else.
        Assert.InRange(await test.CountAsync(), kept, kept + 2);
    }
}
