using System.Globalization;
using System.Text.Json;
using StackExchange.Redis;

namespace Gateway.Load.Run;

/// <summary>
/// All responses of one tenant, read page by page as a client does, each page behind the last id of the one before. The run fails unless each response
/// comes once, in order. What counts is whether a page costs the same wherever it is, and whether the gateway's memory stays where it is.
/// </summary>
internal sealed class ListRun(ListOptions options, Fleet fleet)
{
    private const int FilledAtOnce = 10_000;
    private const double Mebi = 1024 * 1024;
    private static readonly TimeSpan Retention = TimeSpan.FromDays(1);
    private readonly AnswerReader _reader = new();

    public static async Task RunAsync(ListOptions options, CancellationToken cancellationToken)
    {
        await using var fleet = await Fleet.StartAsync(options.Fleet, options.Fleet.Targets, cancellationToken);
        await new ListRun(options, fleet).MeasureAsync(cancellationToken);
    }

    private async Task MeasureAsync(CancellationToken cancellationToken)
    {
        var target = fleet.Targets[0];
        var configuration = ConfigurationOptions.Parse(fleet.RedisConnection!);
        configuration.AllowAdmin = true;
        await using var redis = await ConnectionMultiplexer.ConnectAsync(configuration);
        if (options.Fleet.RedisConnection is null)
        {
            // Only read from behind the filling, which would else rewrite the file again and again.
            await redis.GetServers()[0].ConfigSetAsync("appendonly", "no");
        }

        var ids = await FillAsync(target, redis, cancellationToken);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"list: {options.Responses} responses of {options.Fleet.TextBytes} + {options.Fleet.TextBytes} bytes of text over {options.Days} days, pages of {options.Page}"));
        Console.WriteLine("  responses     p50 ms     p99 ms    max ms    cpu us/page    resident MiB    GC committed MiB    KiB/page");
        await WalkAsync(target, ids, cancellationToken);
    }

    /// <summary>The ids, newest first.</summary>
    private async Task<List<string>> FillAsync(Target target, ConnectionMultiplexer redis, CancellationToken cancellationToken)
    {
        var scenario = Scenario.Create(Scenario.Json, options.Fleet);
        await target.OrBlameAsync(target.Client.SendAsync(Call.Create(target, scenario, LoadText.OfLength(options.Fleet.TextBytes)), _reader, cancellationToken));
        var first = ChainRun.ReadId(_reader.Content);
        var template = await StoredTemplate.ReadAsync(redis, first);
        var db = redis.GetDatabase();
        var random = new Random(1);
        var now = DateTimeOffset.UtcNow.AddMinutes(-1).ToUnixTimeMilliseconds();
        var apart = options.Days * 86_400_000.0 / options.Responses;
        List<string> ids = new(options.Responses) { first };
        List<(string Day, SortedSetEntry Entry)> entries = [];
        for (var n = 1; n < options.Responses; n++)
        {
            var created = now - (long)(n * apart);
            ids.Add(template.Write(db, created, random, Retention));
            entries.Add((DateTimeOffset.FromUnixTimeMilliseconds(created).ToString("yyyyMMdd", CultureInfo.InvariantCulture), new SortedSetEntry(ids[^1], created)));
            if (entries.Count == FilledAtOnce || n == options.Responses - 1)
            {
                foreach (var day in entries.GroupBy(entry => entry.Day))
                {
                    RedisKey index = $"gw:{{{template.Tenant}}}:index:{day.Key}";
                    await db.SortedSetAddAsync(index, [.. day.Select(entry => entry.Entry)]);
                    await db.KeyExpireAsync(index, Retention);
                    await db.SortedSetAddAsync($"gw:{{{template.Tenant}}}:days", day.Key, now + Retention.TotalMilliseconds);
                }

                entries.Clear();
                cancellationToken.ThrowIfCancellationRequested();
            }
        }

        return ids;
    }

    private async Task WalkAsync(Target target, List<string> ids, CancellationToken cancellationToken)
    {
        var read = 0;
        var latencies = new List<double>();
        var (bytes, cpu) = (0L, target.Process.Cpu);
        for (var hasMore = true; hasMore;)
        {
            var after = read == 0 ? string.Empty : $"&after={ids[read - 1]}";
            var call = new Call
            {
                Uri = new Uri(target.Address, $"/v1/responses?limit={options.Page}{after}"),
                Body = default,
                Deltas = 0,
                Stamped = false,
                DeltaMark = [],
                EndMark = "\"has_more\":"u8.ToArray(),
            };
            latencies.Add((await target.OrBlameAsync(target.Client.SendAsync(call, _reader, cancellationToken))).TotalMilliseconds);
            bytes += _reader.Content.Length;
            using var page = JsonDocument.Parse(_reader.Content.ToArray());
            foreach (var response in page.RootElement.GetProperty("data").EnumerateArray())
            {
                if (read == ids.Count || response.GetProperty("id").GetString() != ids[read])
                {
                    throw new LoadException($"Response {read} of the list is not the one that comes there.");
                }

                read++;
            }

            hasMore = page.RootElement.GetProperty("has_more").GetBoolean();
            if (latencies.Count * options.Page >= ids.Count / options.Parts || !hasMore)
            {
                var committed = await CommittedBytesAsync(target, cancellationToken) / Mebi;
                latencies.Sort();
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{read,11}{latencies[latencies.Count / 2],11:0.00}{latencies[latencies.Count * 99 / 100],11:0.00}{latencies[^1],10:0.00}"
                    + $"{(target.Process.Cpu - cpu).TotalMicroseconds / latencies.Count,15:0}{target.Process.ResidentBytes / Mebi,16:0.0}{committed,20:0.0}"
                    + $"{bytes / 1024.0 / latencies.Count,12:0.0}"));
                latencies.Clear();
                (bytes, cpu) = (0, target.Process.Cpu);
            }
        }

        if (read != ids.Count)
        {
            throw new LoadException($"The list ends after {read} of {ids.Count} responses.");
        }
    }

    /// <summary>What the garbage collector had committed after its last collection.</summary>
    private async Task<double> CommittedBytesAsync(Target target, CancellationToken cancellationToken)
    {
        const string Name = "dotnet_gc_last_collection_memory_committed_size_bytes";
        using var http = new HttpClient();
        var line = (await http.GetStringAsync(new Uri(target.Address, "/metrics"), cancellationToken)).Split('\n')
            .FirstOrDefault(line => line.StartsWith(Name, StringComparison.Ordinal));
        return line is null ? double.NaN : double.Parse(line[Name.Length..].Split(' ')[1], CultureInfo.InvariantCulture);
    }
}
