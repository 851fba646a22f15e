using System.Diagnostics.Metrics;
using Gateway.Store;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Store;

/// <summary>A store with a tenant of its own, a clock that can be moved, and eyes on what is really kept.</summary>
internal abstract class StoreUnderTest : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly MeterListener _listener = new();
    private long _incompleteChains;

    protected StoreUnderTest()
    {
        var meters = _services.GetRequiredService<IMeterFactory>();
        Metrics = new StoreMetrics(meters);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == meters && instrument.Name == "gateway.chain.incomplete")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref _incompleteChains, count));
        _listener.Start();
    }

    public abstract IResponseStore Store { get; }

    public abstract IRunStore Runs { get; }

    public ITenantEraser Eraser => (ITenantEraser)Store;

    public abstract IConversationStore Conversations { get; }

    public string Tenant { get; } = "t" + Guid.NewGuid().ToString("N")[..12];

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 3, 14, 12, 0, 0, TimeSpan.Zero));

    public long IncompleteChains => Interlocked.Read(ref _incompleteChains);

    protected StoreMetrics Metrics { get; }

    /// <summary>Commits that are sent without waiting are done in the order they were sent: only where one round trip does all.</summary>
    public virtual bool CommitsKeepTheirOrder => true;

    /// <summary>The logs of other chains are kept before the turn is written: also when the history turns out to be gone in part.</summary>
    public virtual bool KeepsWhatIsLeft => false;

    /// <summary>Lets time pass, for the store and for what it keeps.</summary>
    public abstract Task AdvanceAsync(TimeSpan time);

    /// <summary>How many keys or rows are kept for the tenant, its entries in the index of live runs included.</summary>
    public abstract Task<int> CountAsync();

    /// <summary>How many live runs there are, of all tenants.</summary>
    public abstract Task<int> CountRunsAsync();

    public virtual ValueTask DisposeAsync()
    {
        _listener.Dispose();
        return _services.DisposeAsync();
    }
}
