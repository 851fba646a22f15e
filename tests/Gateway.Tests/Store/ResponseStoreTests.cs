using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>What every store means. Each store runs all of it.</summary>
public abstract class ResponseStoreTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private protected abstract Task<StoreUnderTest> OpenAsync();

    [Fact]
    public async Task Get_AfterCommit_ReturnsAllThatWasCommitted()
    {
        await using var test = await OpenAsync();
        var commit = Commits.Start(test.Tenant, test.Time.GetUtcNow()) with { Status = "incomplete" };

        var outcome = await test.Store.CommitAsync(commit, None);
        var stored = await test.Store.GetAsync(test.Tenant, commit.Id, None);

        Assert.Equal(CommitOutcome.Appended, outcome);
        Assert.NotNull(stored);
        Assert.Equal(commit.Turn.Text(), stored.Turn.Text());
        Assert.Equal(commit.Id, stored.Record.Id);
        Assert.Equal("incomplete", stored.Record.Status);
        Assert.Equal(commit.CreatedAt, stored.Record.CreatedAt);
        Assert.Equal(Commits.Text(commit.Envelope), Commits.Text(stored.Record.Envelope));
        Assert.Equal(commit.OutputOffset, stored.Record.OutputOffset);
        Assert.Equal([new PathSegment(commit.Id.Chain, "0", 1)], stored.Record.Path);
        Assert.True(test.Store.Health is { ReachedOnce: true, Available: true, Warning: null });
    }

    [Fact]
    public async Task Get_EmptyTurn_IsKeptEmpty()
    {
        await using var test = await OpenAsync();
        var commit = Commits.Start(test.Tenant, test.Time.GetUtcNow()) with { Turn = new Turn([], [], default) };

        await test.Store.CommitAsync(commit, None);
        var stored = await test.Store.GetAsync(test.Tenant, commit.Id, None);

        Assert.NotNull(stored);
        Assert.Empty(stored.Turn.Input);
        Assert.Empty(stored.Turn.Output);
        Assert.True(stored.Turn.Private.IsEmpty);
    }

    [Fact]
    public async Task LoadChain_TwentyTurns_ReturnsThemInOrder()
    {
        await using var test = await OpenAsync();

        var commits = await CommitChainAsync(test, 20);
        var chain = await LoadAsync(test, commits[^1].Id);

        Assert.Equal(commits.Select(commit => commit.Turn.Text()), chain.Turns.Select(turn => turn.Text()));
        Assert.True(chain.ParentIsTail);
        Assert.Equal([new PathSegment(commits[0].Id.Chain, "0", 20)], chain.Parent.Path);
    }

    [Fact]
    public async Task LoadChain_OfAnEarlierTurn_EndsThereAndIsNotTheTail()
    {
        await using var test = await OpenAsync();

        var commits = await CommitChainAsync(test, 5);
        var chain = await LoadAsync(test, commits[2].Id);

        Assert.Equal(commits.Take(3).Select(commit => commit.Turn.Text()), chain.Turns.Select(turn => turn.Text()));
        Assert.False(chain.ParentIsTail);
    }

    [Fact]
    public async Task LoadChain_BranchesOfBranches_GoAcrossTheirChains()
    {
        await using var test = await OpenAsync();
        List<TurnCommit> expected = [];
        var trunk = await CommitChainAsync(test, 3);
        for (var depth = 0; depth < 4; depth++)
        {
            // From the turn before the tail: a new chain each time.
            expected.AddRange(trunk.SkipLast(1));
            var branch = Commits.Child(test.Tenant, await LoadAsync(test, trunk[^2].Id), test.Time.GetUtcNow());
            Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(branch, None));
            var next = await CommitChildAsync(test, branch.Id);
            trunk = [branch, next, await CommitChildAsync(test, next.Id)];
        }

        expected.AddRange(trunk);
        var chain = await LoadAsync(test, trunk[^1].Id);

        Assert.Equal(expected.Select(commit => commit.Turn.Text()), chain.Turns.Select(turn => turn.Text()));
        Assert.Equal(5, chain.Parent.Path.Count);
    }

    [Fact]
    public async Task Commit_LostRace_GetsItsOwnBranchWithTheSameHistory()
    {
        await using var test = await OpenAsync();
        var parent = await LoadAsync(test, (await CommitChainAsync(test, 2))[^1].Id);
        var winner = Commits.Child(test.Tenant, parent, test.Time.GetUtcNow(), "winner");
        var loser = Commits.Child(test.Tenant, parent, test.Time.GetUtcNow(), "loser");

        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(winner, None));
        Assert.Equal(CommitOutcome.Branched, await test.Store.CommitAsync(loser, None));
        var ofWinner = await LoadAsync(test, winner.Id);
        var ofLoser = await LoadAsync(test, loser.Id);
        var afterLoser = await CommitChildAsync(test, loser.Id);
        var ofAfter = await LoadAsync(test, afterLoser.Id);

        Assert.Equal([.. parent.Turns.Select(turn => turn.Text()), winner.Turn.Text()], ofWinner.Turns.Select(turn => turn.Text()));
        Assert.Equal([.. parent.Turns.Select(turn => turn.Text()), loser.Turn.Text()], ofLoser.Turns.Select(turn => turn.Text()));
        Assert.True(ofLoser.ParentIsTail);
        Assert.Equal(loser.Id.Chain, afterLoser.Id.Chain);
        Assert.Equal([.. parent.Turns.Select(turn => turn.Text()), loser.Turn.Text(), afterLoser.Turn.Text()], ofAfter.Turns.Select(turn => turn.Text()));
    }

    [Fact]
    public async Task Commit_ManyAtOnceBehindOneParent_AllHaveTheWholeHistory()
    {
        await using var test = await OpenAsync();
        var parent = await LoadAsync(test, (await CommitChainAsync(test, 2))[^1].Id);
        var children = Enumerable.Range(0, 24).Select(n => Commits.Child(test.Tenant, parent, test.Time.GetUtcNow(), $"child {n}")).ToArray();

        var outcomes = await Task.WhenAll(children.Select(child => test.Store.CommitAsync(child, None).AsTask()));

        Assert.Equal(1, outcomes.Count(outcome => outcome == CommitOutcome.Appended));
        Assert.Equal(23, outcomes.Count(outcome => outcome == CommitOutcome.Branched));
        foreach (var child in children)
        {
            var chain = await LoadAsync(test, child.Id);
            Assert.Equal([.. parent.Turns.Select(turn => turn.Text()), child.Turn.Text()], chain.Turns.Select(turn => turn.Text()));
        }
    }

    [Fact]
    public async Task Commit_SentAgain_IsDoneOnce()
    {
        await using var test = await OpenAsync();
        var parent = await LoadAsync(test, (await CommitChainAsync(test, 1))[^1].Id);
        var appended = Commits.Child(test.Tenant, parent, test.Time.GetUtcNow(), "first");
        var branched = Commits.Child(test.Tenant, parent, test.Time.GetUtcNow(), "second");
        await test.Store.CommitAsync(appended, None);
        await test.Store.CommitAsync(branched, None);
        var kept = await test.CountAsync();

        Assert.Equal(CommitOutcome.AlreadyCommitted, await test.Store.CommitAsync(appended, None));
        Assert.Equal(CommitOutcome.AlreadyCommitted, await test.Store.CommitAsync(branched, None));
        Assert.Equal(kept, await test.CountAsync());
        Assert.Equal(2, (await LoadAsync(test, appended.Id)).Turns.Count);
        Assert.Equal(2, (await LoadAsync(test, branched.Id)).Turns.Count);
    }

    [Fact]
    public async Task Commit_LogShorterThanTheHistory_WritesNothing()
    {
        await using var test = await OpenAsync();
        var id = ResponseId.NewChain();
        var inChain = Commits.Make(test.Tenant, id, [new PathSegment(id.Chain, "0", 3)], test.Time.GetUtcNow(), "lost");
        var acrossChains = Commits.Make(test.Tenant, ResponseId.NewChain(), [new PathSegment(id.Chain, "0", 3)], test.Time.GetUtcNow(), "lost");
        var branch = ResponseId.NewChain();
        var inBranch = Commits.Make(
            test.Tenant,
            branch,
            [new PathSegment(branch.Chain, "0", 2), new PathSegment(branch.Chain, ResponseId.NewChain().Self, 1)],
            test.Time.GetUtcNow(),
            "lost");

        foreach (var commit in (TurnCommit[])[inChain, acrossChains, inBranch])
        {
            Assert.Equal(CommitOutcome.HistoryLost, await test.Store.CommitAsync(commit, None));
            Assert.Null(await test.Store.GetAsync(test.Tenant, commit.Id, None));
            Assert.Null(await test.Store.LoadChainAsync(test.Tenant, commit.Id, None));
        }

        Assert.Empty((await ListAsync(test, new ListQuery(10, null, null))).Data);
    }

    [Fact]
    public async Task Commit_Aside_LeavesTheTailWhereItIs()
    {
        await using var test = await OpenAsync();
        var parentId = (await CommitChainAsync(test, 2))[^1].Id;
        var parent = await LoadAsync(test, parentId);
        var failed = Commits.Child(test.Tenant, parent, test.Time.GetUtcNow(), "failed") with { Aside = true, Status = "failed" };
        var alone = Commits.Start(test.Tenant, test.Time.GetUtcNow(), "failed at once") with { Aside = true, Status = "failed" };

        Assert.Equal(CommitOutcome.Branched, await test.Store.CommitAsync(failed, None));
        Assert.Equal(CommitOutcome.Branched, await test.Store.CommitAsync(alone, None));

        Assert.True((await LoadAsync(test, parentId)).ParentIsTail);
        Assert.Equal(failed.Turn.Text(), (await test.Store.GetAsync(test.Tenant, failed.Id, None))?.Turn.Text());
        Assert.Equal(alone.Turn.Text(), (await test.Store.GetAsync(test.Tenant, alone.Id, None))?.Turn.Text());
        Assert.Equal("failed", (await LoadAsync(test, failed.Id)).Parent.Status);
    }

    [Fact]
    public async Task Delete_InTheMiddle_EndsTheDescendantsToo()
    {
        await using var test = await OpenAsync();
        var commits = await CommitChainAsync(test, 4);
        var branch = await CommitChildAsync(test, commits[1].Id);

        Assert.True(await test.Store.DeleteAsync(test.Tenant, commits[1].Id, None));

        Assert.False(await test.Store.DeleteAsync(test.Tenant, commits[1].Id, None));
        Assert.Null(await test.Store.GetAsync(test.Tenant, commits[1].Id, None));
        Assert.Null(await test.Store.LoadChainAsync(test.Tenant, commits[1].Id, None));
        Assert.Equal(0, test.IncompleteChains);
        Assert.Null(await test.Store.LoadChainAsync(test.Tenant, commits[2].Id, None));
        Assert.Null(await test.Store.LoadChainAsync(test.Tenant, commits[3].Id, None));
        Assert.Null(await test.Store.LoadChainAsync(test.Tenant, branch.Id, None));
        Assert.Equal(3, test.IncompleteChains);
        Assert.Single((await LoadAsync(test, commits[0].Id)).Turns);
        Assert.NotNull(await test.Store.GetAsync(test.Tenant, commits[3].Id, None));
        Assert.Equal(
            new[] { branch.Id, commits[3].Id, commits[2].Id, commits[0].Id },
            (await ListAsync(test, new ListQuery(10, null, null))).Data.Select(stored => stored.Record.Id));
    }

    [Fact]
    public async Task Delete_ManyAtOnce_OneSaysItDidIt()
    {
        await using var test = await OpenAsync();
        var id = (await CommitChainAsync(test, 1))[0].Id;

        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => test.Store.DeleteAsync(test.Tenant, id, None).AsTask()));

        Assert.Equal(1, answers.Count(deleted => deleted));
    }

    [Fact]
    public async Task Tenants_SeeNothingOfEachOther()
    {
        await using var test = await OpenAsync();
        var commits = await CommitChainAsync(test, 2);
        var other = test.Tenant + "-b";

        Assert.Null(await test.Store.GetAsync(other, commits[0].Id, None));
        Assert.Null(await test.Store.LoadChainAsync(other, commits[1].Id, None));
        Assert.False(await test.Store.DeleteAsync(other, commits[0].Id, None));
        Assert.Null(await test.Store.ListAsync(other, new ListQuery(10, commits[1].Id, null), None));
        Assert.Null(await test.Store.ListAsync(other, new ListQuery(10, null, commits[0].Id), None));
        Assert.Empty(Assert.IsType<StoredPage>(await test.Store.ListAsync(other, new ListQuery(10, null, null), None)).Data);
        Assert.Equal(2, (await LoadAsync(test, commits[1].Id)).Turns.Count);
    }

    [Fact]
    public async Task UnknownIds_AreNothing()
    {
        await using var test = await OpenAsync();
        var known = (await CommitChainAsync(test, 1))[0].Id;

        foreach (var id in (ResponseId[])[ResponseId.NewChain(), known.NewInChain(), known with { Chain = ResponseId.NewChain().Chain }])
        {
            Assert.Null(await test.Store.GetAsync(test.Tenant, id, None));
            Assert.Null(await test.Store.LoadChainAsync(test.Tenant, id, None));
            Assert.False(await test.Store.DeleteAsync(test.Tenant, id, None));
            Assert.Null(await test.Store.ListAsync(test.Tenant, new ListQuery(10, id, null), None));
        }

        Assert.Equal(0, test.IncompleteChains);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(20)]
    [InlineData(45)]
    public async Task List_PagesOf45Responses_GiveEachOnceInBothDirections(int limit)
    {
        await using var test = await OpenAsync();
        var ids = await CommitOver45MomentsAsync(test);

        var older = new List<ResponseId>();
        StoredPage page;
        do
        {
            page = await ListAsync(test, new ListQuery(limit, older.Count == 0 ? null : older[^1], null));
            older.AddRange(page.Data.Select(stored => stored.Record.Id));
        }
        while (page.HasMore);

        // And back: each page is newest first, so the walk goes on before its first.
        var newer = new List<ResponseId>();
        do
        {
            page = await ListAsync(test, new ListQuery(limit, null, newer.Count == 0 ? older[^1] : newer[0]));
            newer.InsertRange(0, page.Data.Select(stored => stored.Record.Id));
        }
        while (page.HasMore);

        Assert.Equal(ids, older);
        Assert.Equal(ids.SkipLast(1), newer);
    }

    [Fact]
    public async Task List_OfLargeResponses_HasShortPagesThatGiveEachOnceInBothDirections()
    {
        await using var test = await OpenAsync();
        var start = test.Time.GetUtcNow();
        var commits = Enumerable.Range(0, 20).Select(n => Commits.Start(test.Tenant, start.AddSeconds(-n), new string('x', n == 13 ? 100_000 : 1_000))).ToArray();
        foreach (var commit in commits)
        {
            await test.Store.CommitAsync(commit, None);
        }

        List<ResponseId> older = [];
        List<ResponseId> newer = [];
        StoredPage page;
        do
        {
            page = await ListAsync(test, new ListQuery(100, older.Count == 0 ? null : older[^1], null) { MostBytes = 12_000 });
            AssertIsShort(page);
            older.AddRange(page.Data.Select(stored => stored.Record.Id));
        }
        while (page.HasMore);
        do
        {
            page = await ListAsync(test, new ListQuery(100, null, newer.Count == 0 ? older[^1] : newer[0]) { MostBytes = 12_000 });
            AssertIsShort(page);
            newer.InsertRange(0, page.Data.Select(stored => stored.Record.Id));
        }
        while (page.HasMore);

        Assert.Equal(commits.Select(commit => commit.Id), older);
        Assert.Equal(older[..^1], newer);

        // Each has its text three times.
        static void AssertIsShort(StoredPage page) => Assert.InRange(page.Data.Count, 1, 5);
    }

    [Fact]
    public async Task List_DeletedAndExpiredEntries_AreSkipped()
    {
        await using var test = await OpenAsync();
        var ids = await CommitOver45MomentsAsync(test);
        foreach (var id in ids.Where((_, n) => n is > 2 and < 40))
        {
            Assert.True(await test.Store.DeleteAsync(test.Tenant, id, None));
        }

        var page = await ListAsync(test, new ListQuery(5, null, null));
        var rest = await ListAsync(test, new ListQuery(5, page.Data[^1].Record.Id, null));

        Assert.Equal([.. ids.Take(3), .. ids.Skip(40).Take(2)], page.Data.Select(stored => stored.Record.Id));
        Assert.True(page.HasMore);
        Assert.Equal(ids.Skip(42), rest.Data.Select(stored => stored.Record.Id));
        Assert.False(rest.HasMore);
    }

    [Fact]
    public async Task List_RetentionsThatDiffer_HasExactlyWhatIsAlive()
    {
        await using var test = await OpenAsync();
        var created = test.Time.GetUtcNow();

        // Longer than Gateway:Store:Retention too: it may have been lowered since, or be a class's or a tenant's own.
        int[] days = [400, 45, 1, 200, 3, 31];
        var commits = days.Select(d => Commits.Start(test.Tenant, created.AddMinutes(-d)) with { Retention = TimeSpan.FromDays(d) }).ToArray();
        foreach (var commit in commits)
        {
            await test.Store.CommitAsync(commit, None);
        }

        var passed = 0;
        foreach (var day in (int[])[0, 2, 30, 44, 100, 300, 399])
        {
            await test.AdvanceAsync(TimeSpan.FromDays(day - passed));
            passed = day;
            await test.Store.CommitAsync(Commits.Start(test.Tenant, test.Time.GetUtcNow()) with { Retention = TimeSpan.FromHours(1) }, None);
            var alive = commits.Where((_, n) => days[n] > day).OrderByDescending(commit => commit.CreatedAt).Select(commit => commit.Id).ToArray();

            var page = await ListAsync(test, new ListQuery(10, null, null));

            Assert.Equal(alive, page.Data.Select(stored => stored.Record.Id).Skip(1));
            var next = await ListAsync(test, new ListQuery(1, page.Data[0].Record.Id, null));
            Assert.Equal((alive[0], alive.Length > 1), (Assert.Single(next.Data).Record.Id, next.HasMore));
            var back = await ListAsync(test, new ListQuery(10, null, alive[^1]));
            Assert.Equal(page.Data.SkipLast(1).Select(stored => stored.Record.Id), back.Data.Select(stored => stored.Record.Id));
        }
    }

    [Fact]
    public async Task Expiry_OfAnUnusedChain_LeavesNothingBehind()
    {
        await using var test = await OpenAsync();
        var commits = await CommitChainAsync(test, 3);
        await CommitChildAsync(test, commits[0].Id);
        var failed = Commits.Start(test.Tenant, test.Time.GetUtcNow()) with { Aside = true };
        await test.Store.CommitAsync(failed, None);

        await test.AdvanceAsync(Commits.Retention + TimeSpan.FromDays(1));

        Assert.Null(await test.Store.LoadChainAsync(test.Tenant, commits[2].Id, None));
        Assert.Null(await test.Store.GetAsync(test.Tenant, commits[0].Id, None));
        Assert.False(await test.Store.DeleteAsync(test.Tenant, commits[0].Id, None));
        Assert.Empty((await ListAsync(test, new ListQuery(10, null, null))).Data);
        Assert.Equal(0, await test.CountAsync());
    }

    [Fact]
    public async Task Expiry_OfDeletedResponses_LeavesNothingBehind()
    {
        await using var test = await OpenAsync();
        foreach (var commit in await CommitChainAsync(test, 3))
        {
            await test.Store.DeleteAsync(test.Tenant, commit.Id, None);
        }

        await test.AdvanceAsync(Commits.Retention);

        Assert.Equal(0, await test.CountAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Expiry_OfAChainThatGoesOn_IsMovedOnEveryLogOfThePath(bool inANewChain)
    {
        await using var test = await OpenAsync();
        var trunk = await CommitChainAsync(test, 2);
        var tail = await LoadAsync(test, trunk[1].Id);
        await CommitChildAsync(test, trunk[1].Id);
        var current = Commits.Child(test.Tenant, tail, test.Time.GetUtcNow(), "raced");
        Assert.Equal(CommitOutcome.Branched, await test.Store.CommitAsync(current, None));
        if (inANewChain)
        {
            var raced = await LoadAsync(test, current.Id);
            await CommitChildAsync(test, current.Id);
            current = Commits.Child(test.Tenant, raced with { ParentIsTail = false }, test.Time.GetUtcNow(), "branch");
            Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(current, None));
        }

        // Ten times most of the retention: only what each commit refreshes can still be there.
        for (var n = 0; n < 10; n++)
        {
            await test.AdvanceAsync(Commits.Retention * 0.75);
            current = await CommitChildAsync(test, current.Id);
        }

        Assert.Equal(inANewChain ? 14 : 13, (await LoadAsync(test, current.Id)).Turns.Count);
        Assert.Null(await test.Store.GetAsync(test.Tenant, trunk[0].Id, None));
    }

    [Fact]
    public async Task Commit_WithShorterRetention_DoesNotShortenTheLogsOfOthers()
    {
        await using var test = await OpenAsync();
        var commits = await CommitChainAsync(test, 2);
        var child = Commits.Child(test.Tenant, await LoadAsync(test, commits[1].Id), test.Time.GetUtcNow()) with { Retention = TimeSpan.FromHours(1) };
        await test.Store.CommitAsync(child, None);

        await test.AdvanceAsync(TimeSpan.FromHours(5));

        Assert.Null(await test.Store.GetAsync(test.Tenant, child.Id, None));
        Assert.Equal(2, (await LoadAsync(test, commits[1].Id)).Turns.Count);
        Assert.Equal(2, (await ListAsync(test, new ListQuery(10, null, null))).Data.Count);
    }

    [Fact]
    public async Task Claim_IsItsOwnersUntilItIsGivenBack()
    {
        await using var test = await OpenAsync();

        Assert.True(await ClaimAsync(test, "a", "one"));
        Assert.True(await ClaimAsync(test, "a", "one"));
        Assert.False(await ClaimAsync(test, "a", "two"));
        Assert.True(await ClaimAsync(test, "b", "two"));

        await test.Store.ReleaseAsync(test.Tenant, "a", "two", None);
        Assert.False(await ClaimAsync(test, "a", "two"));
        await test.Store.ReleaseAsync(test.Tenant, "a", "one", None);
        Assert.True(await ClaimAsync(test, "a", "two"));
    }

    [Fact]
    public async Task Claim_TakenAtTheSameTime_HasOneOwner()
    {
        await using var test = await OpenAsync();

        var taken = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => ClaimAsync(test, "a", $"owner {i}").AsTask()));

        Assert.Single(taken, isMine => isMine);
    }

    [Fact]
    public async Task Claim_IsFreeAgainSoonAfterItsRetention()
    {
        await using var test = await OpenAsync();
        await ClaimAsync(test, "a", "one");

        await test.AdvanceAsync(Commits.Retention);
        Assert.False(await ClaimAsync(test, "a", "two"));
        await test.AdvanceAsync(TimeSpan.FromHours(1));
        Assert.True(await ClaimAsync(test, "a", "two"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Commit_ClaimsThatItNeeds_LiveAsLongAsItsTurn(bool inANewChain)
    {
        await using var test = await OpenAsync();
        var parent = (await CommitChainAsync(test, 2))[inANewChain ? 0 : 1];
        await ClaimAsync(test, "taken", "one");
        await ClaimAsync(test, "not needed", "one");
        await test.AdvanceAsync(Commits.Retention * 0.75);
        var child = Commits.Child(test.Tenant, await LoadAsync(test, parent.Id), test.Time.GetUtcNow()) with { Claims = ["taken", "free"] };
        await test.Store.CommitAsync(child, None);

        await test.AdvanceAsync(Commits.Retention * 0.75);

        await LoadAsync(test, child.Id);
        Assert.False(await ClaimAsync(test, "taken", "two"));
        Assert.True(await ClaimAsync(test, "free", "two"));
        Assert.True(await ClaimAsync(test, "not needed", "two"));
        await test.AdvanceAsync(Commits.Retention * 0.5);
        Assert.True(await ClaimAsync(test, "taken", "two"));
    }

    [Fact]
    public async Task Commit_WithShorterRetention_DoesNotShortenClaims()
    {
        await using var test = await OpenAsync();
        await ClaimAsync(test, "taken", "one");
        var commit = Commits.Start(test.Tenant, test.Time.GetUtcNow()) with { Claims = ["taken"], Retention = TimeSpan.FromHours(1) };
        await test.Store.CommitAsync(commit, None);

        await test.AdvanceAsync(TimeSpan.FromHours(5));

        Assert.False(await ClaimAsync(test, "taken", "two"));
    }

    [Fact]
    public async Task Commit_Aside_ProlongsNoClaim()
    {
        await using var test = await OpenAsync();
        await ClaimAsync(test, "taken", "one");
        await test.AdvanceAsync(Commits.Retention * 0.75);
        await test.Store.CommitAsync(Commits.Start(test.Tenant, test.Time.GetUtcNow()) with { Claims = ["taken"], Aside = true }, None);

        await test.AdvanceAsync(Commits.Retention * 0.75);

        Assert.True(await ClaimAsync(test, "taken", "two"));
    }

    [Fact]
    public async Task EraseTenant_LeavesNothingOfItAndAllOfOthers()
    {
        await using var test = await OpenAsync();
        string[] others = [test.Tenant + ".b", test.Tenant + "-b", test.Tenant + "b"];
        List<(string Tenant, ResponseId Id)> kept = [];
        foreach (var other in others)
        {
            kept.Add((other, await FillAsync(other)));
        }

        var before = await test.CountAsync();
        var id = await FillAsync(test.Tenant);
        var entries = await test.CountAsync() - before;

        var erased = await test.Eraser.EraseTenantAsync(test.Tenant, None);

        Assert.Equal(new TenantErasure(6, entries), erased);
        Assert.Equal(before, await test.CountAsync());
        Assert.Null(await test.Store.GetAsync(test.Tenant, id, None));
        Assert.Null(await test.Store.LoadChainAsync(test.Tenant, id, None));
        Assert.Empty((await ListAsync(test, new ListQuery(10, null, null))).Data);
        Assert.True(await test.Store.ClaimAsync(test.Tenant, "approval", "another", Commits.Retention, None));
        foreach (var (other, theirs) in kept)
        {
            Assert.Equal(2, Assert.IsType<Chain>(await test.Store.LoadChainAsync(other, theirs, None)).Turns.Count);
            Assert.Equal(6, Assert.IsType<StoredPage>(await test.Store.ListAsync(other, new ListQuery(10, null, null), None)).Data.Count);
            Assert.False(await test.Store.ClaimAsync(other, "approval", "another", Commits.Retention, None));
        }

        // The claim taken above, then nothing.
        Assert.Equal(new TenantErasure(0, 1), await test.Eraser.EraseTenantAsync(test.Tenant, None));
        Assert.Equal(default, await test.Eraser.EraseTenantAsync(test.Tenant, None));

        async Task<ResponseId> FillAsync(string tenant)
        {
            // A chain of two, a branch across, a lost race and one aside; and a claim.
            var first = Commits.Start(tenant, test.Time.GetUtcNow());
            await test.Store.CommitAsync(first, None);
            var chain = Assert.IsType<Chain>(await test.Store.LoadChainAsync(tenant, first.Id, None));
            var child = Commits.Child(tenant, chain, test.Time.GetUtcNow());
            await test.Store.CommitAsync(child, None);
            await test.Store.CommitAsync(Commits.Child(tenant, chain, test.Time.GetUtcNow()), None);
            await test.Store.CommitAsync(Commits.Child(tenant, chain with { ParentIsTail = false }, test.Time.GetUtcNow()), None);
            await test.Store.CommitAsync(Commits.Start(tenant, test.Time.GetUtcNow()) with { Aside = true }, None);
            Assert.True(await test.Store.ClaimAsync(tenant, "approval", "one", Commits.Retention, None));
            await FillRunsAsync(tenant);
            return child.Id;
        }

        async Task FillRunsAsync(string tenant)
        {
            // One that waits, one that is held with a journal, and one that has ended with its events.
            await test.Runs.CreateAsync(RunStarts.Of(tenant), None);
            var held = RunStarts.Of(tenant, "me");
            await test.Runs.CreateAsync(held, None);
            Assert.True(await test.Runs.AppendAsync(held.Run, 1, RunStarts.Entries(0, "call"), None));
            var ended = RunStarts.Of(tenant, "me");
            await test.Runs.CreateAsync(ended, None);
            await test.Store.CommitAsync(RunStarts.Commit(test, ended.Run, 1, 2, "completed"), None);
        }
    }

    [Fact]
    public async Task EraseTenant_EndsItsRuns()
    {
        await using var test = await OpenAsync();
        var waiting = RunStarts.Of(test.Tenant);
        var held = RunStarts.Of(test.Tenant, "me");
        var theirs = RunStarts.Of(test.Tenant + "b");
        foreach (var start in (RunStart[])[waiting, held, theirs])
        {
            await test.Runs.CreateAsync(start, None);
        }

        var before = await test.CountRunsAsync();
        await test.Eraser.EraseTenantAsync(test.Tenant, None);

        Assert.Equal(before - 2, await test.CountRunsAsync());
        Assert.Null(await test.Runs.TakeAsync(waiting.Run, "me", RunStarts.Lease, None));
        Assert.False((await test.Runs.RenewAsync(held.Run, 1, RunStarts.Lease, None)).IsHeld);
        Assert.Equal(CommitOutcome.Fenced, await test.Store.CommitAsync(RunStarts.Commit(test, held.Run, 1, 2, "completed"), None));
        Assert.Null(await test.Runs.ReadEventsAsync(held.Run, 0, 10, None));
        Assert.NotNull(await test.Runs.TakeAsync(theirs.Run, "me", RunStarts.Lease, None));
    }

    [Fact]
    public async Task EraseTenant_WhateverItIsCalled_LeavesTheRunsOfOthersToBeFound()
    {
        await using var test = await OpenAsync();
        var theirs = RunStarts.Of(test.Tenant);
        await test.Runs.CreateAsync(theirs, None);

        await test.Eraser.EraseTenantAsync("runs", None);

        Assert.Contains(theirs.Run, await test.Runs.FindFreeAsync(1000, None));
    }

    [Fact]
    public async Task EraseTenant_OfManyResponses_LetsOthersCommitMeanwhile()
    {
        await using var test = await OpenAsync();
        var other = test.Tenant + "b";
        await Task.WhenAll(Enumerable.Range(0, 1500).Select(n => test.Store.CommitAsync(Commits.Start(test.Tenant, test.Time.GetUtcNow()), None).AsTask()));
        var theirs = Enumerable.Range(0, 300).Select(n => Commits.Start(other, test.Time.GetUtcNow())).ToArray();

        var erasing = test.Eraser.EraseTenantAsync(test.Tenant, None).AsTask();
        var outcomes = await Task.WhenAll(theirs.Select(commit => test.Store.CommitAsync(commit, None).AsTask()));
        var erased = await erasing;

        Assert.Equal(1500, erased.Responses);
        Assert.All(outcomes, outcome => Assert.Equal(CommitOutcome.Appended, outcome));
        Assert.Empty((await ListAsync(test, new ListQuery(1, null, null))).Data);
        foreach (var commit in theirs)
        {
            Assert.NotNull(await test.Store.GetAsync(other, commit.Id, None));
        }
    }

    [Fact]
    public async Task Branches_FiftyDeep_HaveTheirWholeHistory()
    {
        await using var test = await OpenAsync();
        List<TurnCommit> expected = [Commits.Start(test.Tenant, test.Time.GetUtcNow(), "root")];
        await test.Store.CommitAsync(expected[0], None);
        for (var depth = 1; depth <= 50; depth++)
        {
            // A child takes the place behind the parent, so the next one opens a chain.
            var parent = await LoadAsync(test, expected[^1].Id);
            await test.Store.CommitAsync(Commits.Child(test.Tenant, parent, test.Time.GetUtcNow(), "taken"), None);
            expected.Add(Commits.Child(test.Tenant, parent with { ParentIsTail = false }, test.Time.GetUtcNow(), $"depth {depth}"));
            Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(expected[^1], None));
        }

        var chain = await LoadAsync(test, expected[^1].Id);

        Assert.Equal(51, chain.Parent.Path.Count);
        Assert.Equal(expected.Select(commit => commit.Turn.Text()), chain.Turns.Select(turn => turn.Text()));
    }

    [Fact]
    public async Task Branches_FiveHundredWide_AllHaveTheWholeHistory()
    {
        await using var test = await OpenAsync();
        var parent = await LoadAsync(test, (await CommitChainAsync(test, 2))[^1].Id);
        var children = Enumerable.Range(0, 500)
            .Select(n => Commits.Child(test.Tenant, parent with { ParentIsTail = n % 2 == 0 }, test.Time.GetUtcNow(), $"child {n}")).ToArray();

        var outcomes = await Task.WhenAll(children.Select(child => test.Store.CommitAsync(child, None).AsTask()));

        Assert.Equal(249, outcomes.Count(outcome => outcome == CommitOutcome.Branched));
        Assert.Equal(251, outcomes.Count(outcome => outcome == CommitOutcome.Appended));
        var chains = await Task.WhenAll(children.Select(child => LoadAsync(test, child.Id)));
        for (var n = 0; n < children.Length; n++)
        {
            Assert.Equal([.. parent.Turns.Select(turn => turn.Text()), children[n].Turn.Text()], chains[n].Turns.Select(turn => turn.Text()));
        }
    }

    [Fact]
    public async Task Chain_OfTenThousandTurns_IsLoadedWholeAndGoesOn()
    {
        await using var test = await OpenAsync();
        var id = ResponseId.NewChain();
        List<Task<CommitOutcome>> commits = [];
        for (var n = 0; n < 10_000; n++)
        {
            PathSegment[] parent = n == 0 ? [] : [new PathSegment(id.Chain, "0", n)];
            commits.Add(test.Store.CommitAsync(Commits.Make(test.Tenant, id = id.NewInChain(), parent, test.Time.GetUtcNow(), $"turn {n}"), None).AsTask());
            if (n % 250 == 0 || !test.CommitsKeepTheirOrder)
            {
                await Task.WhenAll(commits);
            }
        }

        Assert.All(await Task.WhenAll(commits), outcome => Assert.Equal(CommitOutcome.Appended, outcome));

        var chain = await LoadAsync(test, id);
        var child = await CommitChildAsync(test, id);

        Assert.Equal(10_000, chain.Turns.Count);
        for (var n = 0; n < 10_000; n++)
        {
            Assert.Contains($"\"text\":\"turn {n}\"", Commits.Text(chain.Turns[n].Input[0]), StringComparison.Ordinal);
        }

        Assert.Equal([new PathSegment(id.Chain, "0", 10_001)], (await LoadAsync(test, child.Id)).Parent.Path);
    }

    [Fact]
    public async Task LargeTurn_ComesBackWhole()
    {
        await using var test = await OpenAsync();
        var large = new byte[3_000_000];
        Random.Shared.NextBytes(large);
        var commit = Commits.Start(test.Tenant, test.Time.GetUtcNow()) with { Turn = new Turn([large, "{}"u8.ToArray()], [large], default) };

        await test.Store.CommitAsync(commit, None);
        var chain = await LoadAsync(test, commit.Id);

        Assert.True(chain.Turns[0].Input[0].Span.SequenceEqual(large));
        Assert.True(chain.Turns[0].Output[0].Span.SequenceEqual(large));
    }

    [Fact]
    public async Task Cancelled_Caller_GetsNoStoreError()
    {
        await using var test = await OpenAsync();
        var commit = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        await test.Store.CommitAsync(commit, None);
        var cancelled = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => test.Store.LoadChainAsync(test.Tenant, commit.Id, cancelled).AsTask());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => test.Store.CommitAsync(commit, cancelled).AsTask());
        Assert.True(test.Store.Health.Available);
    }

    [Fact]
    public Task AnySequence_AgreesWithTheModel() => StoreProperty.CheckAsync(OpenAsync);

    [Fact]
    public Task Commit_HistoryIsGoneInPart_AgreesWithTheModel() => StoreProperty.CheckPartlyLostHistoryAsync(OpenAsync);

    private static ValueTask<bool> ClaimAsync(StoreUnderTest test, string name, string owner) =>
        test.Store.ClaimAsync(test.Tenant, name, owner, Commits.Retention, None);

    private static async Task<Chain> LoadAsync(StoreUnderTest test, ResponseId id) =>
        Assert.IsType<Chain>(await test.Store.LoadChainAsync(test.Tenant, id, None));

    private static async Task<StoredPage> ListAsync(StoreUnderTest test, ListQuery query) =>
        Assert.IsType<StoredPage>(await test.Store.ListAsync(test.Tenant, query, None));

    private static async Task<TurnCommit> CommitChildAsync(StoreUnderTest test, ResponseId parent)
    {
        test.Time.Advance(TimeSpan.FromMilliseconds(3));
        var child = Commits.Child(test.Tenant, await LoadAsync(test, parent), test.Time.GetUtcNow(), "child of " + parent);
        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(child, None));
        return child;
    }

    private static async Task<List<TurnCommit>> CommitChainAsync(StoreUnderTest test, int turns)
    {
        var first = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(first, None));
        List<TurnCommit> commits = [first];
        while (commits.Count < turns)
        {
            commits.Add(await CommitChildAsync(test, commits[^1].Id));
        }

        return commits;
    }

    /// <summary>45 responses over three days, some in the same millisecond; newest first.</summary>
    private static async Task<List<ResponseId>> CommitOver45MomentsAsync(StoreUnderTest test)
    {
        var now = test.Time.GetUtcNow();
        var created = Enumerable.Range(0, 45).Select(n => now - TimeSpan.FromMinutes(57) * (n - n % 4)).ToArray();
        var commits = created.Select(at => Commits.Start(test.Tenant, at)).ToArray();
        Random.Shared.Shuffle(commits);
        foreach (var commit in commits)
        {
            await test.Store.CommitAsync(commit, None);
        }

        return [.. commits.OrderByDescending(commit => commit.CreatedAt).ThenByDescending(commit => commit.Id.ToString(), StringComparer.Ordinal).Select(commit => commit.Id)];
    }
}
