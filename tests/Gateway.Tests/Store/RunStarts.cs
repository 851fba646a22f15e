using System.Text;
using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>Runs to make, and what they write.</summary>
internal static class RunStarts
{
    public static readonly TimeSpan Lease = TimeSpan.FromMinutes(30);
    public static readonly TimeSpan Retention = TimeSpan.FromDays(1);
    public static readonly TimeSpan EventRetention = TimeSpan.FromHours(6);

    /// <summary>A run with two first events: of nobody, or with a first lease of <paramref name="owner"/>.</summary>
    public static RunStart Of(string tenant, string? owner = null) => Of(new RunKey(tenant, ResponseId.NewChain()), owner);

    public static RunStart Of(RunKey run, string? owner) => new()
    {
        Run = run,
        Spec = Bytes("spec of " + run.Id),
        Events = Many("created", "in progress"),
        Owner = owner,
        Lease = owner is null ? TimeSpan.Zero : Lease,
        MostRuns = int.MaxValue,
        Retention = Retention,
    };

    public static RunAppend Events(long first, params string[] events) => new(first, Many(events), 0, []);

    public static RunAppend Entries(long first, params string[] entries) => new(0, [], first, Many(entries));

    /// <summary>The turn that ends a run.</summary>
    public static TurnCommit Commit(StoreUnderTest test, RunKey run, long token, long firstEvent, params string[] events) =>
        Commits.Make(run.Tenant, run.Id, [], test.Time.GetUtcNow(), "made by a run") with
        {
            Run = new RunFence(token, firstEvent, Many(events), EventRetention),
        };

    public static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static ReadOnlyMemory<byte>[] Many(params string[] texts) => [.. texts.Select(Bytes)];

    public static IReadOnlyList<string>? Texts(this IReadOnlyList<ReadOnlyMemory<byte>>? elements) => elements?.Select(Commits.Text).ToArray();
}
