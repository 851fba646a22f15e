using System.Diagnostics;
using Gateway.Load.Mock;

namespace Gateway.Load.Run;

/// <summary>What one burst of calls comes to: figures by name, the unit in the name.</summary>
internal static class Figures
{
    public const string CpuPerRequest = "cpu us/request";
    public const string CpuPerDelta = "cpu us/delta";
    public const string RedisPerRequest = "redis KiB/request";

    private const double Mebibyte = 1024 * 1024;

    public static IReadOnlyDictionary<string, double> Of(BurstSamples samples, TimeSpan cpu, long residentBytes)
    {
        var requests = samples.Latencies.Length;
        var figures = new Dictionary<string, double> { ["requests/s"] = requests / samples.Elapsed.TotalSeconds };
        AddPercentiles(figures, string.Empty, samples.Latencies);
        AddPercentiles(figures, "first delta ", samples.FirstDeltas);
        AddPercentiles(figures, "delay ", samples.Delays);
        figures[CpuPerRequest] = cpu.TotalMicroseconds / requests;
        if (samples.Deltas > 0)
        {
            figures[CpuPerDelta] = cpu.TotalMicroseconds / samples.Deltas;
        }

        figures["resident MiB"] = residentBytes / Mebibyte;
        return figures;
    }

    /// <summary>The turns around one depth of a chain, one behind the other.</summary>
    public static IReadOnlyDictionary<string, double> OfTurns(IReadOnlyList<TimeSpan> latencies, TimeSpan cpu, long residentBytes)
    {
        var figures = new Dictionary<string, double>();
        AddPercentiles(figures, string.Empty, [.. latencies.Select(latency => (long)(latency.TotalSeconds * Stopwatch.Frequency)).Order()]);
        figures[CpuPerRequest] = cpu.TotalMicroseconds / latencies.Count;
        figures["resident MiB"] = residentBytes / Mebibyte;
        return figures;
    }

    /// <summary>Responses of which is known what model and tool took; the rest was added.</summary>
    /// <param name="latencies">From sending to the last byte, in <see cref="Stopwatch"/> ticks.</param>
    /// <param name="added">Of that, what neither model nor tool took.</param>
    /// <param name="toolServer">The tool server's own time for all requests together, in ticks: it is within what was added.</param>
    /// <param name="cpu">Of the target, for all requests together.</param>
    public static IReadOnlyDictionary<string, double> OfAdded(long[] latencies, long[] added, long toolServer, TimeSpan cpu)
    {
        Array.Sort(latencies);
        Array.Sort(added);
        var figures = new Dictionary<string, double>();
        AddPercentiles(figures, string.Empty, latencies);
        AddPercentiles(figures, "added ", added);
        figures["tool server ms"] = toolServer * 1000.0 / Stopwatch.Frequency / added.Length;
        figures[CpuPerRequest] = cpu.TotalMicroseconds / added.Length;
        return figures;
    }

    /// <summary>Streams that were resumed.</summary>
    /// <param name="waits">From sending the request to its first event, in <see cref="Stopwatch"/> ticks.</param>
    public static IReadOnlyDictionary<string, double> OfReplays(long[] waits)
    {
        Array.Sort(waits);
        var figures = new Dictionary<string, double>();
        AddPercentiles(figures, "first event ", waits);
        return figures;
    }

    /// <summary>Turns of chains over several servers with a prefix cache.</summary>
    /// <param name="turns">All of them.</param>
    /// <param name="servers">What each server has counted.</param>
    public static IReadOnlyDictionary<string, double> OfPrefixes(IReadOnlyList<Turn> turns, IReadOnlyList<ModelCounters> servers)
    {
        var continuations = turns.Count(turn => turn.IsContinuation);
        var figures = new Dictionary<string, double>
        {
            ["hit share"] = turns.Count(turn => turn.IsHit) / (double)continuations,
            ["cached share"] = turns.Sum(turn => (double)turn.CachedTokens) / turns.Sum(turn => (double)turn.PromptTokens),
            ["requests, least"] = servers.Min(server => server.Requests),
            ["requests, most"] = servers.Max(server => server.Requests),
            ["peak, least"] = servers.Min(server => server.Peak),
            ["peak, most"] = servers.Max(server => server.Peak),
        };
        AddPercentiles(figures, string.Empty, [.. turns.Select(turn => turn.Latency).Order()]);
        return figures;
    }

    /// <summary>Calls while servers are, or are not, restarted.</summary>
    /// <param name="json">Latencies of answers in one piece, in <see cref="Stopwatch"/> ticks.</param>
    /// <param name="streams">Latencies of streams, likewise.</param>
    public static IReadOnlyDictionary<string, double> OfRestarts(IEnumerable<long> json, IEnumerable<long> streams)
    {
        var figures = new Dictionary<string, double>();
        AddPercentiles(figures, "JSON ", [.. json.Order()]);
        AddPercentiles(figures, "streams ", [.. streams.Order()]);
        return figures;
    }

    /// <summary>By linear interpolation between the nearest ranks.</summary>
    public static double Quantile(IReadOnlyList<double> sorted, double quantile)
    {
        var rank = quantile * (sorted.Count - 1);
        var below = (int)rank;
        var above = Math.Min(below + 1, sorted.Count - 1);
        return sorted[below] + ((rank - below) * (sorted[above] - sorted[below]));
    }

    private static void AddPercentiles(Dictionary<string, double> figures, string prefix, long[] sortedTicks)
    {
        if (sortedTicks.Length > 0)
        {
            figures[prefix + "p50 ms"] = MillisecondsAt(sortedTicks, 0.50);
            figures[prefix + "p99 ms"] = MillisecondsAt(sortedTicks, 0.99);
        }
    }

    private static double MillisecondsAt(long[] sortedTicks, double quantile) =>
        sortedTicks[(int)Math.Ceiling(quantile * sortedTicks.Length) - 1] * 1000.0 / Stopwatch.Frequency;
}
