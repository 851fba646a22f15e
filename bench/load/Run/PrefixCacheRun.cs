using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Gateway.Load.Mock;

namespace Gateway.Load.Run;

/// <summary>
/// Chains in front of several model servers with a prefix cache each: how many continuations come to the server that has read the turn before, when the chain
/// decides where they go, and when chance does. Chance is a <c>prompt_cache_key</c> that no other request has; everything else is the same.
/// </summary>
internal sealed class PrefixCacheRun(RunOptions options, Scenario scenario, Target target, IReadOnlyList<ModelServer> servers)
{
    private const string Affinity = "affinity";
    private const string Chance = "random";
    private const string CachedMetric = "gateway_upstream_cached_tokens_total";

    // The exporter hands out what it has written for up to 300 ms.
    private static readonly TimeSpan MetricPatience = TimeSpan.FromSeconds(5);

    /// <summary>As a quick server reads, so that what is not cached is seen in the latency.</summary>
    private static readonly ModelPace Pace = new(TimeSpan.FromMilliseconds(20), TimeSpan.FromMicroseconds(20), int.MaxValue, TimeSpan.Zero);

    private readonly string _text = LoadText.OfLength(options.TextBytes);

    public async Task<ScenarioResult> MeasureAsync(CancellationToken cancellationToken)
    {
        string[] ways = [Affinity, Chance];
        var figures = ways.ToDictionary(way => way, _ => new List<IReadOnlyDictionary<string, double>>(scenario.Rounds));
        for (var round = 0; round < scenario.WarmupRounds + scenario.Rounds; round++)
        {
            for (var place = 0; place < ways.Length; place++)
            {
                var way = ways[(round + place) % ways.Length];
                var burst = await BurstAsync(way, round, cancellationToken);
                if (round >= scenario.WarmupRounds)
                {
                    figures[way].Add(burst);
                }
            }
        }

        return ScenarioResult.Of(
            $"{scenario.Name}, {target.Name[..^Target.Several.Length]}",
            $"{scenario.Rounds} rounds, each {options.PrefixChains} chains of {options.PrefixTurns} turns over {servers.Count} servers, {scenario.Concurrency} at once",
            figures,
            Chance);
    }

    private async Task<IReadOnlyDictionary<string, double>> BurstAsync(string way, int round, CancellationToken cancellationToken)
    {
        foreach (var server in servers)
        {
            server.Begin(Pace);
        }

        var metricBefore = await CachedTokensAsync(cancellationToken);
        var waiting = new ConcurrentQueue<GrowingChain>(Enumerable.Range(0, options.PrefixChains).Select(i => new GrowingChain($"{way}, round {round}, chain {i}")));
        var turns = new ConcurrentBag<Turn>();
        await Task.WhenAll(Enumerable.Range(0, scenario.Concurrency).Select(_ => Task.Run(WorkAsync, cancellationToken)));
        ModelCounters[] counters = [.. servers.Select(server => server.Counters)];
        await CheckReportedAsync(metricBefore, counters, turns, cancellationToken);
        return Figures.OfPrefixes([.. turns], counters);

        async Task WorkAsync()
        {
            var reader = new AnswerReader();
            // All chains take turns, so that many requests of others come between two of one.
            while (waiting.TryDequeue(out var chain))
            {
                turns.Add(await TurnAsync(chain, way == Chance, reader, cancellationToken));
                if (chain.Turns < options.PrefixTurns)
                {
                    waiting.Enqueue(chain);
                }
            }
        }
    }

    private async Task<Turn> TurnAsync(GrowingChain chain, bool byChance, AnswerReader reader, CancellationToken cancellationToken)
    {
        var key = byChance ? $"{chain.Name}, turn {chain.Turns}" : null;
        // The name comes first: two chains have no block in common.
        var call = Call.Create(target, scenario, _text).ContinueFrom(target, scenario, $"{chain.Name}: {_text}", chain.Last, key);
        var latency = await target.Client.SendAsync(call, reader, cancellationToken);
        using var answer = JsonDocument.Parse(reader.Content.ToArray());
        var usage = answer.RootElement.GetProperty("usage");
        var prompt = usage.GetProperty("input_tokens").GetInt32();
        var cached = usage.GetProperty("input_tokens_details").GetProperty("cached_tokens").GetInt32();
        var turn = new Turn(
            (long)(latency.TotalSeconds * Stopwatch.Frequency),
            IsContinuation: chain.Turns > 0,
            // All whole blocks of the prompt before: only a server that has read that one has them.
            IsHit: chain.Turns > 0 && cached >= chain.PromptTokens / PrefixCache.BlockTokens * PrefixCache.BlockTokens,
            prompt,
            cached);
        (chain.Last, chain.PromptTokens, chain.Turns) = (answer.RootElement.GetProperty("id").GetString(), prompt, chain.Turns + 1);
        return turn;
    }

    /// <summary>What clients were told, what the gateway's metric says of each server, and what the servers have counted must be the same.</summary>
    private async Task CheckReportedAsync(
        IReadOnlyDictionary<string, long> before, ModelCounters[] counters, IReadOnlyCollection<Turn> turns, CancellationToken cancellationToken)
    {
        var (told, counted) = (turns.Sum(turn => (long)turn.CachedTokens), counters.Sum(server => server.CachedTokens));
        if (told != counted || turns.Sum(turn => (long)turn.PromptTokens) != counters.Sum(server => server.PromptTokens))
        {
            throw new LoadException($"Clients were told of {told} cached tokens, the servers have counted {counted}.");
        }

        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            var now = await CachedTokensAsync(cancellationToken);
            var wrong = servers.Where((server, i) => Of(now, server) - Of(before, server) != counters[i].CachedTokens).ToList();
            if (wrong.Count == 0)
            {
                return;
            }

            if (Stopwatch.GetElapsedTime(started) > MetricPatience)
            {
                throw new LoadException($"{CachedMetric} of {string.Join(", ", wrong.Select(server => server.Address))} is not what the server has counted.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);
        }

        static long Of(IReadOnlyDictionary<string, long> metric, ModelServer server) => metric.GetValueOrDefault(server.Address.Authority);
    }

    /// <summary>The gateway's metric, by the authority of the destination.</summary>
    private async Task<IReadOnlyDictionary<string, long>> CachedTokensAsync(CancellationToken cancellationToken)
    {
        const string Destination = "destination=\"";
        return (await Metrics.ReadAsync(target, CachedMetric, cancellationToken)).ToDictionary(
            sample => new Uri(sample.Labels[(sample.Labels.IndexOf(Destination, StringComparison.Ordinal) + Destination.Length)..].Split('"')[0]).Authority,
            sample => (long)sample.Value);
    }

    private sealed class GrowingChain(string name)
    {
        public string Name => name;

        /// <summary>The id of the last response; null before the first.</summary>
        public string? Last { get; set; }

        /// <summary>What the last prompt had.</summary>
        public int PromptTokens { get; set; }

        public int Turns { get; set; }
    }
}
