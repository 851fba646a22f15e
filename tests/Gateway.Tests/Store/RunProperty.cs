using FsCheck;
using FsCheck.Fluent;
using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>
/// Any sequence of what replicas, followers and clients do to runs, old tokens and passing time included, means the same to a store and to
/// the model.
/// </summary>
internal static class RunProperty
{
    public enum Kind
    {
        Create,
        CreateAgain,
        Take,
        TakeAnyFree,
        Renew,
        Append,
        AppendAgain,
        Release,
        Commit,
        CommitAgain,
        Cancel,
        Follow,
        Delete,
        Drop,
        DeleteResponse,
        TimePasses,
    }

    public static Task CheckAsync(Func<Task<StoreUnderTest>> open)
    {
        var step = from kind in Gen.Frequency(
                       (3, Gen.Constant(Kind.Create)),
                       (1, Gen.Constant(Kind.CreateAgain)),
                       (3, Gen.Constant(Kind.Take)),
                       (2, Gen.Constant(Kind.TakeAnyFree)),
                       (3, Gen.Constant(Kind.Renew)),
                       (6, Gen.Constant(Kind.Append)),
                       (2, Gen.Constant(Kind.AppendAgain)),
                       (2, Gen.Constant(Kind.Release)),
                       (2, Gen.Constant(Kind.Commit)),
                       (1, Gen.Constant(Kind.CommitAgain)),
                       (1, Gen.Constant(Kind.Cancel)),
                       (1, Gen.Constant(Kind.Follow)),
                       (1, Gen.Constant(Kind.Delete)),
                       (1, Gen.Constant(Kind.Drop)),
                       (1, Gen.Constant(Kind.DeleteResponse)),
                       (4, Gen.Constant(Kind.TimePasses)))
                   from which in Gen.Choose(0, 1000)
                   from much in Gen.Choose(0, 1000)
                   select new Step(kind, which, much);
        var sequences = Arb.From(step.ArrayOf().Resize(50), WithoutOne);

        // FsCheck runs a property on the caller's thread.
        return Task.Run(() => Prop.ForAll(sequences, steps => RunAsync(open, steps).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(60)));
    }

    private static IEnumerable<Step[]> WithoutOne(Step[] steps) =>
        Enumerable.Range(0, steps.Length).Select(n => steps.Where((_, at) => at != n).ToArray());

    private static async Task RunAsync(Func<Task<StoreUnderTest>> open, Step[] steps)
    {
        await using var test = await open();
        var run = new Run(test, new ModelRuns(test.Time));
        foreach (var step in steps)
        {
            await run.DoAsync(step);
        }

        await run.EndAsync();
    }

    /// <param name="Kind">What is done.</param>
    /// <param name="Which">Chooses the run.</param>
    /// <param name="Much">Chooses all else: an owner, a token, a length, a time.</param>
    internal sealed record Step(Kind Kind, int Which, int Much);

    private sealed class Run(StoreUnderTest test, ModelRuns model)
    {
        private static readonly CancellationToken None = CancellationToken.None;

        // Leases end half an hour beside all other times, so that Redis's own clock, which goes on a little, decides nothing.
        private static readonly TimeSpan[] Leases = [TimeSpan.FromHours(0.5), TimeSpan.FromHours(2.5), TimeSpan.FromHours(7.5)];
        private readonly List<RunStart> _starts = [];
        private readonly List<(RunKey Run, long Token, RunAppend Append)> _appends = [];
        private readonly List<(TurnCommit Commit, RunFence Fence)> _commits = [];
        private int _texts;

        public async Task DoAsync(Step step)
        {
            if (step.Kind == Kind.TimePasses)
            {
                await test.AdvanceAsync(TimeSpan.FromHours(1 + step.Much % 9));
            }
            else if (step.Kind == Kind.Create)
            {
                var start = RunStarts.Of(test.Tenant, step.Much % 2 == 0 ? null : "a") with
                {
                    Lease = step.Much % 2 == 0 ? TimeSpan.Zero : Leases[step.Which % 3],
                    Events = step.Much % 5 == 0 ? [] : RunStarts.Many(Text(), Text()),
                    Retention = TimeSpan.FromHours(10.25 + step.Much % 3 * 10),
                };
                _starts.Add(start);
                await CreateAsync(start);
            }
            else if (_starts.Count > 0)
            {
                // Mostly one of the last: what is old has mostly ended.
                var start = _starts[^(1 + step.Which % Math.Min(_starts.Count, 4))];
                await DoAsync(step, start);
                await CompareAsync(start.Run);
            }
        }

        public async Task EndAsync()
        {
            foreach (var start in _starts)
            {
                await CompareAsync(start.Run);
            }

            // What is found may be held all the same: its lease was prolonged a little since.
            var found = await FreeAsync();
            Assert.Equal(
                _starts.Select(start => start.Run).Where(model.IsFree).Order(ById), found.Where(model.IsFree).Order(ById));
            await test.AdvanceAsync(TimeSpan.FromDays(101));
            foreach (var run in await FreeAsync())
            {
                Assert.Null(await test.Runs.TakeAsync(run, "c", Leases[0], None));
            }

            Assert.Equal(0, await test.CountAsync());
        }

        private static Comparer<RunKey> ById { get; } =
            Comparer<RunKey>.Create((one, other) => string.CompareOrdinal(one.Id.ToString(), other.Id.ToString()));

        private async Task DoAsync(Step step, RunStart start)
        {
            var run = start.Run;
            var owner = step.Much % 2 == 0 ? "a" : "b";
            var lease = Leases[step.Much % 3];

            // Tokens count from 1: among the first few are one that is the run's, one that was, and one that will be.
            long token = step.Much % 4;
            switch (step.Kind)
            {
                case Kind.CreateAgain:
                    await CreateAsync(start);
                    break;
                case Kind.Take:
                    await TakeAsync(run, owner, lease);
                    break;
                case Kind.TakeAnyFree:
                    foreach (var free in await FreeAsync())
                    {
                        await TakeAsync(free, owner, lease);
                    }

                    break;
                case Kind.Renew:
                    var expected = model.Renew(run, token, lease);
                    var signals = await test.Runs.RenewAsync(run, token, lease, None);
                    Assert.Equal(expected is not null, signals.IsHeld);
                    Assert.Equal(expected?.IsCancelled ?? false, signals.IsCancelled);
                    var ago = expected?.FollowedAgo ?? TimeSpan.Zero;
                    Assert.InRange(signals.FollowedAgo, ago, ago + TimeSpan.FromMinutes(10));
                    break;
                case Kind.Append:
                    var append = new RunAppend(
                        Math.Max(0, model.EventCount(run) - step.Which % 2),
                        RunStarts.Many([.. Enumerable.Range(0, step.Which % 4).Select(_ => Text())]),
                        Math.Max(0, model.EntryCount(run) - step.Which % 3),
                        RunStarts.Many([.. Enumerable.Range(0, step.Which % 5).Select(_ => Text())]));
                    await AppendAsync(run, token, append);
                    break;
                case Kind.AppendAgain when _appends.Count > 0:
                    var last = _appends[^1];
                    await AppendAsync(last.Run, last.Token, last.Append);
                    break;
                case Kind.Release:
                    model.Release(run, token);
                    await test.Runs.ReleaseAsync(run, token, None);
                    break;
                case Kind.Commit:
                    var fence = new RunFence(
                        token, model.EventCount(run), RunStarts.Many([.. Enumerable.Range(0, step.Which % 3).Select(_ => Text())]), TimeSpan.FromHours(4.25));
                    await CommitAsync(RunStarts.Commit(test, run, token, 0), fence);
                    break;
                case Kind.CommitAgain when _commits.Count > 0:
                    await CommitAsync(_commits[^1].Commit, _commits[^1].Fence);
                    break;
                case Kind.Cancel:
                    Assert.Equal(model.Cancel(run), await test.Runs.CancelAsync(run, None));
                    break;
                case Kind.Follow:
                    model.Follow(run);
                    await test.Runs.FollowedAsync(run, None);
                    break;
                case Kind.Delete:
                    Assert.Equal(model.Delete(run), await test.Runs.DeleteRunAsync(run, None));
                    break;
                case Kind.Drop:
                    Assert.Equal(model.Drop(run, token), await test.Runs.DropRunAsync(run, token, isUnmade: step.Which % 2 == 0, None));
                    break;
                case Kind.DeleteResponse:
                    Assert.Equal(model.DeleteResponse(run), await test.Store.DeleteAsync(run.Tenant, run.Id, None));
                    break;
            }
        }

        private string Text() => $"text {_texts++}";

        private async Task<RunKey[]> FreeAsync() =>
            [.. (await test.Runs.FindFreeAsync(100_000, None)).Where(run => run.Tenant == test.Tenant)];

        private async Task CompareAsync(RunKey run)
        {
            var live = await test.Runs.GetRunAsync(run, None);
            Assert.Equal(model.Get(run), live is null ? null : (Commits.Text(live.Spec), live.HasBegun));
            Assert.Equal(model.Events(run), (await test.Runs.ReadEventsAsync(run, 0, 10_000, None)).Texts());
        }

        private async Task CreateAsync(RunStart start) => Assert.Equal(model.Create(start), (await test.Runs.CreateAsync(start, None)).Token);

        private async Task TakeAsync(RunKey run, string owner, TimeSpan lease)
        {
            var expected = model.Take(run, owner, lease);
            var taken = await test.Runs.TakeAsync(run, owner, lease, None);
            Assert.Equal(expected?.Token, taken?.Token);
            Assert.Equal(expected?.Journal, taken?.Journal.Texts());
            Assert.Equal(expected?.IsCancelled, taken?.IsCancelled);
            Assert.Equal(expected?.Events, taken?.EventCount);
        }

        private async Task AppendAsync(RunKey run, long token, RunAppend append)
        {
            // A log that was deleted or has expired meanwhile would be too short.
            if (append.FirstEvent > model.EventCount(run) || append.FirstEntry > model.EntryCount(run))
            {
                return;
            }

            Assert.Equal(model.Append(run, token, append), await test.Runs.AppendAsync(run, token, append, None));
            _appends.Add((run, token, append));
        }

        private async Task CommitAsync(TurnCommit commit, RunFence fence)
        {
            var ending = commit with { Run = fence, Retention = TimeSpan.FromDays(100) };
            var run = new RunKey(commit.Tenant, commit.Id);

            // No id is used again whose response was deleted: the erased turn keeps its place.
            if (fence.FirstEvent > model.EventCount(run) || model.IsErased(run))
            {
                return;
            }

            Assert.Equal(model.Commit(ending, fence), await test.Store.CommitAsync(ending, None));
            _commits.Add((commit, fence));
        }
    }
}
