using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Store;

/// <summary>Tells operators which store is used and how it is.</summary>
internal sealed class StoreStatus(IResponseStore store, IOptions<StoreOptions> options) : IStartupLine, IReadinessPart
{
    public string Name => "store";

    /// <summary>
    /// Not ready until the store was reached once. A store that is down later is shown, but keeps the replica in service: all share it, and
    /// requests that keep nothing can still be answered.
    /// </summary>
    public ReadinessState Check()
    {
        var health = store.Health;
        return !health.ReachedOnce ? new ReadinessState(false, "starting", "The store has not been reached yet.")
            : !health.Available ? new ReadinessState(true, "down", "The store can not be reached now.")
            : health.Warning is { } warning ? new ReadinessState(true, "warning", warning)
            : ReadinessState.Ok;
    }

    public ValueTask<StartupText> DescribeAsync(CancellationToken cancellationToken)
    {
        var health = store.Health;
        var text = options.Value.UsesRedis
            ? "Redis, shared by all replicas"
            : $"SQLite in {Path.GetFullPath(options.Value.Path)}";
        var kept = $"responses are kept for {options.Value.Retention.TotalDays:0.##} days unless a policy says otherwise";
        return ValueTask.FromResult(new StartupText("store", $"{text}; {kept}")
        {
            Warnings = health.Warning is { } warning ? [warning] : [],
        });
    }
}
