using System.Diagnostics;
using Gateway.Load.Mock;

namespace Gateway.Load.Run;

/// <summary>
/// What a round with a call of a pooled MCP server adds: responses of two rounds with a call between them beside responses of one round, and beside
/// the same two rounds and call by a client without a gateway; each less what the model and the tool say they have waited.
/// </summary>
internal sealed class ToolRun(Scenario scenario, Target target, Uri toolServer, Uri model)
{
    private const string OneRound = "one round";
    private const string WithCall = "two and a call";
    private const string Direct = "no gateway";
    private const string Difference = "the call adds";
    private const string Share = "the gateway adds";
    private const string CallMethod = "tools/call";

    private readonly ToolVariant[] _variants =
    [
        .. from model in new[] { WaitingModel.Waits, WaitingModel.Instant }
           from concurrency in new[] { 1, scenario.Concurrency }.Distinct()
           from streams in new[] { false, true }
           from callsTool in new[] { false, true }
           select new ToolVariant(model, streams, concurrency, callsTool),
    ];

    public async Task<IReadOnlyList<ScenarioResult>> MeasureAsync(CancellationToken cancellationToken)
    {
        await CheckPoolAsync(cancellationToken);
        await using var direct = await DirectTurn.ConnectAsync(model, toolServer, cancellationToken);
        var figures = _variants.ToDictionary(variant => variant, _ => new List<IReadOnlyDictionary<string, double>>(scenario.Rounds));
        var without = _variants.Where(variant => variant.CallsTool).ToDictionary(variant => variant, _ => new List<IReadOnlyDictionary<string, double>>(scenario.Rounds));
        for (var round = 0; round < scenario.WarmupRounds + scenario.Rounds; round++)
        {
            for (var place = 0; place < _variants.Length; place++)
            {
                var variant = _variants[(round + place) % _variants.Length];
                var burst = await target.OrBlameAsync(BurstAsync(variant, null, cancellationToken));
                var alone = variant.CallsTool ? await BurstAsync(variant, direct, cancellationToken) : null;
                if (round >= scenario.WarmupRounds)
                {
                    figures[variant].Add(burst);
                    if (alone is not null)
                    {
                        without[variant].Add(alone);
                    }
                }
            }
        }

        return
        [
            .. _variants.Where(variant => variant.CallsTool).Select(variant =>
            {
                var plain = figures[variant with { CallsTool = false }];
                var called = figures[variant];
                return ScenarioResult.Of(
                    variant.Name,
                    $"{scenario.Rounds} rounds, each {scenario.Requests} requests",
                    new Dictionary<string, List<IReadOnlyDictionary<string, double>>>
                    {
                        [OneRound] = plain,
                        [WithCall] = called,
                        [Direct] = without[variant],
                        [Difference] = [.. plain.Zip(called, Less)],
                        [Share] = [.. without[variant].Zip(called, Less)],
                    });
            }),
        ];
    }

    private static IReadOnlyDictionary<string, double> Less(IReadOnlyDictionary<string, double> plain, IReadOnlyDictionary<string, double> called) =>
        called.ToDictionary(figure => figure.Key, figure => figure.Value - plain[figure.Key]);

    /// <summary>The first response connects and lists; from the second on there are only calls, which every burst checks.</summary>
    private async Task CheckPoolAsync(CancellationToken cancellationToken)
    {
        var call = _variants.First(variant => variant.CallsTool).CallAt(target.Address, toolServer);
        var reader = new AnswerReader();
        var before = await CountersAsync(cancellationToken);
        await target.OrBlameAsync(target.Client.SendAsync(call, reader, cancellationToken));
        var first = await CountersAsync(cancellationToken);
        await target.OrBlameAsync(target.Client.SendAsync(call, reader, cancellationToken));
        var second = await CountersAsync(cancellationToken);
        Console.WriteLine($"\ntools: requests at the tool server, before: {Text(before)}; after a response: {Text(first)}; after a second: {Text(second)}");
        if (first.Of("tools/list") != 1)
        {
            throw new LoadException("The first response did not list the tools: the tool server's counters are not to be trusted.");
        }

        CheckOnlyCalls(first, second, 1);
    }

    /// <param name="variant">What is sent.</param>
    /// <param name="direct">Takes the turns without the gateway; null to send them to it.</param>
    /// <param name="cancellationToken">Ends the burst.</param>
    private async Task<IReadOnlyDictionary<string, double>> BurstAsync(ToolVariant variant, DirectTurn? direct, CancellationToken cancellationToken)
    {
        var call = variant.CallAt(target.Address, toolServer);
        var latencies = new long[scenario.Requests];
        var added = new long[scenario.Requests];
        var next = -1;
        var before = await CountersAsync(cancellationToken);
        var cpu = target.Process.Cpu;
        await Task.WhenAll(Enumerable.Range(0, variant.Concurrency).Select(_ => Task.Run(WorkAsync, cancellationToken)));
        cpu = target.Process.Cpu - cpu;
        var after = await CountersAsync(cancellationToken);
        CheckOnlyCalls(before, after, variant.CallsTool ? scenario.Requests : 0);
        return Figures.OfAdded(latencies, added, after.OwnTicks - before.OwnTicks, cpu);

        async Task WorkAsync()
        {
            var reader = new AnswerReader();
            for (int i; (i = Interlocked.Increment(ref next)) < latencies.Length;)
            {
                if (direct is not null)
                {
                    (latencies[i], var waited) = await direct.RunAsync(variant, reader, cancellationToken);
                    added[i] = latencies[i] - waited;
                    continue;
                }

                var latency = await target.Client.SendAsync(call, reader, cancellationToken);
                latencies[i] = (long)(latency.TotalSeconds * Stopwatch.Frequency);
                added[i] = latencies[i] - (Waited.FindLast(reader.Content) ?? throw new LoadException("An answer does not say what was waited for."));
            }
        }
    }

    private static void CheckOnlyCalls(ToolServerCounters before, ToolServerCounters after, int calls)
    {
        var wrong = after.Requests.FirstOrDefault(method => method.Value - before.Of(method.Key) != (method.Key == CallMethod ? calls : 0)).Key;
        if (wrong is not null)
        {
            throw new LoadException(
                $"The tool server was asked for {wrong} {after.Of(wrong) - before.Of(wrong)} times by responses with {calls} calls in all: not pooled.");
        }
    }

    private Task<ToolServerCounters> CountersAsync(CancellationToken cancellationToken) => target.Client.GetAsync(
        new Uri(toolServer, ToolServer.CountersPath), ToolServerJson.Default.ToolServerCounters, cancellationToken);

    private static string Text(ToolServerCounters counters) => counters.Requests.Count == 0
        ? "none"
        : string.Join(", ", counters.Requests.OrderBy(method => method.Key, StringComparer.Ordinal).Select(method => $"{method.Key} {method.Value}"));
}
