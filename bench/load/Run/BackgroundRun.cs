using System.Net;

namespace Gateway.Load.Run;

/// <summary>
/// What it costs to make a stream as a durable run, whose events go to the store and come from there: stored streams in the foreground, which are
/// the yardstick, the same again in a process of its own, the same with <c>background:true</c>, and the same with a resume window.
/// </summary>
/// <param name="scenario">The streams.</param>
/// <param name="target">The gateway whose streams in the foreground are the yardstick; it makes those in the background too.</param>
/// <param name="again">Another with the same settings.</param>
/// <param name="resumable">Another with a resume window.</param>
/// <param name="traffic">Counts what Redis is sent; null with another store.</param>
/// <param name="text">The text of the requests.</param>
internal sealed class BackgroundRun(Scenario scenario, Target target, Target again, Target resumable, RedisTraffic? traffic, string text)
{
    private const string Foreground = "foreground";
    private const double Kibibyte = 1024;

    // What a run has left to do when its client has been told the end is part of its cost, and not of the next burst's.
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(100);

    private readonly RunVariant[] _variants =
    [
        Variant(Foreground, target, scenario, text, isBackground: false, isRun: false),
        Variant("again", again, scenario, text, isBackground: false, isRun: false),
        Variant("background", target, scenario, text, isBackground: true, isRun: true),
        Variant("resumable", resumable, scenario, text, isBackground: false, isRun: true),
    ];

    public async Task<ScenarioResult> MeasureAsync(CancellationToken cancellationToken)
    {
        foreach (var variant in _variants)
        {
            await CheckAsync(variant, cancellationToken);
        }

        var figures = _variants.ToDictionary(variant => variant.Name, _ => new List<IReadOnlyDictionary<string, double>>(scenario.Rounds));
        for (var round = 0; round < scenario.WarmupRounds + scenario.Rounds; round++)
        {
            for (var place = 0; place < _variants.Length; place++)
            {
                var variant = _variants[(round + place) % _variants.Length];
                var burst = await variant.Target.OrBlameAsync(BurstAsync(variant, cancellationToken));
                if (round >= scenario.WarmupRounds)
                {
                    figures[variant.Name].Add(burst);
                }
            }
        }

        return ScenarioResult.Of(
            $"{scenario.Name}, {target.Name}",
            $"{scenario.Rounds} rounds, each {scenario.Requests} stored streams of {scenario.Deltas} deltas, {scenario.Concurrency} at once",
            figures,
            Foreground);
    }

    private static RunVariant Variant(string name, Target target, Scenario scenario, string text, bool isBackground, bool isRun)
    {
        var call = Call.Create(target, scenario, text);
        return new RunVariant(name, target, isBackground ? call.InBackground(scenario, text) : call.ToItsEnd(), isBackground, isRun);
    }

    private async Task<IReadOnlyDictionary<string, double>> BurstAsync(RunVariant variant, CancellationToken cancellationToken)
    {
        var received = await ReceivedAsync();
        var cpu = variant.Target.Process.Cpu;
        var samples = await variant.Target.Client.BurstAsync(variant.Call, scenario, cancellationToken);
        await Task.Delay(Rest, cancellationToken);
        cpu = variant.Target.Process.Cpu - cpu;
        received = await ReceivedAsync() - received;
        var figures = new Dictionary<string, double>(Figures.Of(samples, cpu, variant.Target.Process.ResidentBytes));
        if (traffic is not null)
        {
            figures[Figures.RedisPerRequest] = received / Kibibyte / scenario.Requests;
        }

        return figures;
    }

    private async Task<long> ReceivedAsync() => traffic is null ? 0 : await traffic.ReceivedBytesAsync();

    /// <summary>A run that is none, or a stream that is a run without having been asked to, would be measured at something else.</summary>
    private static async Task CheckAsync(RunVariant variant, CancellationToken cancellationToken)
    {
        var target = variant.Target;
        var reader = new AnswerReader();
        await target.OrBlameAsync(target.Client.SendAsync(variant.Call, reader, cancellationToken));
        if (reader.Content.IndexOf("\"background\":true"u8) >= 0 != variant.IsBackground)
        {
            throw new LoadException($"{variant.Name}: the response says of itself that it is {(variant.IsBackground ? "not " : string.Empty)}in the background.");
        }

        var told = reader.Content.ToArray();
        var replay = target.ReplayOf(ChainRun.ReadId(told), after: 0);
        if (variant.IsRun)
        {
            await target.OrBlameAsync(target.Client.SendAsync(variant.Call.Replay(replay), reader, cancellationToken));
            if (reader.Content.Length == told.Length || !told.AsSpan().EndsWith(reader.Content))
            {
                throw new LoadException($"{variant.Name}: the events of the response were replayed otherwise than they were told.");
            }
        }
        else if (await target.Client.GetStatusAsync(replay, cancellationToken) == HttpStatusCode.OK)
        {
            throw new LoadException($"{variant.Name}: the events of the response are kept, and should not be.");
        }
    }
}
