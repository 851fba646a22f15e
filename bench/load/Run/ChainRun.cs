using System.Text;

namespace Gateway.Load.Run;

/// <summary>
/// Chains that grow turn by turn by <c>previous_response_id</c>: what a turn costs at several depths. A depth's figures are those of the last
/// tenth of the turns up to it; short chains beside the long one give the first depths enough of them.
/// </summary>
internal sealed class ChainRun(RunOptions options, Scenario scenario, string text)
{
    private const int ShortChains = 20;
    private const int ShortTurns = 10;

    private readonly int[] _depths = [.. new[] { 1, 10, 100, 1_000 }.Where(depth => depth < options.ChainTurns).Append(options.ChainTurns)];
    private readonly AnswerReader _reader = new();

    public async Task<IReadOnlyList<ScenarioResult>> MeasureAsync(Target[] targets, CancellationToken cancellationToken)
    {
        var figures = _depths.Select(_ => targets.ToDictionary(target => target.Name, _ => new List<IReadOnlyDictionary<string, double>>())).ToArray();
        for (var round = 0; round < scenario.WarmupRounds + scenario.Rounds; round++)
        {
            for (var place = 0; place < targets.Length; place++)
            {
                var target = targets[(round + place) % targets.Length];
                var depths = await GrowAsync(target, cancellationToken);
                for (var i = 0; i < depths.Length && round >= scenario.WarmupRounds; i++)
                {
                    figures[i][target.Name].Add(Figures.OfTurns(depths[i].Latencies, depths[i].Cpu, target.Process.ResidentBytes));
                }
            }
        }

        return [.. _depths.Select((depth, i) => ScenarioResult.Of(
            $"chain, turn {depth}",
            $"{scenario.Rounds} rounds, turns of {options.TextBytes} + {options.TextBytes} bytes of text, one behind the other",
            figures[i]))];
    }

    /// <summary>The id of the response that an answer holds.</summary>
    public static string ReadId(ReadOnlySpan<byte> answer)
    {
        var mark = "\"id\":\"resp_"u8;
        var start = answer.IndexOf(mark);
        if (start < 0)
        {
            throw new LoadException("An answer has no response id.");
        }

        var id = answer[(start + mark.Length - "resp_".Length)..];
        return Encoding.UTF8.GetString(id[..id.IndexOf((byte)'"')]);
    }

    private async Task<Depth[]> GrowAsync(Target target, CancellationToken cancellationToken)
    {
        var depths = _depths.Select(_ => new Depth()).ToArray();
        var first = Call.Create(target, scenario, text);
        for (var chain = 0; chain <= ShortChains; chain++)
        {
            var turns = chain < ShortChains ? Math.Min(ShortTurns, options.ChainTurns) : options.ChainTurns;
            string? parent = null;
            for (var turn = 1; turn <= turns; turn++)
            {
                var cpu = target.Process.Cpu;
                var latency = await target.OrBlameAsync(target.Client.SendAsync(
                    first.ContinueFrom(target, scenario, text, parent), _reader, cancellationToken));
                cpu = target.Process.Cpu - cpu;
                parent = ReadId(_reader.Content);
                for (var i = 0; i < depths.Length; i++)
                {
                    if (turn <= _depths[i] && turn > _depths[i] * 9 / 10)
                    {
                        depths[i].Latencies.Add(latency);
                        depths[i].Cpu += cpu;
                    }
                }
            }
        }

        return depths;
    }

    /// <summary>What one round saw at one depth.</summary>
    private sealed class Depth
    {
        public List<TimeSpan> Latencies { get; } = [];

        public TimeSpan Cpu { get; set; }
    }
}
