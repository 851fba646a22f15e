using System.Text;
using Gateway.Store;
using Gateway.Store.Sqlite;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Tests.Store;

public sealed class SqliteFailureTests : IDisposable
{
    private const string Tenant = "acme";
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly DateTimeOffset Created = DateTimeOffset.UtcNow;
    private readonly string _folder = Directory.CreateTempSubdirectory("gateway-store-").FullName;
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().AddSingleton<StoreMetrics>().BuildServiceProvider();

    private string Database => Path.Combine(_folder, "gateway.db");

    public void Dispose()
    {
        _services.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Store_Reopened_HasAll()
    {
        var commit = Commits.Start(Tenant, Created);
        await using (var first = await OpenAsync())
        {
            await first.CommitAsync(commit, None);
        }

        await using var second = await OpenAsync();

        Assert.Equal(commit.Turn.Text(), (await second.GetAsync(Tenant, commit.Id, None))?.Turn.Text());
    }

    [Fact]
    public async Task Store_Reopened_GivesUpTheHoldsOfAllButRuns()
    {
        var (left, goesOn) = (ConversationId.New(), ConversationId.New());
        var run = new RunKey(Tenant, goesOn.NewTurn());
        await using (var first = await OpenAsync())
        {
            foreach (var id in (ConversationId[])[left, goesOn])
            {
                await first.Conversations.CreateConversationAsync(
                    new ConversationStart { Tenant = Tenant, Id = id, CreatedAt = Created, Metadata = "{}"u8.ToArray(), Retention = Commits.Retention }, None);
                Assert.Equal(ConversationAccess.Done, (await HoldAsync(first, id, run.Id.Self)).Access);
            }

            await first.Runs.CreateAsync(RunStarts.Of(run, "process") with { HoldsConversation = true }, None);
        }

        await using var second = await OpenAsync();

        Assert.Equal(ConversationAccess.Done, (await HoldAsync(second, left, "other")).Access);
        Assert.Equal(ConversationAccess.Locked, (await HoldAsync(second, goesOn, "other")).Access);
        Assert.NotNull(await second.Runs.TakeAsync(run, "process 2", RunStarts.Lease, None));
        Assert.Equal(ConversationAccess.Done, (await HoldAsync(second, goesOn, run.Id.Self)).Access);

        static async Task<OpenedConversation> HoldAsync(SqliteResponseStore store, ConversationId id, string token) => await store.Conversations.OpenAsync(
            new ConversationOpening { Tenant = Tenant, Id = id, Token = token, Lease = Talks.Lease, MostBytes = Talks.NoLimit, Retention = Commits.Retention }, None);
    }

    [Fact]
    public async Task Store_ClosedWhileCommitting_KeepsWhatItTold()
    {
        var commits = Enumerable.Range(0, 300).Select(_ => Commits.Start(Tenant, Created)).ToArray();
        var first = await OpenAsync();

        var waiting = commits.Select(commit => first.CommitAsync(commit, None).AsTask()).ToArray();
        await first.DisposeAsync();
        await Task.WhenAll(waiting.Select(task => task.ContinueWith(_ => { }, TaskScheduler.Default)));

        await using var second = await OpenAsync();
        var kept = 0;
        for (var n = 0; n < commits.Length; n++)
        {
            if (waiting[n].IsCompletedSuccessfully)
            {
                kept++;
                Assert.NotNull(await second.GetAsync(Tenant, commits[n].Id, None));
            }
            else
            {
                Assert.IsType<StoreUnavailableException>(waiting[n].Exception?.InnerException);
            }
        }

        Assert.True(kept > 0, "nothing was committed before it was closed");
    }

    [Fact]
    public async Task Store_KilledWhileCommitting_HasAllThatWasAcknowledged()
    {
        var acknowledged = new List<string>();
        using (var child = CrashingWriter.Start(_folder))
        {
            while (acknowledged.Count < 400)
            {
                acknowledged.Add(Assert.IsType<string>(await child.StandardOutput.ReadLineAsync()));
            }

            child.Kill();
            while (await child.StandardOutput.ReadLineAsync() is { } late)
            {
                acknowledged.Add(late);
            }

            await child.WaitForExitAsync();
            Assert.Equal(128 + 9, child.ExitCode);
        }

        // The last line may be cut off by the kill.
        acknowledged.RemoveAll(line => !line.EndsWith('.'));
        await using var store = await OpenAsync();
        foreach (var line in acknowledged)
        {
            var parts = line.Split(' ');
            Assert.True(ResponseId.TryParse(parts[0], out var id));
            var chain = Assert.IsType<Chain>(await store.LoadChainAsync(CrashingWriter.Tenant, id, None));
            Assert.Equal(int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture), chain.Turns.Count);
            Assert.All(chain.Turns, turn => Assert.EndsWith(CrashingWriter.Text + " ž𝄞\"}·{\"calls\":[1]}", turn.Text(), StringComparison.Ordinal));
            Assert.NotNull(await store.GetAsync(CrashingWriter.Tenant, id, None));
        }
    }

    [Fact]
    public async Task Start_FolderInUse_SaysWhatToDo()
    {
        await using var first = await OpenAsync();

        var error = await Assert.ThrowsAsync<StoreUnavailableException>(OpenAsync);

        Assert.Contains("Gateway:Store:Path", error.Message, StringComparison.Ordinal);
        Assert.Contains(_folder, error.Message, StringComparison.Ordinal);
        Assert.Contains("Another gateway process uses this folder", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_NewerSchema_Refuses()
    {
        await (await OpenAsync()).DisposeAsync();
        using (var session = SqliteSession.OpenWriter(Database))
        {
            session.Run("UPDATE readers SET oldest = 99; PRAGMA user_version = 99");
        }

        var error = await Assert.ThrowsAsync<StoreUnavailableException>(OpenAsync);

        Assert.Contains("schema version 99", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Start_DatabaseOfVersion1_IsBroughtUpToDateWithAllThatIsInIt(bool hasClaims)
    {
        var commit = Commits.Start(Tenant, Created);
        await using (var first = await OpenAsync())
        {
            await first.CommitAsync(commit, None);
        }

        // As the gateway of version 1 left it: some had made the table of claims already.
        using (var session = SqliteSession.OpenWriter(Database))
        {
            session.Run("DROP TABLE run; DROP TABLE run_spec; DROP TABLE run_journal; DROP TABLE run_event; DROP TABLE conversation; DROP TABLE place; DROP TABLE readers; PRAGMA user_version = 1");
            if (hasClaims)
            {
                session.Run($"INSERT INTO claim VALUES ('{Tenant}', '{ClaimName.Of("approval")}', 'me', {long.MaxValue})");
            }
            else
            {
                session.Run("DROP TABLE claim");
            }
        }

        await using var second = await OpenAsync();

        Assert.Equal(commit.Turn.Text(), (await second.GetAsync(Tenant, commit.Id, None))?.Turn.Text());
        Assert.Equal(!hasClaims, await second.ClaimAsync(Tenant, "approval", "you", TimeSpan.FromDays(1), None));
        Assert.Equal(1, (await second.Runs.CreateAsync(RunStarts.Of(Tenant, "a"), None)).Token);
    }

    [Fact]
    public async Task Start_AfterTheProcessBefore_EveryRunIsFreeAndWhole()
    {
        var start = RunStarts.Of(Tenant, "a");
        await using (var first = await OpenAsync())
        {
            await first.Runs.CreateAsync(start, None);
            await first.Runs.AppendAsync(start.Run, 1, new RunAppend(2, RunStarts.Many("three"), 0, RunStarts.Many("round")), None);
        }

        await using var second = await OpenAsync();

        Assert.Equal([start.Run], await second.Runs.FindFreeAsync(10, None));
        Assert.False((await second.Runs.RenewAsync(start.Run, 1, RunStarts.Lease, None)).IsHeld);
        var taken = Assert.IsType<TakenRun>(await second.Runs.TakeAsync(start.Run, "b", RunStarts.Lease, None));
        Assert.Equal(2, taken.Token);
        Assert.Equal(["round"], taken.Journal.Texts());
        Assert.Equal(["created", "in progress", "three"], (await second.Runs.ReadEventsAsync(start.Run, 0, 10, None)).Texts());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Run_AfterItsEndAndTheNextSweep_ItsSpecAndJournalAreGoneFromEveryFile(bool isDeleted)
    {
        await using var store = await OpenAsync();
        var start = RunStarts.Of(Tenant, "a") with { Spec = RunStarts.Bytes("the spec that must not stay") };
        await store.Runs.CreateAsync(start, None);
        await store.Runs.AppendAsync(start.Run, 1, RunStarts.Entries(0, "the entry that must not stay"), None);
        await store.SweepAsync(None);
        Assert.True(AnyFileHolds("the spec that must not stay"));
        Assert.True(AnyFileHolds("the entry that must not stay"));

        if (isDeleted)
        {
            await store.Runs.DeleteRunAsync(start.Run, None);
        }
        else
        {
            var fence = new RunFence(1, 2, RunStarts.Many("the event that stays"), TimeSpan.FromDays(1));
            await store.CommitAsync(Commits.Make(Tenant, start.Run.Id, [], Created, "made by a run") with { Run = fence }, None);
        }

        await store.SweepAsync(None);

        Assert.False(AnyFileHolds("must not stay"));
        Assert.Equal(!isDeleted, AnyFileHolds("the event that stays"));
    }

    [Fact]
    public async Task Run_WritesThatWaitLongerThanTheirCaller_KeepWhatTheyWereGiven()
    {
        await using var store = await OpenAsync();
        var start = RunStarts.Of(Tenant, "a");
        await store.Runs.CreateAsync(start, None);
        var text = Encoding.UTF8.GetBytes("mine");
        var late = RunStarts.Of(Tenant, "a") with { Spec = text, Events = [text] };
        using (var other = SqliteSession.OpenWriter(Database))
        {
            other.Run("BEGIN IMMEDIATE");
            await Assert.ThrowsAsync<StoreUnavailableException>(
                () => store.Runs.AppendAsync(start.Run, 1, new RunAppend(2, [text], 0, [text]), None).AsTask());
            await Assert.ThrowsAsync<StoreUnavailableException>(() => store.Runs.CreateAsync(late, None).AsTask());

            // As a pooled buffer that now serves another request.
            Encoding.UTF8.GetBytes("evil", text);
        }

        LiveRun? made;
        while ((made = await store.Runs.GetRunAsync(late.Run, None)) is null)
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        Assert.Equal("mine", Commits.Text(made.Spec));
        Assert.Equal(["mine"], (await store.Runs.ReadEventsAsync(late.Run, 0, 10, None)).Texts());
        Assert.Equal(["created", "in progress", "mine"], (await store.Runs.ReadEventsAsync(start.Run, 0, 10, None)).Texts());
        await store.Runs.ReleaseAsync(start.Run, 1, None);
        Assert.Equal(["mine"], (await store.Runs.TakeAsync(start.Run, "b", RunStarts.Lease, None))?.Journal.Texts());
    }

    [Fact]
    public async Task Start_NotADatabase_Refuses()
    {
        await File.WriteAllTextAsync(Database, new string('x', 10_000));

        var error = await Assert.ThrowsAsync<StoreUnavailableException>(OpenAsync);

        Assert.Contains("can not be opened", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_UnusablePath_Refuses()
    {
        var file = Path.Combine(_folder, "file");
        await File.WriteAllTextAsync(file, string.Empty);

        var error = await Assert.ThrowsAsync<StoreUnavailableException>(() => OpenAsync(Path.Combine(file, "below")));

        Assert.Contains("The folder can not be made", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A table that comes later must be erased too: SqliteWrites.EraseTenant, and then this list.</summary>
    [Fact]
    public async Task Schema_TablesOfTenants_AreThoseThatAreErasedWithThem()
    {
        await (await OpenAsync()).DisposeAsync();
        using var session = SqliteSession.OpenReader(Database);
        List<string> tables = [];
        using (var rows = session.Prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'readers' ORDER BY name").ExecuteReader())
        {
            while (rows.Read())
            {
                tables.Add(rows.GetString(0));
            }
        }

        Assert.Equal(["claim", "conversation", "log", "place", "response", "run", "run_event", "run_journal", "run_spec", "turn"], tables);
    }

    /// <summary>
    /// The steps of SQLite's machine are counted, not the time: a page in the middle of 300,000 responses takes what one of 3,000 takes, so it
    /// takes that of a million too.
    /// </summary>
    [Fact]
    public async Task List_AnyPageOfManyResponses_CostsTheSame()
    {
        await using var store = await OpenAsync();
        using var writer = SqliteSession.OpenWriter(Database);
        var small = await StepsAsync(3_000);
        var large = await StepsAsync(300_000);

        Assert.All(small.Concat(large), steps => Assert.InRange(steps, 1, 40 * 101));
        Assert.Equal(small, large);

        async Task<List<long>> StepsAsync(int count)
        {
            writer.Prepare(
                """
                WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
                INSERT INTO response (tenant, chain, self, created, expires, record)
                SELECT 'big' || $1, printf('%016d', i), printf('%022d', i), $2 + i, $2 + 1000000000, x'00' FROM n
                """,
                count, Created.ToUnixTimeMilliseconds()).ExecuteNonQuery();
            List<long> steps = [];
            foreach (var place in (int[])[count, count / 2, 101])
            {
                steps.Add(SqliteSteps.Count(Database, SqliteQueries.NewestFirst, "big" + count, place, Created.ToUnixTimeMilliseconds(), 101));
                steps.Add(SqliteSteps.Count(Database, SqliteQueries.OldestFirst, "big" + count, count - place, Created.ToUnixTimeMilliseconds(), 101));
            }

            return steps;
        }
    }

    [Fact]
    public async Task Expiry_UnderLoad_LeavesNoRowBehind()
    {
        await using var test = await SqliteStoreUnderTest.StartAsync();

        // Time passes and sweeps run while others commit.
        await StoreLoad.RunAsync(test.Store, test.Tenant, test.Time, TimeSpan.FromMinutes(10), turns: 150, () =>
        {
            test.Time.Advance(TimeSpan.FromMinutes(1));
            test.SweepAsync().GetAwaiter().GetResult();
        });
        Assert.True(await test.CountAsync() > 0);
        test.Time.Advance(TimeSpan.FromMinutes(20));

        Assert.Equal(0, await test.CountAsync());
    }

    [Fact]
    public async Task Store_WriterBlocked_CommitFailsReadsGoOnAndItRecovers()
    {
        await using var store = await OpenAsync();
        var commit = Commits.Start(Tenant, Created);
        var late = Commits.Start(Tenant, Created);
        await store.CommitAsync(commit, None);

        using (var other = SqliteSession.OpenWriter(Database))
        {
            other.Run("BEGIN IMMEDIATE");
            await Assert.ThrowsAsync<StoreUnavailableException>(() => store.CommitAsync(late, None).AsTask());
            Assert.NotNull(await store.LoadChainAsync(Tenant, commit.Id, None));
            Assert.False(store.Health.Available);
            other.Run("ROLLBACK");
        }

        // The first try may have been done meanwhile: that is what sending it again is for.
        Assert.Contains(await store.CommitAsync(late, None), new[] { CommitOutcome.Appended, CommitOutcome.AlreadyCommitted });
        Assert.Single(Assert.IsType<Chain>(await store.LoadChainAsync(Tenant, late.Id, None)).Turns);
        Assert.True(store.Health.Available);
    }

    [Fact]
    public async Task Writer_DiskFull_FailsThatWriteAndTakesTheNext()
    {
        await using var writer = new SqliteWriter(Database);
        await writer.WriteAsync(
            session =>
            {
                session.Run("CREATE TABLE filler (data BLOB)");
                return 0;
            },
            None);
        await writer.WriteAsync(session => session.Prepare("PRAGMA max_page_count = 20").ExecuteScalar(), None);

        var error = await Assert.ThrowsAsync<SqliteException>(() =>
            writer.WriteAsync(session => session.Prepare("INSERT INTO filler VALUES (zeroblob(1000000))").ExecuteNonQuery(), None));

        Assert.Equal(13, error.SqliteErrorCode);
        Assert.Equal(1, await writer.WriteAsync(session => session.Prepare("INSERT INTO filler VALUES ('x')").ExecuteNonQuery(), None));
        Assert.Equal(1L, await writer.WriteAsync(session => session.Prepare("SELECT count(*) FROM filler").ExecuteScalar(), None));
    }

    [Fact]
    public async Task Writer_OneFaultInAGroup_LeavesItsNeighboursAlone()
    {
        await using var writer = new SqliteWriter(Database);
        using var entered = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        var first = writer.WriteAsync(
            session =>
            {
                session.Run("CREATE TABLE IF NOT EXISTS filler (data INTEGER PRIMARY KEY)");
                entered.Set();
                release.Wait(TimeSpan.FromSeconds(30));
                return 0;
            },
            None);
        entered.Wait(TimeSpan.FromSeconds(30));

        // All of these wait behind the first, so they are one group.
        var writes = Enumerable.Range(0, 9).Select(n => writer.WriteAsync(
            session => n == 4
                ? throw new InvalidDataException("at fault")
                : session.Prepare("INSERT INTO filler VALUES ($1)", n).ExecuteNonQuery(),
            None)).ToArray();
        release.Set();
        await first;

        await Assert.ThrowsAsync<InvalidDataException>(() => writes[4]);
        Assert.All(await Task.WhenAll(writes.Where((_, n) => n != 4)), rows => Assert.Equal(1, rows));
        Assert.Equal(8L, await writer.WriteAsync(session => session.Prepare("SELECT count(*) FROM filler").ExecuteScalar(), None));
    }

    [Fact]
    public async Task Delete_AfterTheNextSweep_TextIsGoneFromEveryFile()
    {
        const string Secret = "the text that must not stay";
        await using var store = await OpenAsync();
        var kept = Commits.Start(Tenant, Created, "this one stays");
        var large = Commits.Start(Tenant, Created, string.Concat(Enumerable.Repeat(Secret, 2000)));
        var small = Commits.Start(Tenant, Created, Secret);
        foreach (var commit in (TurnCommit[])[large, kept, small])
        {
            await store.CommitAsync(commit, None);
        }

        await store.SweepAsync(None);
        Assert.True(AnyFileHolds(Secret));
        await store.DeleteAsync(Tenant, large.Id, None);
        await store.DeleteAsync(Tenant, small.Id, None);
        await store.SweepAsync(None);

        Assert.False(AnyFileHolds(Secret));
        Assert.True(AnyFileHolds("this one stays"));
    }

    [Fact]
    public async Task Erase_ThatEndedHalfWay_LeavesNothingThatDoesNotExpire()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(Created);
        await using var store = new SqliteResponseStore(
            new StoreOptions { Path = _folder, SweepInterval = TimeSpan.FromDays(1) }, _services.GetRequiredService<StoreMetrics>(), time, NullLogger<SqliteResponseStore>.Instance);
        await store.StartAsync();
        foreach (var _ in (int[])[1, 2])
        {
            await store.Runs.CreateAsync(RunStarts.Of(Tenant), None);
        }

        // One batch, and no other: the process ends.
        await store.WriteAsync("erase_tenant", session => SqliteWrites.EraseTenant(session, Tenant, limit: 1), None);
        time.Advance(RunStarts.Retention * 2);
        await store.SweepAsync(None);

        Assert.Equal(0L, await store.ReadAsync("count", session => session.Prepare("SELECT (SELECT count(*) FROM run) + (SELECT count(*) FROM run_spec)").ExecuteScalar(), None));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Removal_OfLargeTurns_LetsOthersWriteInBetween(bool isErasure)
    {
        await using var store = await OpenAsync();
        for (var n = 0; n < 12; n++)
        {
            await store.CommitAsync(Commits.Start(Tenant, Created) with { Turn = new Turn([new byte[SqliteBatch.Bytes / 4]], [], default) }, None);
        }

        // The time of one batch is what a commit waits for.
        var batches = new List<long>();
        for (var turns = 12L; turns > 0;)
        {
            await store.WriteAsync<long>(
                "batch",
                session => isErasure
                    ? SqliteWrites.EraseTenant(session, Tenant, limit: 500).Entries
                    : SqliteWrites.Sweep(session, (Created + Commits.Retention * 2).ToUnixTimeMilliseconds(), limit: 500),
                None);
            var left = await store.ReadAsync("count", session => (long)session.Prepare("SELECT count(*) FROM turn").ExecuteScalar()!, None);
            batches.Add(turns - left);
            turns = left;
        }

        Assert.Equal([4, 4, 4], batches);
    }

    [Fact]
    public async Task Erase_WhoseClientLeavesBeforeTheLogIsWiped_TextIsGoneWithTheNextSweep()
    {
        const string Secret = "the text that must not stay";
        using var client = new CancellationTokenSource();
        var time = new CallingTime(4, client.Cancel);
        await using var store = new SqliteResponseStore(
            new StoreOptions { Path = _folder, SweepInterval = TimeSpan.FromDays(1) }, _services.GetRequiredService<StoreMetrics>(), time, NullLogger<SqliteResponseStore>.Instance);
        await store.StartAsync();
        await store.CommitAsync(Commits.Start(Tenant, Created, Secret), None);
        await store.SweepAsync(None);

        // It leaves at the end of the second batch, which finds nothing.
        time.Start();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.EraseTenantAsync(Tenant, client.Token).AsTask());
        Assert.True(AnyFileHolds(Secret));
        await store.SweepAsync(None);

        Assert.False(AnyFileHolds(Secret));
    }

    [Fact]
    public async Task Sweep_ByTheClock_RemovesWhatHasExpired()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(Created);
        var log = new StoreLogCollector<SqliteResponseStore>();
        await using var store = new SqliteResponseStore(new StoreOptions { Path = _folder }, _services.GetRequiredService<StoreMetrics>(), time, log);
        await store.StartAsync();
        await store.CommitAsync(Commits.Start(Tenant, Created, "soon gone") with { Retention = TimeSpan.FromSeconds(10) }, None);

        time.Advance(TimeSpan.FromMinutes(1));

        Assert.Contains("3 expired rows", await log.WaitForAsync(2021), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Commit_WaitsLongerThanItsCaller_KeepsWhatItWasGiven()
    {
        await using var store = await OpenAsync();
        var text = Encoding.UTF8.GetBytes("""{"text":"mine"}""");
        var commit = Commits.Start(Tenant, Created) with { Turn = new Turn([text], [], default) };
        using (var other = SqliteSession.OpenWriter(Database))
        {
            other.Run("BEGIN IMMEDIATE");
            await Assert.ThrowsAsync<StoreUnavailableException>(() => store.CommitAsync(commit, None).AsTask());

            // As a pooled buffer that now serves another request.
            Encoding.UTF8.GetBytes("""{"text":"evil"}""", text);
        }

        StoredResponse? stored;
        while ((stored = await store.GetAsync(Tenant, commit.Id, None)) is null)
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        Assert.Equal("""{"text":"mine"}""", Commits.Text(stored.Turn.Input[0]));
    }

    private Task<SqliteResponseStore> OpenAsync() => OpenAsync(_folder);

    private async Task<SqliteResponseStore> OpenAsync(string path)
    {
        var store = new SqliteResponseStore(
            new StoreOptions { Path = path, CommandTimeout = TimeSpan.FromSeconds(0.5), SweepInterval = TimeSpan.FromDays(1) },
            _services.GetRequiredService<StoreMetrics>(),
            TimeProvider.System,
            NullLogger<SqliteResponseStore>.Instance);
        try
        {
            await store.StartAsync();
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    private bool AnyFileHolds(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        foreach (var file in Directory.EnumerateFiles(_folder, "gateway.db*"))
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var all = new MemoryStream();
            stream.CopyTo(all);
            if (all.ToArray().AsSpan().IndexOf(bytes) >= 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Calls something when the time of an operation is taken for the nth time, counted from the start.</summary>
    private sealed class CallingTime(int nth, Action action) : TimeProvider
    {
        private int _left = int.MaxValue;

        public void Start() => _left = nth;

        public override long GetTimestamp()
        {
            if (Interlocked.Decrement(ref _left) == 0)
            {
                action();
            }

            return base.GetTimestamp();
        }
    }
}
