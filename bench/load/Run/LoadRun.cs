using System.Net;
using System.Text.Json;

namespace Gateway.Load.Run;

/// <summary>The whole measurement: starts the processes, runs each scenario in interleaved rounds, reports.</summary>
internal sealed class LoadRun(RunOptions options, Fleet fleet)
{
    // The runtime compiles hot methods anew in the background, and only once no new method has been met for 100 ms.
    private static readonly TimeSpan CompilerRest = TimeSpan.FromMilliseconds(200);

    private readonly string _text = LoadText.OfLength(options.TextBytes);

    public static async Task RunAsync(RunOptions options, CancellationToken cancellationToken)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(options.Limit);
        try
        {
            await MeasureAsync(options, limited.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new LoadException($"Not done within --limit ({options.Limit.TotalMinutes:0} minutes): stopped.");
        }
    }

    private static async Task MeasureAsync(RunOptions options, CancellationToken cancellationToken)
    {
        Scenario[] scenarios = [.. options.Scenarios.Select(name => Scenario.Create(name, options))];
        string[] targets = [.. options.Targets.Where(target => scenarios.Any(scenario => scenario.Targets.Contains(target)))];
        var beside = scenarios.SelectMany(scenario => scenario.Targets.Intersect(targets).SelectMany(target => scenario.Beside.Select(kind => target + kind)));
        WarnOfDebugBuild();

        var report = new RunReport { Started = DateTimeOffset.UtcNow, Options = options };
        await using var fleet = await Fleet.StartAsync(options, targets.Concat(beside).Distinct(), cancellationToken);
        var run = new LoadRun(options, fleet);
        await run.CheckStoresAsync(cancellationToken);
        foreach (var scenario in scenarios)
        {
            await foreach (var result in run.MeasureAsync(scenario, cancellationToken))
            {
                report.Scenarios.Add(result);
                Console.Write(TextTable.Of(result));
            }
        }

        if (options.Output is { } file)
        {
            await using var stream = File.Create(file);
            await JsonSerializer.SerializeAsync(stream, report, RunJson.Default.RunReport, cancellationToken);
        }
    }

    private async IAsyncEnumerable<ScenarioResult> MeasureAsync(
        Scenario scenario, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Target[] targets = [.. fleet.Targets.Where(target => scenario.Targets.Contains(target.Name))];
        if (targets.Length == 0)
        {
            Console.WriteLine($"\n{scenario.Name}: none of the targets, left out.");
        }
        else if (scenario.Name == Scenario.Chain)
        {
            foreach (var result in await new ChainRun(options, scenario, _text).MeasureAsync(targets, cancellationToken))
            {
                yield return result;
            }
        }
        else if (scenario.Name == Scenario.Background)
        {
            foreach (var target in targets)
            {
                await using var traffic = Target.UsesRedis(target.Name) ? await RedisTraffic.ConnectAsync(fleet.RedisConnection!) : null;
                yield return await new BackgroundRun(scenario, target, Beside(target, Target.Again), Beside(target, Target.Resumable), traffic, _text)
                    .MeasureAsync(cancellationToken);
            }
        }
        else if (scenario.Name == Scenario.Resume)
        {
            var maker = targets.Single();
            yield return await maker.OrBlameAsync(new ResumeRun(scenario, maker, Beside(maker, Target.Again), _text).MeasureAsync(cancellationToken));
        }
        else if (scenario.Name == Scenario.PrefixCache)
        {
            foreach (var target in targets)
            {
                var several = Beside(target, Target.Several);
                yield return await several.OrBlameAsync(new PrefixCacheRun(options, scenario, several, fleet.ModelServers).MeasureAsync(cancellationToken));
            }
        }
        else if (scenario.Name == Scenario.RollingRestart)
        {
            var several = Beside(targets.Single(), Target.Several);
            yield return await several.OrBlameAsync(new RollingRestartRun(options, scenario, several, fleet.ModelServers, _text).MeasureAsync(cancellationToken));
        }
        else if (scenario.Name == Scenario.Tools)
        {
            foreach (var result in await new ToolRun(scenario, targets.Single(), fleet.ToolServer!, fleet.ModelServer!).MeasureAsync(cancellationToken))
            {
                yield return result;
            }
        }
        else
        {
            yield return await MeasureBurstsAsync(scenario, targets, cancellationToken);
        }
    }

    private Target Beside(Target target, string kind) => fleet.Targets.Single(other => other.Name == target.Name + kind);

    private async Task<ScenarioResult> MeasureBurstsAsync(Scenario scenario, Target[] targets, CancellationToken cancellationToken)
    {
        var calls = targets.ToDictionary(target => target.Name, target => Call.Create(target, scenario, _text));
        var figures = targets.ToDictionary(target => target.Name, _ => new List<IReadOnlyDictionary<string, double>>(scenario.Rounds));
        for (var round = 0; round < scenario.WarmupRounds + scenario.Rounds; round++)
        {
            for (var place = 0; place < targets.Length; place++)
            {
                // Each round begins with another target, so that none always follows the same one.
                var target = targets[(round + place) % targets.Length];
                var cpu = target.Process.Cpu;
                var samples = await target.OrBlameAsync(target.Client.BurstAsync(calls[target.Name], scenario, cancellationToken));
                cpu = target.Process.Cpu - cpu;
                if (round >= scenario.WarmupRounds)
                {
                    figures[target.Name].Add(Figures.Of(samples, cpu, target.Process.ResidentBytes));
                }
            }

            if (round < scenario.WarmupRounds)
            {
                await Task.Delay(CompilerRest, cancellationToken);
            }
        }

        var deltas = scenario.Deltas > 0 ? $" of {scenario.Deltas} deltas" : string.Empty;
        return ScenarioResult.Of(
            scenario.Name, $"{scenario.Rounds} rounds, each {scenario.Requests} requests{deltas}, {scenario.Concurrency} at once", figures);
    }

    /// <summary>A target that does not store what it should, or stores what it should not, would be measured at something else.</summary>
    private async Task CheckStoresAsync(CancellationToken cancellationToken)
    {
        var scenario = Scenario.Create(Scenario.Json, options);
        var reader = new AnswerReader();
        foreach (var target in fleet.Targets.Where(target => target.SpeaksResponses))
        {
            await target.OrBlameAsync(target.Client.SendAsync(Call.Create(target, scenario, _text), reader, cancellationToken));
            var status = await target.Client.GetStatusAsync(
                new Uri(target.Address, $"/v1/responses/{ChainRun.ReadId(reader.Content)}"), cancellationToken);
            if (status != (target.Stores ? HttpStatusCode.OK : HttpStatusCode.NotFound))
            {
                throw new LoadException($"gateway ({target.Name}): the response is answered with {status} afterwards: not measured.");
            }
        }
    }

    [System.Diagnostics.Conditional("DEBUG")]
    private static void WarnOfDebugBuild() => Console.WriteLine("A Debug build: the figures mean little. Use dotnet run -c Release.");
}
