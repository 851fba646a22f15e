using FsCheck;
using FsCheck.Fluent;
using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>
/// Any sequence of appends, branches, races, deletions, conversations with their writers, and passing time means the same to a store and to the
/// model.
/// </summary>
internal static partial class StoreProperty
{
    public enum Kind
    {
        Start,
        Continue,
        Race,
        ContinueFromAnOldLoad,
        Aside,
        SendAgain,
        Delete,
        TimePasses,
        StartTalk,
        AddItems,
        Hold,
        Say,
        Fail,
        Renew,
        Release,
        EraseItem,
        DeleteTalk,
    }

    public static Task CheckAsync(Func<Task<StoreUnderTest>> open)
    {
        var step = from kind in Gen.Frequency(
                       (2, Gen.Constant(Kind.Start)),
                       (6, Gen.Constant(Kind.Continue)),
                       (3, Gen.Constant(Kind.Race)),
                       (2, Gen.Constant(Kind.ContinueFromAnOldLoad)),
                       (1, Gen.Constant(Kind.Aside)),
                       (1, Gen.Constant(Kind.SendAgain)),
                       (2, Gen.Constant(Kind.Delete)),
                       (2, Gen.Constant(Kind.TimePasses)),
                       (2, Gen.Constant(Kind.StartTalk)),
                       (3, Gen.Constant(Kind.AddItems)),
                       (4, Gen.Constant(Kind.Hold)),
                       (5, Gen.Constant(Kind.Say)),
                       (1, Gen.Constant(Kind.Fail)),
                       (1, Gen.Constant(Kind.Renew)),
                       (1, Gen.Constant(Kind.Release)),
                       (3, Gen.Constant(Kind.EraseItem)),
                       (1, Gen.Constant(Kind.DeleteTalk)))
                   from which in Gen.Choose(0, 1000)
                   from hours in Gen.Choose(1, 20)
                   select new Step(kind, which, hours);
        var sequences = Arb.From(step.ArrayOf().Resize(60), WithoutOne);

        // FsCheck runs a property on the caller's thread.
        return Task.Run(() => Prop.ForAll(sequences, steps => RunAsync(open, steps).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(80)));
    }

    /// <summary>A sequence that told a store from the model once: what is left of a history that is gone in part.</summary>
    public static Task CheckPartlyLostHistoryAsync(Func<Task<StoreUnderTest>> open) => RunAsync(
        open,
        [
            new Step(Kind.Start, 168, 10),
            new Step(Kind.Continue, 599, 1),
            new Step(Kind.Race, 868, 2),
            new Step(Kind.Race, 516, 10),
            new Step(Kind.TimePasses, 438, 12),
            new Step(Kind.Continue, 883, 3),
            new Step(Kind.Continue, 30, 20),
            new Step(Kind.TimePasses, 949, 15),
            new Step(Kind.ContinueFromAnOldLoad, 844, 19),
            new Step(Kind.TimePasses, 689, 20),
            new Step(Kind.ContinueFromAnOldLoad, 286, 16),
        ]);

    private static IEnumerable<Step[]> WithoutOne(Step[] steps) =>
        Enumerable.Range(0, steps.Length).Select(n => steps.Where((_, at) => at != n).ToArray());

    private static async Task RunAsync(Func<Task<StoreUnderTest>> open, Step[] steps)
    {
        await using var test = await open();
        var run = new Run(test, new ModelStore(test.Time, test.KeepsWhatIsLeft));
        foreach (var step in steps)
        {
            await run.DoAsync(step);
        }

        await run.CompareAllAsync();
    }

    internal sealed record Step(Kind Kind, int Which, int Hours);

    private sealed partial class Run(StoreUnderTest test, ModelStore model)
    {
        private static readonly CancellationToken None = CancellationToken.None;
        private readonly List<TurnCommit> _commits = [];
        private readonly List<Chain> _loads = [];
        private int _texts;

        public async Task DoAsync(Step step)
        {
            switch (step.Kind)
            {
                case Kind.TimePasses:
                    await test.AdvanceAsync(TimeSpan.FromHours(step.Hours));
                    return;
                case Kind.Start:
                    await CommitAsync(Commits.Start(test.Tenant, test.Time.GetUtcNow(), Text()), step);
                    return;
                case Kind.ContinueFromAnOldLoad when _loads.Count > 0:
                    await CommitAsync(Child(_loads[step.Which % _loads.Count]), step);
                    return;
            }

            if (await DoInTalkAsync(step) || _commits.Count == 0)
            {
                return;
            }

            var commit = _commits[step.Which % _commits.Count];
            switch (step.Kind)
            {
                case Kind.Continue when await LoadParentAsync(commit.Id) is { } parent:
                    await CommitAsync(Child(parent), step);
                    break;
                case Kind.Race when await LoadParentAsync(commit.Id) is { } parent:
                    await CommitAsync(Child(parent), step);
                    await CommitAsync(Child(parent), step);
                    break;
                case Kind.Aside when await LoadParentAsync(commit.Id) is { } parent:
                    await CommitAsync(Child(parent) with { Aside = true }, step);
                    break;

                // Across chains a second try moves the expiry of the other logs once more in Redis: that is tried at once, in CommitAsync.
                case Kind.SendAgain when model.Exists(commit.Id) && commit.ParentPath.All(segment => segment.Chain == commit.Id.Chain):
                    Assert.Equal(CommitOutcome.AlreadyCommitted, await test.Store.CommitAsync(commit, None));
                    break;
                case Kind.Delete:
                    Assert.Equal(model.Delete(commit.Id), await test.Store.DeleteAsync(test.Tenant, commit.Id, None));
                    break;
            }
        }

        public async Task CompareAllAsync()
        {
            foreach (var commit in _commits)
            {
                await LoadAsync(commit.Id);
                Assert.Equal(model.Get(commit.Id)?.Text(), (await test.Store.GetAsync(test.Tenant, commit.Id, None))?.Turn.Text());
            }

            await CompareTalksAsync();
            var page = await test.Store.ListAsync(test.Tenant, new ListQuery(1000, null, null), None);
            Assert.Equal(model.List(), page?.Data.Select(stored => stored.Record.Id));

            // A list sends its housekeeping without waiting for it: what is asked behind it, of the same slot, is answered behind it.
            Assert.Null(await test.Store.FindOwnerAsync(test.Tenant, "nobody's", None));
            await test.AdvanceAsync(TimeSpan.FromDays(5));
            Assert.Equal(0, await test.CountAsync());
        }

        private string Text() => $"text {_texts++}";

        private TurnCommit Child(Chain parent) => Commits.Child(test.Tenant, parent, test.Time.GetUtcNow(), Text());

        private static TimeSpan RetentionOf(Step step) => TimeSpan.FromHours(10 + step.Which % 3 * 15);

        private async Task CommitAsync(TurnCommit commit, Step step)
        {
            var kept = commit with { Retention = RetentionOf(step) };
            var outcome = model.Commit(kept);
            Assert.Equal(outcome, await test.Store.CommitAsync(kept, None));
            if (step.Which % 5 == 0 && outcome is CommitOutcome.Appended or CommitOutcome.Branched)
            {
                Assert.Equal(CommitOutcome.AlreadyCommitted, await test.Store.CommitAsync(kept, None));
            }

            _commits.Add(kept);
        }

        /// <summary>As <see cref="LoadAsync"/>, but for what failed in a conversation: no such response is continued.</summary>
        private async Task<Chain?> LoadParentAsync(ResponseId id) =>
            await LoadAsync(id) is { Parent.Status: not "failed" } parent ? parent : null;

        private async Task<Chain?> LoadAsync(ResponseId id)
        {
            var expected = model.Load(id);
            var chain = await test.Store.LoadChainAsync(test.Tenant, id, None);
            Assert.Equal(expected?.Turns.Select(turn => turn.Text()), chain?.Turns.Select(turn => turn.Text()));
            Assert.Equal(expected?.Path, chain?.Parent.Path);
            Assert.Equal(expected?.IsTail, chain?.ParentIsTail);
            if (chain is { Parent.Status: not "failed" })
            {
                _loads.Add(chain);
            }

            return chain;
        }
    }
}
