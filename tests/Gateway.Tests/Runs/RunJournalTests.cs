using System.Text;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Runs;
using Gateway.Store;
using Gateway.Tools;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Runs;

public sealed class RunJournalTests : IAsyncDisposable
{
    private readonly ScriptedRunStore _store = new();
    private readonly RunControl _control = new();
    private readonly RunOutput _output;

    public RunJournalTests() => _output = new RunOutput(
        _store, new RunKey("t", ResponseId.NewChain()), 1, _control, keepsEvents: false, 0, 0, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(15), new FakeTimeProvider());

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _output.DisposeAsync();
        _control.Dispose();
    }

    [Fact]
    public void Entries_OfTheHolderBefore_AreFound()
    {
        var journal = new RunJournal(
            [
                JournalEntry.List("srv", "{\"id\":\"old\"}"u8.ToArray()),
                JournalEntry.List("srv", "{\"id\":\"new\"}"u8.ToArray()),
                JournalEntry.Round(Round("first")),
                JournalEntry.Started("0.0"),
                JournalEntry.Started("0.1"),
                "{\"k\":\"of a newer version\",\"more\":1}"u8.ToArray(),
                JournalEntry.Ended("0.1", new ServerCallResult(ServerCallEnd.Completed, "hi", default)),
                JournalEntry.Round(Round("second")),
            ],
            _output,
            _control);

        Assert.Equal("{\"id\":\"new\"}", Encoding.UTF8.GetString(journal.FindList("srv")!.Value.Span));
        Assert.Null(journal.FindList("other"));
        Assert.Equal(["first", "second"], [IdOf(journal.TakeRound([])), IdOf(journal.TakeRound([]))]);
        Assert.Null(journal.TakeRound([]));
        Assert.Null(journal.FindCall("0.0")!.Result);
        Assert.Equal("hi", journal.FindCall("0.1")!.Result!.Text);
        Assert.Null(journal.FindCall("0.2"));
    }

    [Fact]
    public void DamagedEntry_IsSaidToBe() =>
        Assert.Throws<InvalidDataException>(() => new RunJournal(["{\"k\":"u8.ToArray()], _output, _control));

    [Fact]
    public async Task WhatIsDone_IsKept_AndCanBeReadByTheNextHolder()
    {
        var journal = new RunJournal([], _output, _control);
        await journal.ListedAsync("srv", "{\"id\":\"l\"}"u8.ToArray(), Cancellation);
        await journal.RoundMadeAsync(Round("r"), Cancellation);
        await journal.CallStartedAsync("0.0", Cancellation);
        await journal.CallEndedAsync("0.0", new ServerCallResult(ServerCallEnd.Failed, "no", default), Cancellation);

        var next = new RunJournal(
            [.. _store.Appends.Select((append, i) => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(append[$"0: {i}:".Length..]))], _output, _control);

        Assert.NotNull(next.FindList("srv"));
        Assert.Equal("r", IdOf(next.TakeRound([])));
        Assert.Equal(ServerCallEnd.Failed, next.FindCall("0.0")!.Result!.End);
    }

    [Fact]
    public async Task HandedOver_NoCallIsStarted_AndTheOutcomeOfOneThatRunsIsKept()
    {
        var journal = new RunJournal([], _output, _control);
        await journal.CallStartedAsync("0.0", Cancellation);

        _control.HandOver(TimeSpan.FromMinutes(1));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await journal.CallStartedAsync("0.1", Cancellation));
        await journal.CallEndedAsync("0.0", new ServerCallResult(ServerCallEnd.Completed, "hi", default), new CancellationToken(canceled: true));
        Assert.Equal(2, _store.Appends.Count);
        Assert.True(journal.HandOver.IsCancellationRequested);
        Assert.False(_control.Ended.IsCancellationRequested);
    }

    private static RoundRecord Round(string id) =>
        new([], [Encoding.UTF8.GetBytes($$"""{"id":"{{id}}"}""")], new RoundOutcome(RoundEnd.Completed, null, [], null, 0), null);

    private static string IdOf(RoundRecord? round) => System.Text.Json.JsonElement.Parse(round!.Items[0].Span).GetProperty("id").GetString()!;
}
