using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Gateway.Load.Mock;

namespace Gateway.Load.Run;

/// <summary>
/// The servers of an upstream, at half of what they can do, are restarted one after the other: whether a client sees it, and how much longer answers take.
/// Four kinds of calls by turns: responses and chat completions passed through, each as JSON and as a stream.
/// </summary>
internal sealed class RollingRestartRun(RunOptions options, Scenario scenario, Target target, IReadOnlyList<ModelServer> servers, string text)
{
    private const string Steady = "steady";
    private const string Restarts = "restarts";
    private const string RetriesMetric = "gateway_upstream_retries_total";
    private static readonly TimeSpan Warmup = TimeSpan.FromSeconds(3);

    // The exporter hands out what it has written for up to 300 ms.
    private static readonly TimeSpan MetricAge = TimeSpan.FromMilliseconds(500);

    private readonly Call[] _calls = [.. new[] { false, true }.SelectMany(streams => new[] { Responses(target, streams, text), PassedThrough(target, streams, text) })];
    private readonly ConcurrentQueue<Sample> _samples = new();
    private readonly ConcurrentQueue<string> _failures = new();
    private string? _phase;

    public async Task<ScenarioResult> MeasureAsync(CancellationToken cancellationToken)
    {
        // Twice as many places as there are requests at once.
        var pace = new ModelPace(options.RestartTurn, TimeSpan.Zero, Math.Max(1, 2 * scenario.Concurrency / servers.Count), options.RestartDown);
        foreach (var server in servers)
        {
            server.Begin(pace);
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] workers = [.. Enumerable.Range(0, scenario.Concurrency).Select(i => Task.Run(() => WorkAsync(i, over.Token), cancellationToken))];
        await Task.Delay(Warmup, cancellationToken);
        Volatile.Write(ref _phase, Steady);
        await Task.Delay(options.RestartSteady, cancellationToken);
        Volatile.Write(ref _phase, Restarts);
        foreach (var server in servers)
        {
            await RestartAsync(server, cancellationToken);
        }

        Volatile.Write(ref _phase, null);
        await over.CancelAsync();
        await Task.WhenAll(workers);
        await Task.Delay(MetricAge, cancellationToken);
        return Result((await Metrics.ReadAsync(target, RetriesMetric, cancellationToken)).Sum(sample => sample.Value));
    }

    /// <summary>It ends what it works on, is away for a while, comes back, and must be used again by the time the next one goes.</summary>
    private async Task RestartAsync(ModelServer server, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        await server.StopAsync();
        await Task.Delay(options.RestartDown, cancellationToken);
        var requests = server.Counters.Requests;
        await server.StartAsync(cancellationToken);
        var left = options.RestartEvery - Stopwatch.GetElapsedTime(started);
        await Task.Delay(left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellationToken);
        if (server.Counters.Requests == requests)
        {
            throw new LoadException($"{server.Address} got no request from its restart to the next one: --restart-every is too short, or it is never used again.");
        }
    }

    private async Task WorkAsync(int worker, CancellationToken over)
    {
        var reader = new AnswerReader();
        for (var i = worker; !over.IsCancellationRequested; i++)
        {
            var call = _calls[i % _calls.Length];
            var phase = Volatile.Read(ref _phase);
            try
            {
                // Not cancelled at the end: what was begun is finished, so that each failure is one.
                var latency = await target.Client.SendAsync(call, reader, CancellationToken.None);
                if (phase is not null)
                {
                    _samples.Enqueue(new Sample(phase, call.Deltas > 0, (long)(latency.TotalSeconds * Stopwatch.Frequency)));
                }
            }
            catch (Exception failed) when (failed is HttpRequestException or IOException or LoadException)
            {
                _failures.Enqueue(failed.Message);
            }
        }
    }

    private ScenarioResult Result(double retries)
    {
        var result = ScenarioResult.Of(
            $"{scenario.Name}, {servers.Count} servers",
            string.Create(
                CultureInfo.InvariantCulture,
                $"each restarted once, {options.RestartDown.TotalSeconds:0} s down, one every {options.RestartEvery.TotalSeconds:0} s; {scenario.Concurrency} at once, "
                + $"answers of {options.RestartTurn.TotalMilliseconds:0} ms; {Count(Steady)} requests steady, {Count(Restarts)} during restarts, {retries:0} attempts at a server that went, {_failures.Count} requests failed"),
            new[] { Steady, Restarts }.ToDictionary(
                phase => phase,
                phase => new List<IReadOnlyDictionary<string, double>> { Figures.OfRestarts(Latencies(phase, streams: false), Latencies(phase, streams: true)) }),
            Steady);
        if (_failures.TryPeek(out var first))
        {
            Console.Write(TextTable.Of(result));
            throw new LoadException($"{_failures.Count} requests failed, where none should. The first: {first}");
        }

        return result;
    }

    private int Count(string phase) => _samples.Count(sample => sample.Phase == phase);

    private IEnumerable<long> Latencies(string phase, bool streams) =>
        _samples.Where(sample => sample.Phase == phase && sample.IsStream == streams).Select(sample => sample.Latency);

    private static Call Responses(Target target, bool streams, string text) =>
        Make(target, "/v1/responses", streams, $"\"store\":false,\"input\":\"{text}\"", streams ? "\"type\":\"response.completed\"" : "\"status\":\"completed\"");

    private static Call PassedThrough(Target target, bool streams, string text) => Make(
        target, "/v1/chat/completions", streams, $$"""
        "messages":[{"role":"user","content":"{{text}}"}]
        """, streams ? "[DONE]" : "\"finish_reason\":\"stop\"");

    private static Call Make(Target target, string path, bool streams, string rest, string end) => new()
    {
        Uri = new Uri(target.Address, path),
        Body = System.Text.Encoding.UTF8.GetBytes($$"""{"model":"mock-json","stream":{{(streams ? "true" : "false")}},{{rest}}}"""),
        Deltas = streams ? ModelServer.Deltas : 0,
        Stamped = false,
        DeltaMark = [],
        EndMark = System.Text.Encoding.UTF8.GetBytes(end),
    };

    private readonly record struct Sample(string Phase, bool IsStream, long Latency);
}
