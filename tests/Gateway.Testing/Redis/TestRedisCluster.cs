using System.Diagnostics;
using System.Globalization;

namespace Gateway.Testing.Redis;

/// <summary>A Redis Cluster of three primaries, from redis-server and redis-cli in PATH.</summary>
public sealed class TestRedisCluster : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly RedisProcess[] _nodes;

    private TestRedisCluster(RedisProcess[] nodes) => _nodes = nodes;

    public string ConnectionString => string.Join(',', _nodes.Select(node => node.EndPoint));

    /// <exception cref="InvalidOperationException">There is no redis-server. The message says what to do.</exception>
    public static async Task<TestRedisCluster> StartAsync()
    {
        if (!RedisProcess.IsInstalled)
        {
            throw new InvalidOperationException("The Cluster tests need redis-server and redis-cli in PATH (apt-get install redis-server).");
        }

        // Nodes whose first words to each other got lost never speak again: redis-cli would wait for ever.
        for (var left = 3; ; left--)
        {
            try
            {
                return await TryStartAsync();
            }
            catch (InvalidOperationException) when (left > 1)
            {
            }
        }
    }

    private static async Task<TestRedisCluster> TryStartAsync()
    {
        var nodes = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ =>
            RedisProcess.StartAsync("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")));
        var cluster = new TestRedisCluster(nodes);
        try
        {
            await CliAsync(["--cluster", "create", .. nodes.Select(node => node.EndPoint), "--cluster-yes"]);
            await cluster.WaitUntilEveryNodeServesAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Moves slots, with the keys in them, from one node to another while both serve.</summary>
    public async Task MoveSlotsAsync(int from, int to, int count) => await CliAsync(
    [
        "--cluster", "reshard", _nodes[0].EndPoint, "--cluster-from", await IdAsync(from), "--cluster-to", await IdAsync(to),
        "--cluster-slots", count.ToString(CultureInfo.InvariantCulture), "--cluster-yes",
    ]);

    /// <summary>Starts a replica of one of the nodes. The caller disposes it.</summary>
    public async Task<RedisProcess> AddReplicaAsync(int of)
    {
        var replica = await RedisProcess.StartAsync("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf");
        await CliAsync(["--cluster", "add-node", replica.EndPoint, _nodes[of].EndPoint, "--cluster-slave", "--cluster-master-id", await IdAsync(of)]);
        return replica;
    }

    private async Task<string> IdAsync(int node) => (await CliAsync(["-p", _nodes[node].EndPoint.Split(':')[1], "cluster", "myid"])).Trim();

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }
    }

    /// <summary>A node learns of the others by gossip and tells nobody when it is done, so each is asked.</summary>
    private async Task WaitUntilEveryNodeServesAsync()
    {
        var start = Stopwatch.GetTimestamp();
        foreach (var node in _nodes)
        {
            while (!(await CliAsync(["-p", node.EndPoint.Split(':')[1], "cluster", "info"])).Contains("cluster_state:ok", StringComparison.Ordinal))
            {
                if (Stopwatch.GetElapsedTime(start) > Patience)
                {
                    throw new InvalidOperationException($"The Redis Cluster was not ready within {Patience}.");
                }

                // Another process gets ready, and tells nobody when it is.
                await Task.Delay(50);
            }
        }
    }

    private static async Task<string> CliAsync(string[] arguments)
    {
        using var cli = Process.Start(new ProcessStartInfo("redis-cli", arguments) { RedirectStandardOutput = true })
            ?? throw new InvalidOperationException("redis-cli did not start.");
        using var patience = new CancellationTokenSource(Patience);
        string output;
        try
        {
            output = await cli.StandardOutput.ReadToEndAsync(patience.Token);
            await cli.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException e)
        {
            cli.Kill();
            throw new InvalidOperationException($"redis-cli {string.Join(' ', arguments)} did not end within {Patience}.", e);
        }

        return cli.ExitCode == 0 ? output : throw new InvalidOperationException("redis-cli failed: " + output);
    }
}
