using System.Threading.Channels;
using Gateway.Conversations;
using Gateway.Store;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Conversations;

/// <summary>A writer's hold: renewed in time, lost when somebody else has it, given up once.</summary>
public sealed class ConversationLeaseTests
{
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(30);
    private static readonly ConversationLock Hold = new(ConversationId.New(), "token");
    private readonly FakeTimeProvider _time = new();
    private readonly ScriptedStore _store = new();

    [Fact]
    public async Task Hold_IsRenewedEveryThirdOfItsLength()
    {
        await using var lease = Start();

        for (var n = 0; n < 4; n++)
        {
            _time.Advance(Length / 3);
            Assert.Equal(("acme", Hold, Length), await _store.RenewalAsync());
        }

        _time.Advance(Length / 3 - TimeSpan.FromMilliseconds(1));
        Assert.Equal(4, _store.Renewals);
        Assert.False(lease.Lost.IsCancellationRequested);
    }

    [Theory]
    [InlineData("Locked", false)]
    [InlineData("NotFound", true)]
    public async Task Hold_OfSomebodyElse_IsLostAndNotAskedForAgain(string access, bool isGone)
    {
        await using var lease = Start();
        _store.Renew = () => Enum.Parse<ConversationAccess>(access);
        var lost = new TaskCompletionSource();
        await using var told = lease.Lost.Register(lost.SetResult);

        _time.Advance(Length / 3);

        await lost.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        _time.Advance(Length);
        Assert.Equal((1, isGone), (_store.Renewals, lease.IsGone));
    }

    [Fact]
    public async Task RunsHold_IsRenewedAsSuch_AndNotGivenUp()
    {
        var lease = Start();

        lease.HandToRun();
        _time.Advance(Length / 3);
        Assert.Equal(("acme", Hold with { IsRuns = true }, Length), await _store.RenewalAsync());
        await lease.DisposeAsync();

        Assert.Equal(0, _store.Releases);
    }

    [Fact]
    public async Task StoreThatIsAway_IsAskedAgain()
    {
        await using var lease = Start();
        _store.Renew = () => throw new StoreUnavailableException("away");
        _time.Advance(Length / 3);
        await _store.RenewalAsync();

        _store.Renew = () => ConversationAccess.Done;
        _time.Advance(Length / 3);
        await _store.RenewalAsync();

        Assert.False(lease.Lost.IsCancellationRequested);
    }

    [Fact]
    public async Task Dispose_GivesTheHoldUpOnce()
    {
        var lease = Start();

        await lease.DisposeAsync();
        await lease.DisposeAsync();
        _time.Advance(Length);

        Assert.Equal((1, 0), (_store.Releases, _store.Renewals));
    }

    [Fact]
    public async Task Dispose_AfterACommitThatARenewalMayHaveFollowed_GivesTheHoldUp()
    {
        var lease = Start();
        _time.Advance(Length / 3);
        await _store.RenewalAsync();

        lease.MarkOver();
        await lease.DisposeAsync();

        Assert.Equal(1, _store.Releases);
    }

    [Fact]
    public async Task Dispose_AfterACommit_LeavesTheNextWritersHoldAlone()
    {
        var lease = Start();

        lease.MarkOver();
        await lease.DisposeAsync();

        Assert.Equal(0, _store.Releases);
    }

    [Fact]
    public async Task Dispose_WhileTheStoreIsAway_IsNoError()
    {
        _store.Release = () => throw new StoreUnavailableException("away");

        await Start().DisposeAsync();

        Assert.Equal(1, _store.Releases);
    }

    private ConversationLease Start() => new(_store, "acme", Hold, Length, _time);

    /// <summary>A store of which only the holds are used.</summary>
    private sealed class ScriptedStore : IConversationStore
    {
        private readonly Channel<(string, ConversationLock, TimeSpan)> _renewals = Channel.CreateUnbounded<(string, ConversationLock, TimeSpan)>();

        public Func<ConversationAccess> Renew { get; set; } = () => ConversationAccess.Done;

        public Action Release { get; set; } = () => { };

        public int Renewals { get; private set; }

        public int Releases { get; private set; }

        public async Task<(string, ConversationLock, TimeSpan)> RenewalAsync() =>
            await _renewals.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(20));

        public ValueTask<ConversationAccess> RenewAsync(string tenant, ConversationLock hold, TimeSpan lease, CancellationToken cancellationToken)
        {
            Renewals++;
            _renewals.Writer.TryWrite((tenant, hold, lease));
            return ValueTask.FromResult(Renew());
        }

        public ValueTask ReleaseAsync(string tenant, ConversationLock hold, CancellationToken cancellationToken)
        {
            Releases++;
            Release();
            return ValueTask.CompletedTask;
        }

        public ValueTask CreateConversationAsync(ConversationStart start, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<StoredConversation?> GetConversationAsync(string tenant, ConversationId id, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<StoredConversation?> SetMetadataAsync(
            string tenant, ConversationId id, ReadOnlyMemory<byte> metadata, TimeSpan retention, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<bool> DeleteConversationAsync(string tenant, ConversationId id, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<ConversationAccess> AddItemsAsync(
            string tenant, ConversationId id, ConversationItems items, long mostBytes, TimeSpan retention, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<ItemPage?> ListItemsAsync(string tenant, ConversationId id, ItemQuery query, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<Turn?> FindTurnAsync(string tenant, ConversationId id, ResponseId turn, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<Turn?> FindTurnAsync(string tenant, ResponseId turn, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<bool> EditTurnAsync(string tenant, ConversationId id, ResponseId turn, Func<Turn, Turn?> edit, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<bool> KeepClaimAsync(string tenant, string chain, string name, string owner, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask DropClaimAsync(string tenant, string chain, string name, string owner, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<OpenedConversation> OpenAsync(ConversationOpening opening, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
