using System.Diagnostics;
using System.Text;

namespace Gateway.Load.Run;

/// <summary>
/// How long a client waits that comes back to a stream in the background while it is being made: at the replica that makes it, and at another one
/// over the same store. It left at a quarter of the deltas and comes back at the half.
/// </summary>
/// <param name="scenario">The streams.</param>
/// <param name="maker">Makes the responses.</param>
/// <param name="other">Another gateway over the same store.</param>
/// <param name="text">The text of the requests.</param>
internal sealed class ResumeRun(Scenario scenario, Target maker, Target other, string text)
{
    private const string SameReplica = "same replica";
    private const string OtherReplica = "other replica";

    private readonly Call _call = Call.Create(maker, scenario, text).InBackground(scenario, text);
    private readonly int _leavesAt = Math.Max(1, scenario.Deltas / 4);
    private readonly int _returnsAt = Math.Max(1, scenario.Deltas / 2);
    private readonly (string Name, Target Target)[] _replicas = [(SameReplica, maker), (OtherReplica, other)];

    public async Task<ScenarioResult> MeasureAsync(CancellationToken cancellationToken)
    {
        var figures = _replicas.ToDictionary(replica => replica.Name, _ => new List<IReadOnlyDictionary<string, double>>(scenario.Rounds));
        for (var round = 0; round < scenario.WarmupRounds + scenario.Rounds; round++)
        {
            for (var place = 0; place < _replicas.Length; place++)
            {
                var (name, replica) = _replicas[(round + place) % _replicas.Length];
                var waits = await Task.WhenAll(Enumerable.Range(0, scenario.Requests).Select(
                    i => ResumeAsync(scenario.Spread * i / scenario.Requests, replica, cancellationToken)));
                if (round >= scenario.WarmupRounds)
                {
                    figures[name].Add(Figures.OfReplays(waits));
                }
            }
        }

        return ScenarioResult.Of(
            scenario.Name,
            $"{scenario.Rounds} rounds, each {scenario.Requests} streams of {scenario.Deltas} deltas, left at {_leavesAt} and resumed at {_returnsAt}",
            figures,
            SameReplica);
    }

    /// <summary>One stream, told twice.</summary>
    /// <returns>From sending the second request to its first event, in <see cref="Stopwatch"/> ticks.</returns>
    private async Task<long> ResumeAsync(TimeSpan delay, Target replica, CancellationToken cancellationToken)
    {
        await Task.Delay(delay, cancellationToken);
        var told = new List<string>();
        var deltas = 0;
        var left = 0;
        Task<Replay>? replay = null;
        await foreach (var data in maker.Client.EventsAsync(_call.ToMessage(), cancellationToken))
        {
            told.Add(data);
            if (data.Contains("\"delta\":\"", StringComparison.Ordinal))
            {
                deltas++;
                if (deltas == _leavesAt)
                {
                    left = told.Count - 1;
                }

                if (deltas == _returnsAt)
                {
                    var uri = replica.ReplayOf(ChainRun.ReadId(Encoding.UTF8.GetBytes(told[0])), left);
                    replay = Task.Run(() => replica.OrBlameAsync(ReplayAsync(replica, uri, cancellationToken)), cancellationToken);
                }
            }
        }

        if (replay is null || deltas != scenario.Deltas || !told[^1].Contains("\"type\":\"response.completed\"", StringComparison.Ordinal))
        {
            throw new LoadException($"{maker.Name}: streamed {deltas} deltas of {scenario.Deltas}, or not the end: not measured.");
        }

        var (wait, repeated) = await replay;
        return repeated.SequenceEqual(told[(left + 1)..])
            ? wait
            : throw new LoadException($"{replica.Name}: replayed {repeated.Count} events after number {left}, otherwise than the {told.Count} that were told.");
    }

    private static async Task<Replay> ReplayAsync(Target replica, Uri uri, CancellationToken cancellationToken)
    {
        var events = new List<string>();
        var started = Stopwatch.GetTimestamp();
        var first = 0L;
        await foreach (var data in replica.Client.EventsAsync(new HttpRequestMessage(HttpMethod.Get, uri), cancellationToken))
        {
            first = first == 0 ? Stopwatch.GetTimestamp() : first;
            events.Add(data);
        }

        return new Replay(first - started, events);
    }

    private readonly record struct Replay(long Wait, List<string> Events);
}
