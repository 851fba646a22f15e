using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>What every store means by a conversation. Each store runs all of it.</summary>
public abstract class ConversationStoreTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private protected abstract Task<StoreUnderTest> OpenAsync();

    [Fact]
    public async Task Create_WithItems_KeepsAllOfIt()
    {
        await using var test = await OpenAsync();
        var id = ConversationId.New();
        var start = Talks.Start(test, id, "one", "two");

        await test.Conversations.CreateConversationAsync(start, None);
        await test.Conversations.CreateConversationAsync(start, None);

        var found = await test.Conversations.GetConversationAsync(test.Tenant, id, None);
        Assert.Equal((id, start.CreatedAt, Commits.Text(start.Metadata)), (found!.Id, found.CreatedAt, Commits.Text(found.Metadata)));
        Assert.Equal(["one", "two"], await test.ReadItemsAsync(id));
        Assert.Equal(["two", "one"], await test.ReadItemsAsync(id, ascending: false));
        Assert.Equal(["one", "two"], (await test.OpenTalkAsync(id)).Texts());
    }

    [Fact]
    public async Task Create_WithoutItems_IsEmptyAndCanGrow()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync();

        var empty = await test.OpenTalkAsync(id);
        Assert.Equal((ConversationAccess.Done, 0, 0), (empty.Access, empty.Length, empty.Turns.Count));
        Assert.Empty(await test.ReadItemsAsync(id));
        Assert.Equal(ConversationAccess.Done, await test.AddAsync(id, "one", "two"));
        Assert.Equal(["one", "two"], await test.ReadItemsAsync(id));
    }

    [Fact]
    public async Task SetMetadata_PutsItInThePlaceOfTheOld()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync();
        var created = (await test.Conversations.GetConversationAsync(test.Tenant, id, None))!.CreatedAt;

        var set = await test.Conversations.SetMetadataAsync(test.Tenant, id, Talks.Bytes("""{"a":"b"}"""), Commits.Retention, None);
        var found = await test.Conversations.GetConversationAsync(test.Tenant, id, None);

        Assert.Equal((created, """{"a":"b"}"""), (set!.CreatedAt, Commits.Text(set.Metadata)));
        Assert.Equal((created, """{"a":"b"}"""), (found!.CreatedAt, Commits.Text(found.Metadata)));
    }

    [Fact]
    public async Task Add_SentAgain_IsDoneOnce()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("one");
        var items = Talks.Items(id, "two");

        Assert.Equal(ConversationAccess.Done, await test.Conversations.AddItemsAsync(test.Tenant, id, items, Talks.NoLimit, Commits.Retention, None));
        Assert.Equal(ConversationAccess.Done, await test.Conversations.AddItemsAsync(test.Tenant, id, items, Talks.NoLimit, Commits.Retention, None));

        Assert.Equal(["one", "two"], await test.ReadItemsAsync(id));
    }

    [Fact]
    public async Task Add_ManyAtOnce_AllAreThereEachWhole()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync();

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 40).Select(n => test.AddAsync(id, $"{n} a", $"{n} b").AsTask()));

        Assert.All(outcomes, outcome => Assert.Equal(ConversationAccess.Done, outcome));
        var items = await test.ReadItemsAsync(id, limit: 7);
        Assert.Equal(Enumerable.Range(0, 40).SelectMany(n => (string[])[$"{n} a", $"{n} b"]).Order(), items.Order());
        Assert.All(items.Chunk(2), pair => Assert.Equal(pair[0].Replace('a', 'b'), pair[1]));
    }

    [Fact]
    public async Task Respond_AppendsItsTurnAndIsAResponseAsEver()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");

        var first = await test.SayAsync(id, "one");
        var second = await test.SayAsync(id, "two");
        var opened = await test.OpenTalkAsync(id);

        Assert.Equal(["hello", "Q one", "A one", "Q two", "A two"], opened.Texts());
        Assert.Equal(3, opened.Length);
        Assert.Equal(Commits.Text(second.Envelope), Commits.Text(opened.LastEnvelope));
        var stored = await test.Store.GetAsync(test.Tenant, first.Id, None);
        Assert.Equal(first.Turn.Text(), stored?.Turn.Text());
        Assert.Equal([new PathSegment(id.Chain, "c", 2)], stored!.Record.Path);
        Assert.Equal(
            [second.Id, first.Id],
            (await test.Store.ListAsync(test.Tenant, new ListQuery(10, null, null), None))!.Data.Select(response => response.Record.Id).Order(Comparer<ResponseId>.Create((a, b) => a == second.Id ? -1 : b == second.Id ? 1 : 0)));
        Assert.Equal(CommitOutcome.AlreadyCommitted, await test.Store.CommitAsync(second, None));
        Assert.Equal(3, (await test.OpenTalkAsync(id)).Length);
    }

    [Fact]
    public async Task PreviousResponse_InAConversation_OpensAChainOfItsOwn()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var first = await test.SayAsync(id, "one");
        await test.SayAsync(id, "two");
        var last = await test.SayAsync(id, "three");

        var tail = Assert.IsType<Chain>(await test.Store.LoadChainAsync(test.Tenant, last.Id, None));
        var chain = Assert.IsType<Chain>(await test.Store.LoadChainAsync(test.Tenant, first.Id, None));
        var child = Commits.Child(test.Tenant, chain, test.Time.GetUtcNow(), "elsewhere");
        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(child, None));

        Assert.False(tail.ParentIsTail);
        Assert.False(chain.ParentIsTail);
        Assert.NotEqual(id.Chain, child.Id.Chain);
        var ofChild = Assert.IsType<Chain>(await test.Store.LoadChainAsync(test.Tenant, child.Id, None));
        Assert.Equal([.. chain.Turns.Select(turn => turn.Text()), child.Turn.Text()], ofChild.Turns.Select(turn => turn.Text()));
        Assert.Equal(7, (await test.ReadItemsAsync(id)).Count);
    }

    [Fact]
    public async Task FailedTurn_IsKeptAsideAndLeavesTheConversationAsItWas()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");

        var failed = await test.SayAsync(id, "failed", aside: true);
        var first = await test.SayAsync(id, "one");

        Assert.Equal(["hello", "Q one", "A one"], (await test.OpenTalkAsync(id)).Texts());
        Assert.Equal(failed.Turn.Text(), (await test.Store.GetAsync(test.Tenant, failed.Id, None))?.Turn.Text());
        Assert.Equal(failed.Turn.Text(), (await test.Conversations.FindTurnAsync(test.Tenant, failed.Id, None))?.Text());
        Assert.Null(await test.Conversations.FindTurnAsync(test.Tenant, id, failed.Id, None));
        Assert.Equal(first.Turn.Text(), (await test.Conversations.FindTurnAsync(test.Tenant, id, first.Id, None))?.Text());
    }

    [Fact]
    public async Task Writers_AreOneAtATime()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");

        var one = await test.OpenTalkAsync(id, "one");
        Assert.Equal(ConversationAccess.Done, one.Access);
        Assert.Equal(ConversationAccess.Done, (await test.OpenTalkAsync(id, "one")).Access);
        Assert.Equal(ConversationAccess.Locked, (await test.OpenTalkAsync(id, "two")).Access);
        Assert.Equal(ConversationAccess.Locked, await test.AddAsync(id, "more"));
        Assert.Equal(ConversationAccess.Done, (await test.OpenTalkAsync(id)).Access);
        await test.Conversations.ReleaseAsync(test.Tenant, new ConversationLock(id, "two"), None);
        Assert.Equal(CommitOutcome.ConversationTaken, await test.Store.CommitAsync(test.Turn(id, "two", 1, "two"), None));
        Assert.Equal(ConversationAccess.Locked, (await test.OpenTalkAsync(id, "two")).Access);

        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(test.Turn(id, "one", 1, "one"), None));
        Assert.Equal(ConversationAccess.Done, await test.AddAsync(id, "more"));
        Assert.Equal(["hello", "Q one", "A one", "more"], (await test.OpenTalkAsync(id, "two")).Texts());
        await test.Conversations.ReleaseAsync(test.Tenant, new ConversationLock(id, "two"), None);
        Assert.Equal(ConversationAccess.Done, (await test.OpenTalkAsync(id, "three")).Access);
    }

    [Fact]
    public async Task Writers_ManyAtOnce_OneGetsIt()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");

        var opened = await Task.WhenAll(Enumerable.Range(0, 24).Select(n => test.OpenTalkAsync(id, $"writer {n}")));

        Assert.Equal(1, opened.Count(one => one.Access == ConversationAccess.Done));
        Assert.Equal(23, opened.Count(one => one.Access == ConversationAccess.Locked));
    }

    [Fact]
    public async Task Lease_ThatRanOut_IsForTheNextWriterAndTheOldOneIsRefused()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var killed = await test.OpenTalkAsync(id, "killed");
        await test.AdvanceAsync(Talks.Lease - TimeSpan.FromMinutes(1));
        Assert.Equal(ConversationAccess.Locked, (await test.OpenTalkAsync(id, "next")).Access);
        await test.AdvanceAsync(TimeSpan.FromMinutes(2));

        var next = await test.OpenTalkAsync(id, "next");
        Assert.Equal((ConversationAccess.Done, 1), (next.Access, next.Length));
        Assert.Equal(ConversationAccess.Locked, await test.Conversations.RenewAsync(test.Tenant, new ConversationLock(id, "killed"), Talks.Lease, None));
        Assert.Equal(CommitOutcome.ConversationTaken, await test.Store.CommitAsync(test.Turn(id, "killed", killed.Length, "killed"), None));
        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(test.Turn(id, "next", next.Length, "next"), None));

        // Nobody holds it now, but what the old writer has seen is no longer all of it.
        var late = test.Turn(id, "killed", killed.Length, "killed");
        Assert.Equal(CommitOutcome.ConversationTaken, await test.Store.CommitAsync(late, None));
        Assert.Null(await test.Store.GetAsync(test.Tenant, late.Id, None));
        Assert.Equal(["hello", "Q next", "A next"], (await test.OpenTalkAsync(id)).Texts());
    }

    [Fact]
    public async Task Lease_ThatRanOutAndNobodyTook_StillCommits()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var opened = await test.OpenTalkAsync(id, "slow");
        await test.AdvanceAsync(Talks.Lease * 2);

        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(test.Turn(id, "slow", opened.Length, "slow"), None));
    }

    [Fact]
    public async Task Lease_ThatIsRenewed_GoesOn()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        await test.OpenTalkAsync(id, "one");

        for (var n = 0; n < 4; n++)
        {
            await test.AdvanceAsync(Talks.Lease * 0.75);
            Assert.Equal(ConversationAccess.Done, await test.Conversations.RenewAsync(test.Tenant, new ConversationLock(id, "one"), Talks.Lease, None));
            Assert.Equal(ConversationAccess.Locked, (await test.OpenTalkAsync(id, "two")).Access);
        }

        await test.AdvanceAsync(Talks.Lease * 2);
        Assert.Equal(ConversationAccess.Done, await test.Conversations.RenewAsync(test.Tenant, new ConversationLock(id, "one"), Talks.Lease, None));
        Assert.Equal(ConversationAccess.Locked, (await test.OpenTalkAsync(id, "two")).Access);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task RunsHold_LastsUntilTheRunEnds_WhoeverMakesIt(bool isQueued)
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var (start, hold) = await StartRunAsync(test, id, isQueued ? null : "replica");

        await test.AdvanceAsync(Talks.Lease * 5);
        Assert.Equal(ConversationAccess.Locked, (await test.OpenTalkAsync(id, "two")).Access);
        Assert.Equal(ConversationAccess.Locked, await test.AddAsync(id, "more"));
        Assert.Equal(ConversationAccess.Done, await test.Conversations.RenewAsync(test.Tenant, hold, Talks.Lease, None));

        // Whoever takes it opens the conversation with the same token.
        var taken = Assert.IsType<TakenRun>(await test.Runs.TakeAsync(start.Run, "other", RunStarts.Lease, None));
        var opened = await test.OpenTalkAsync(id, hold.Token);
        Assert.Equal((ConversationAccess.Done, 1), (opened.Access, opened.Length));
        await test.AdvanceAsync(Talks.Lease * 5);
        Assert.Equal(ConversationAccess.Locked, (await test.OpenTalkAsync(id, "two")).Access);
        var commit = test.Turn(id, hold.Token, 1, "run") with { Id = start.Run.Id, Run = new RunFence(taken.Token, 2, [], RunStarts.EventRetention) };
        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(commit, None));

        Assert.Equal(ConversationAccess.Locked, await test.Conversations.RenewAsync(test.Tenant, hold, Talks.Lease, None));
        var next = await test.OpenTalkAsync(id, "two");
        Assert.Equal((ConversationAccess.Done, 2), (next.Access, next.Length));
    }

    [Fact]
    public async Task RunsHold_IsGivenUpWithTheRun_AndNotAnothers()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var (start, hold) = await StartRunAsync(test, id, "replica");

        Assert.True(await test.Runs.DeleteRunAsync(start.Run, None));

        // One who does not know of the end does not take it again.
        Assert.Equal(ConversationAccess.Locked, await test.Conversations.RenewAsync(test.Tenant, hold, Talks.Lease, None));
        Assert.Equal(ConversationAccess.Done, (await test.OpenTalkAsync(id, "two")).Access);
        Assert.False(await test.Runs.DeleteRunAsync(start.Run, None));
        Assert.Equal(ConversationAccess.Locked, (await test.OpenTalkAsync(id, "three")).Access);
    }

    [Fact]
    public async Task RunThatHadLostItsHold_TakesNoneAndMakesNoConversation()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        await test.OpenTalkAsync(id, "other");
        var run = new RunKey(test.Tenant, id.NewTurn());
        await test.Runs.CreateAsync(RunStarts.Of(run, null) with { HoldsConversation = true }, None);
        await test.AdvanceAsync(Talks.Lease * 2);
        Assert.Equal(ConversationAccess.Done, (await test.OpenTalkAsync(id, "two")).Access);

        var gone = new RunKey(test.Tenant, ConversationId.New().NewTurn());
        await test.Runs.CreateAsync(RunStarts.Of(gone, null) with { HoldsConversation = true }, None);
        Assert.True(await test.Runs.DeleteRunAsync(gone, None));
        Assert.True(await test.Runs.DeleteRunAsync(run, None));
        Assert.True(await test.Conversations.DeleteConversationAsync(test.Tenant, id, None));
        Assert.Equal(0, await test.CountAsync());
    }

    [Fact]
    public async Task RunOfADeletedConversation_FindsItGone_AndCommitsBesideIt()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var (start, hold) = await StartRunAsync(test, id, "replica");
        Assert.True(await test.Conversations.DeleteConversationAsync(test.Tenant, id, None));

        Assert.Equal(ConversationAccess.NotFound, await test.Conversations.RenewAsync(test.Tenant, hold, Talks.Lease, None));
        Assert.Equal(ConversationAccess.NotFound, (await test.OpenTalkAsync(id, hold.Token)).Access);
        var commit = test.Turn(id, hold.Token, 1, "run", aside: true) with { Id = start.Run.Id, Run = new RunFence(1, 2, [], RunStarts.EventRetention) };
        Assert.Equal(CommitOutcome.ConversationGone, await test.Store.CommitAsync(commit, None));
        Assert.Equal(CommitOutcome.Branched, await test.Store.CommitAsync(commit with { Conversation = null, ParentPath = [] }, None));

        Assert.Equal("failed", (await test.Store.GetAsync(test.Tenant, start.Run.Id, None))?.Record.Status);
        Assert.Null(await test.Runs.GetRunAsync(start.Run, None));
    }

    [Fact]
    public async Task Delete_TakesTheEventsOfItsResponsesToo()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var (start, hold) = await StartRunAsync(test, id, "replica");
        var commit = test.Turn(id, hold.Token, 1, "run") with { Id = start.Run.Id, Run = new RunFence(1, 2, [], RunStarts.EventRetention) };
        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(commit, None));
        Assert.NotNull(await test.Runs.ReadEventsAsync(start.Run, 0, 10, None));

        Assert.True(await test.Conversations.DeleteConversationAsync(test.Tenant, id, None));

        Assert.Null(await test.Store.GetAsync(test.Tenant, start.Run.Id, None));
        Assert.Null(await test.Runs.ReadEventsAsync(start.Run, 0, 10, None));
    }

    [Fact]
    public async Task Claim_InAConversation_StaysTakenAsLongAsTheConversation()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        Assert.True(await test.Conversations.KeepClaimAsync(test.Tenant, id.Chain, "approval", "first", None));
        Assert.True(await test.Conversations.KeepClaimAsync(test.Tenant, id.Chain, "given back", "first", None));
        await test.Conversations.DropClaimAsync(test.Tenant, id.Chain, "given back", "first", None);

        // Nothing is committed: additions, metadata and reads alone keep the conversation.
        for (var n = 0; n < 3; n++)
        {
            await test.AdvanceAsync(Commits.Retention * 0.75);
            await (n switch
            {
                0 => test.AddAsync(id, "more").AsTask(),
                1 => test.OpenTalkAsync(id),
                _ => (Task)test.Conversations.SetMetadataAsync(test.Tenant, id, Talks.Bytes("{}"), Commits.Retention, None).AsTask(),
            });
        }

        Assert.False(await test.Conversations.KeepClaimAsync(test.Tenant, id.Chain, "approval", "second", None));
        await test.Conversations.DropClaimAsync(test.Tenant, id.Chain, "approval", "second", None);
        Assert.False(await test.Conversations.KeepClaimAsync(test.Tenant, id.Chain, "approval", "second", None));
        Assert.True(await test.Conversations.KeepClaimAsync(test.Tenant, id.Chain, "approval", "first", None));
        Assert.True(await test.Conversations.KeepClaimAsync(test.Tenant, id.Chain, "given back", "second", None));
        Assert.True(await test.Conversations.KeepClaimAsync("other" + test.Tenant, id.Chain, "approval", "second", None));
        Assert.True(await test.Conversations.DeleteConversationAsync(test.Tenant, id, None));
        Assert.Equal(0, await test.CountAsync());
    }

    [Fact]
    public async Task Claim_WithoutAConversation_KeepsNothing()
    {
        await using var test = await OpenAsync();

        Assert.True(await test.Conversations.KeepClaimAsync(test.Tenant, ConversationId.New().Chain, "approval", "first", None));

        Assert.Equal(0, await test.CountAsync());
    }

    [Fact]
    public async Task Edit_ErasesAnItemFromItsResponseToo_AndTheOthersStayWhereTheyAre()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello", "there");
        var first = await test.SayAsync(id, "one");
        var second = await test.SayAsync(id, "two");

        Assert.True(await test.Conversations.EditTurnAsync(test.Tenant, id, first.Id, Talks.Without(0), None));
        Assert.False(await test.Conversations.EditTurnAsync(test.Tenant, id, first.Id, Talks.Without(0), None));
        Assert.False(await test.Conversations.EditTurnAsync(test.Tenant, id, first.Id, Talks.Without(9), None));

        Assert.Equal(["hello", "there", "A one", "Q two", "A two"], await test.ReadItemsAsync(id, limit: 2));
        Assert.Equal(["hello", "there", "A one", "Q two", "A two"], (await test.OpenTalkAsync(id)).Texts());
        var stored = (await test.Store.GetAsync(test.Tenant, first.Id, None))!.Turn;
        Assert.True(stored[0].IsEmpty);
        Assert.Equal("A one", Talks.TextOf(stored[1]));
        var chain = Assert.IsType<Chain>(await test.Store.LoadChainAsync(test.Tenant, second.Id, None));
        Assert.Equal(3, chain.Turns.Count);
        Assert.True(chain.Turns[1][0].IsEmpty);
    }

    [Fact]
    public async Task Edit_TakesTheEventsOfItsResponseToo_AndOfNoOther()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var runs = new List<RunKey>();
        foreach (var length in (int[])[1, 2])
        {
            var (start, hold) = await StartRunAsync(test, id, "replica");
            var commit = test.Turn(id, hold.Token, length, "run") with { Id = start.Run.Id, Run = new RunFence(1, 2, [], RunStarts.EventRetention) };
            Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(commit, None));
            runs.Add(start.Run);
        }

        Assert.False(await test.Conversations.EditTurnAsync(test.Tenant, id, runs[0].Id, Talks.Without(9), None));
        Assert.NotNull(await test.Runs.ReadEventsAsync(runs[0], 0, 10, None));
        Assert.True(await test.Conversations.EditTurnAsync(test.Tenant, id, runs[0].Id, Talks.Without(1), None));

        Assert.Null(await test.Runs.ReadEventsAsync(runs[0], 0, 10, None));
        Assert.NotNull(await test.Runs.ReadEventsAsync(runs[1], 0, 10, None));
        Assert.NotNull(await test.Store.GetAsync(test.Tenant, runs[0].Id, None));
    }

    [Fact]
    public async Task Edit_WhileSomebodyWrites_DisturbsNeither()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello", "there");
        var place = Talks.PlaceOf((await test.OpenTalkAsync(id, "one")).Turns[0][1]);

        Assert.True(await test.Conversations.EditTurnAsync(test.Tenant, id, place.Turn, Talks.Without(place.Index), None));
        Assert.Equal(CommitOutcome.Appended, await test.Store.CommitAsync(test.Turn(id, "one", 1, "one"), None));

        Assert.Equal(["hello", "Q one", "A one"], await test.ReadItemsAsync(id));
    }

    [Fact]
    public async Task Edit_OfOneTurnByManyAtOnce_LosesNothing()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync([.. Enumerable.Range(0, 20).Select(n => $"item {n}")]);
        var turn = Talks.PlaceOf((await test.OpenTalkAsync(id)).Turns[0][0]).Turn;

        var erased = await Task.WhenAll(Enumerable.Range(0, 18).Select(n => test.Conversations.EditTurnAsync(test.Tenant, id, turn, Talks.Without(n), None).AsTask()));

        Assert.All(erased, Assert.True);
        Assert.Equal(["item 18", "item 19"], await test.ReadItemsAsync(id));
    }

    [Fact]
    public async Task DeletedResponse_LeavesAHoleThatTheConversationGoesOnOver()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var first = await test.SayAsync(id, "one");
        var second = await test.SayAsync(id, "two");
        var cursor = Talks.PlaceOf(first.Turn[0]);

        Assert.True(await test.Store.DeleteAsync(test.Tenant, first.Id, None));
        var third = await test.SayAsync(id, "three");

        Assert.Equal(["hello", "Q two", "A two", "Q three", "A three"], (await test.OpenTalkAsync(id)).Texts());
        Assert.Equal(["A three", "Q three", "A two", "Q two", "hello"], await test.ReadItemsAsync(id, limit: 1, ascending: false));
        Assert.Null(await test.Conversations.FindTurnAsync(test.Tenant, id, first.Id, None));
        Assert.Null(await test.Conversations.FindTurnAsync(test.Tenant, first.Id, None));
        Assert.Null(await test.Store.LoadChainAsync(test.Tenant, second.Id, None));
        Assert.NotNull(await test.Store.GetAsync(test.Tenant, third.Id, None));

        // A client may stand in the hole with its cursor.
        var behind = await test.Conversations.ListItemsAsync(test.Tenant, id, new ItemQuery(10, true, cursor), None);
        Assert.True(behind!.Cursor!.Value.IsEmpty);
        Assert.Equal(["Q two", "A two", "Q three", "A three"], behind.Items.Select(Talks.TextOf));
    }

    [Fact]
    public async Task Delete_TakesAllThatWasMadeInIt()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var first = await test.SayAsync(id, "one");
        var failed = await test.SayAsync(id, "failed", aside: true);
        var chain = Assert.IsType<Chain>(await test.Store.LoadChainAsync(test.Tenant, first.Id, None));
        var child = Commits.Child(test.Tenant, chain, test.Time.GetUtcNow(), "elsewhere");
        await test.Store.CommitAsync(child, None);
        var writer = await test.OpenTalkAsync(id, "writer");

        Assert.True(await test.Conversations.DeleteConversationAsync(test.Tenant, id, None));

        Assert.False(await test.Conversations.DeleteConversationAsync(test.Tenant, id, None));
        Assert.Null(await test.Conversations.GetConversationAsync(test.Tenant, id, None));
        Assert.Null(await test.Conversations.ListItemsAsync(test.Tenant, id, new ItemQuery(10, true, null), None));
        Assert.Null(await test.Conversations.SetMetadataAsync(test.Tenant, id, Talks.Bytes("{}"), Commits.Retention, None));
        Assert.Equal(ConversationAccess.NotFound, (await test.OpenTalkAsync(id, "two")).Access);
        Assert.Equal(ConversationAccess.NotFound, await test.AddAsync(id, "more"));
        Assert.Equal(ConversationAccess.NotFound, await test.Conversations.RenewAsync(test.Tenant, new ConversationLock(id, "writer"), Talks.Lease, None));
        foreach (var turn in (ResponseId[])[first.Id, failed.Id])
        {
            Assert.Null(await test.Store.GetAsync(test.Tenant, turn, None));
            Assert.Null(await test.Conversations.FindTurnAsync(test.Tenant, turn, None));
        }

        Assert.Null(await test.Store.LoadChainAsync(test.Tenant, child.Id, None));
        Assert.Equal([child.Id], (await test.Store.ListAsync(test.Tenant, new ListQuery(10, null, null), None))!.Data.Select(response => response.Record.Id));
        Assert.True(await test.Store.DeleteAsync(test.Tenant, child.Id, None));
        Assert.Equal(await EmptyAfterOneDeletedResponseAsync(), await test.CountAsync());
        Assert.Equal(CommitOutcome.ConversationGone, await test.Store.CommitAsync(test.Turn(id, "writer", writer.Length, "late"), None));
        Assert.Equal(CommitOutcome.ConversationGone, await test.Store.CommitAsync(test.Turn(id, "writer", writer.Length, "late", aside: true), None));
        Assert.Empty((await test.Store.ListAsync(test.Tenant, new ListQuery(10, null, null), None))!.Data);
    }

    [Fact]
    public async Task Size_IsWhatItsTurnsHold()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var first = await test.SayAsync(id, "one");
        var turns = (await test.OpenTalkAsync(id)).Turns;
        var size = turns.Sum(turn => TurnCodec.Encode(turn).Length);

        Assert.Equal(ConversationAccess.TooLarge, await OpenWithinAsync(size - 1));
        Assert.Equal(ConversationAccess.Done, await OpenWithinAsync(size));
        var added = Talks.Items(id, "more");
        var most = size + added.Encode().Length;
        Assert.Equal(ConversationAccess.TooLarge, await test.Conversations.AddItemsAsync(test.Tenant, id, added, most - 1, Commits.Retention, None));
        Assert.Equal(ConversationAccess.Done, await test.Conversations.AddItemsAsync(test.Tenant, id, added, most, Commits.Retention, None));

        // What is erased counts no more.
        Assert.True(await test.Conversations.EditTurnAsync(test.Tenant, id, first.Id, Talks.Without(0), None));
        most -= first.Turn[0].Length;
        Assert.Equal(ConversationAccess.TooLarge, await OpenWithinAsync(most - 1));
        Assert.Equal(ConversationAccess.Done, await OpenWithinAsync(most));
        Assert.True(await test.Store.DeleteAsync(test.Tenant, first.Id, None));
        most += TurnCodec.Erased.Length - TurnCodec.Encode(Talks.Without(0)(first.Turn)!).Length;
        Assert.Equal(ConversationAccess.TooLarge, await OpenWithinAsync(most - 1));
        Assert.Equal(ConversationAccess.Done, await OpenWithinAsync(most));

        async Task<ConversationAccess> OpenWithinAsync(long bytes)
        {
            var opened = await test.Conversations.OpenAsync(Talks.Opening(test, id, "writer") with { MostBytes = bytes }, None);
            await test.Conversations.ReleaseAsync(test.Tenant, new ConversationLock(id, "writer"), None);
            return opened.Access;
        }
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(3, false)]
    [InlineData(20, true)]
    [InlineData(100, false)]
    public async Task List_PagesOverTurnsOfAllSizes_GiveEachOnceInOrder(int limit, bool ascending)
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("start 0", "start 1", "start 2");
        var expected = new List<string> { "start 0", "start 1", "start 2" };
        for (var n = 0; n < 45; n++)
        {
            if (n % 3 == 0)
            {
                await test.SayAsync(id, $"{n}");
                expected.AddRange([$"Q {n}", $"A {n}"]);
            }
            else
            {
                string[] texts = [.. Enumerable.Range(0, 1 + n % 4).Select(i => $"{n}.{i}")];
                await test.AddAsync(id, texts);
                expected.AddRange(texts);
            }
        }

        Assert.Equal(ascending ? expected : Enumerable.Reverse(expected), await test.ReadItemsAsync(id, limit, ascending));
    }

    [Fact]
    public async Task List_OfAPageInTheMiddleOfManyHoles_IsFull()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("first");
        for (var n = 0; n < 80; n++)
        {
            var said = await test.SayAsync(id, $"{n}");
            Assert.True(await test.Store.DeleteAsync(test.Tenant, said.Id, None));
        }

        await test.AddAsync(id, "last");

        Assert.Equal(["first", "last"], await test.ReadItemsAsync(id, limit: 2));
        Assert.Equal(["last", "first"], await test.ReadItemsAsync(id, limit: 1, ascending: false));
    }

    [Fact]
    public async Task List_UnknownCursors_AreSaidToBe()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("one");
        var failed = await test.SayAsync(id, "failed", aside: true);
        var known = Talks.PlaceOf((await test.OpenTalkAsync(id)).Turns[0][0]);
        var elsewhere = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        await test.Store.CommitAsync(elsewhere, None);

        foreach (var cursor in ((ResponseId, int)[])[(known.Turn, 1), (id.NewTurn(), 0), (failed.Id, 0), (elsewhere.Id, 0), (known.Turn with { Chain = elsewhere.Id.Chain }, 0)])
        {
            foreach (var ascending in (bool[])[true, false])
            {
                Assert.Null((await test.Conversations.ListItemsAsync(test.Tenant, id, new ItemQuery(10, ascending, cursor), None))!.Cursor);
            }
        }
    }

    [Fact]
    public async Task Tenants_SeeNothingOfEachOther()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var said = await test.SayAsync(id, "one");
        var other = test.Tenant + "-b";

        Assert.Null(await test.Conversations.GetConversationAsync(other, id, None));
        Assert.Null(await test.Conversations.SetMetadataAsync(other, id, Talks.Bytes("{}"), Commits.Retention, None));
        Assert.Null(await test.Conversations.ListItemsAsync(other, id, new ItemQuery(10, true, null), None));
        Assert.Null(await test.Conversations.FindTurnAsync(other, id, said.Id, None));
        Assert.Null(await test.Conversations.FindTurnAsync(other, said.Id, None));
        Assert.False(await test.Conversations.EditTurnAsync(other, id, said.Id, Talks.Without(0), None));
        Assert.Equal(ConversationAccess.NotFound, await test.Conversations.AddItemsAsync(other, id, Talks.Items(id, "x"), Talks.NoLimit, Commits.Retention, None));
        Assert.Equal(ConversationAccess.NotFound, (await test.Conversations.OpenAsync(Talks.Opening(test, id, "x") with { Tenant = other }, None)).Access);
        Assert.Equal(CommitOutcome.ConversationGone, await test.Store.CommitAsync(test.Turn(id, "x", 2, "x") with { Tenant = other }, None));
        Assert.False(await test.Conversations.DeleteConversationAsync(other, id, None));
        Assert.Equal(3, (await test.ReadItemsAsync(id)).Count);
    }

    [Fact]
    public async Task Item_OfAKnownChain_DoesNotLeadToItsConversation()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var guessed = id with { Self = ConversationId.New().Self };

        Assert.Null(await test.Conversations.GetConversationAsync(test.Tenant, guessed, None));
        Assert.Equal(ConversationAccess.NotFound, (await test.OpenTalkAsync(guessed, "x")).Access);
        Assert.Equal(ConversationAccess.NotFound, await test.AddAsync(guessed, "x"));
        Assert.Null(await test.Conversations.ListItemsAsync(test.Tenant, guessed, new ItemQuery(10, true, null), None));
        Assert.Equal(CommitOutcome.ConversationGone, await test.Store.CommitAsync(test.Turn(guessed, "x", 1, "x"), None));
        Assert.False(await test.Conversations.DeleteConversationAsync(test.Tenant, guessed, None));
        Assert.Equal(["hello"], await test.ReadItemsAsync(id));
    }

    [Fact]
    public async Task Expiry_OfAnUnusedConversation_LeavesNothingBehind()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        await test.StartTalkAsync();
        await test.SayAsync(id, "one");
        await test.SayAsync(id, "failed", aside: true);
        await test.OpenTalkAsync(id, "killed");

        await test.AdvanceAsync(Commits.Retention + TimeSpan.FromDays(1));

        Assert.Null(await test.Conversations.GetConversationAsync(test.Tenant, id, None));
        Assert.Null(await test.Conversations.ListItemsAsync(test.Tenant, id, new ItemQuery(10, true, null), None));
        Assert.Equal(ConversationAccess.NotFound, await test.AddAsync(id, "more"));
        Assert.Equal(0, await test.CountAsync());
    }

    [Theory]
    [InlineData("add")]
    [InlineData("say")]
    [InlineData("fail")]
    [InlineData("read")]
    [InlineData("set")]
    public async Task Expiry_OfAConversationInUse_IsMovedAndItsOldItemsAreStillFound(string use)
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync("hello");
        var first = await test.SayAsync(id, "one");
        for (var n = 0; n < 5; n++)
        {
            await test.AdvanceAsync(Commits.Retention * 0.75);
            _ = use switch
            {
                "add" => (object)await test.AddAsync(id, $"{n}"),
                "say" => await test.SayAsync(id, $"{n}"),
                "fail" => await test.SayAsync(id, $"{n}", aside: true),
                "read" => await test.OpenTalkAsync(id),
                _ => (await test.Conversations.SetMetadataAsync(test.Tenant, id, Talks.Bytes("{}"), Commits.Retention, None))!,
            };
        }

        // The response is over its time; its items belong to the conversation.
        Assert.Null(await test.Store.GetAsync(test.Tenant, first.Id, None));
        Assert.Equal(["hello", "Q one", "A one"], (await test.ReadItemsAsync(id)).Take(3));
        Assert.Equal(first.Turn.Text(), (await test.Conversations.FindTurnAsync(test.Tenant, id, first.Id, None))?.Text());
        Assert.Equal(first.Turn.Text(), (await test.Conversations.FindTurnAsync(test.Tenant, first.Id, None))?.Text());
        Assert.True(await test.Conversations.EditTurnAsync(test.Tenant, id, first.Id, Talks.Without(1), None));
        Assert.True(await test.Conversations.DeleteConversationAsync(test.Tenant, id, None));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Expiry_OfFirstItemsWithAShorterRetention_IsTheConversations(bool response)
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync();
        var brief = TimeSpan.FromHours(1);
        if (response)
        {
            await test.OpenTalkAsync(id, "writer");
            await test.Store.CommitAsync(test.Turn(id, "writer", 0, "one") with { Retention = brief }, None);
        }
        else
        {
            await test.Conversations.AddItemsAsync(test.Tenant, id, Talks.Items(id, "Q one", "A one"), Talks.NoLimit, brief, None);
        }

        await test.AdvanceAsync(brief * 2);

        Assert.Equal(["Q one", "A one"], await test.ReadItemsAsync(id));
        Assert.Equal(["Q one", "A one"], (await test.OpenTalkAsync(id, "next")).Texts());
    }

    [Fact]
    public async Task SeveralThousandItems_AreReadPageByPageAndAsAWhole()
    {
        await using var test = await OpenAsync();
        var id = await test.StartTalkAsync();
        var texts = Enumerable.Range(0, 5000).Select(n => $"item {n}").ToArray();
        foreach (var twenty in texts.Chunk(20))
        {
            Assert.Equal(ConversationAccess.Done, await test.AddAsync(id, twenty));
        }

        var middle = Talks.PlaceOf((await test.OpenTalkAsync(id)).Turns[125][3]);
        var page = await test.Conversations.ListItemsAsync(test.Tenant, id, new ItemQuery(100, false, middle), None);

        Assert.Equal(texts.Skip(2403).Take(100).Reverse(), page!.Items.Select(Talks.TextOf));
        Assert.Equal(texts, await test.ReadItemsAsync(id));
        Assert.Equal(texts, (await test.OpenTalkAsync(id, "writer")).Texts());
        Assert.True(await test.Conversations.DeleteConversationAsync(test.Tenant, id, None));
        Assert.Equal(0, await test.CountAsync());
    }

    [Fact]
    public async Task Turn_OfAnyResponse_IsFoundByItsItems()
    {
        await using var test = await OpenAsync();
        var commit = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        var aside = Commits.Start(test.Tenant, test.Time.GetUtcNow()) with { Aside = true };
        await test.Store.CommitAsync(commit, None);
        await test.Store.CommitAsync(aside, None);

        Assert.Equal(commit.Turn.Text(), (await test.Conversations.FindTurnAsync(test.Tenant, commit.Id, None))?.Text());
        Assert.Equal(aside.Turn.Text(), (await test.Conversations.FindTurnAsync(test.Tenant, aside.Id, None))?.Text());
        Assert.Null(await test.Conversations.FindTurnAsync(test.Tenant, commit.Id.NewInChain(), None));
        Assert.True(await test.Store.DeleteAsync(test.Tenant, commit.Id, None));
        Assert.Null(await test.Conversations.FindTurnAsync(test.Tenant, commit.Id, None));
    }

    [Fact]
    public async Task EraseTenant_TakesItsConversationsAndNoOthers()
    {
        await using var test = await OpenAsync();
        var other = test.Tenant + "b";
        var theirs = ConversationId.New();
        await test.Conversations.CreateConversationAsync(Talks.Start(test, theirs, "theirs") with { Tenant = other }, None);
        var before = await test.CountAsync();
        var id = await test.StartTalkAsync("hello");
        await test.SayAsync(id, "one");
        await test.SayAsync(id, "two", aside: true);
        var empty = await test.StartTalkAsync();
        await test.OpenTalkAsync(id, "writer");
        var entries = await test.CountAsync() - before;

        Assert.Equal(new TenantErasure(2, entries), await test.Eraser.EraseTenantAsync(test.Tenant, None));

        Assert.Equal(before, await test.CountAsync());
        Assert.Null(await test.Conversations.GetConversationAsync(test.Tenant, id, None));
        Assert.Null(await test.Conversations.GetConversationAsync(test.Tenant, empty, None));
        Assert.NotNull(await test.Conversations.GetConversationAsync(other, theirs, None));
        Assert.Equal(default, await test.Eraser.EraseTenantAsync(test.Tenant, None));
        Assert.Equal(CommitOutcome.ConversationGone, await test.Store.CommitAsync(test.Turn(id, "writer", 2, "late"), None));
    }

    /// <summary>What a deleted response alone leaves until its time is over: its log with the tombstone.</summary>
    private async Task<int> EmptyAfterOneDeletedResponseAsync()
    {
        await using var test = await OpenAsync();
        var commit = Commits.Start(test.Tenant, test.Time.GetUtcNow());
        await test.Store.CommitAsync(commit, None);
        await test.Store.DeleteAsync(test.Tenant, commit.Id, None);
        return await test.CountAsync();
    }

    private static async Task<(RunStart Start, ConversationLock Hold)> StartRunAsync(StoreUnderTest test, ConversationId id, string? owner)
    {
        var run = new RunKey(test.Tenant, id.NewTurn());
        Assert.Equal(ConversationAccess.Done, (await test.OpenTalkAsync(id, run.Id.Self)).Access);
        var start = RunStarts.Of(run, owner) with { HoldsConversation = true };
        Assert.Equal(RunRefusal.None, (await test.Runs.CreateAsync(start, None)).Refusal);
        return (start, new ConversationLock(id, run.Id.Self, IsRuns: true));
    }
}
