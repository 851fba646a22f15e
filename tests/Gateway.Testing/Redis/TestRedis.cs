using System.Diagnostics;
using Testcontainers.Redis;

namespace Gateway.Testing.Redis;

/// <summary>
/// The Redis that tests share: <c>GATEWAY_TEST_REDIS</c> (a connection string) if set, else a container if Docker answers, else
/// <c>redis-server</c> from PATH. Tests use tenants of their own, so they may share one server, also one that has other data.
/// </summary>
public sealed class TestRedis : IAsyncDisposable
{
    private readonly IAsyncDisposable? _server;

    private TestRedis(string connectionString, IAsyncDisposable? server)
    {
        ConnectionString = connectionString;
        _server = server;
    }

    public string ConnectionString { get; }

    /// <exception cref="InvalidOperationException">There is no Redis to test with. The message says what to do.</exception>
    public static async Task<TestRedis> StartAsync()
    {
        if (Environment.GetEnvironmentVariable("GATEWAY_TEST_REDIS") is { Length: > 0 } given)
        {
            return new TestRedis(given, null);
        }

        if (await DockerAnswersAsync())
        {
            var container = new RedisBuilder("redis:7").Build();
            await container.StartAsync();
            return new TestRedis(container.GetConnectionString(), container);
        }

        if (RedisProcess.IsInstalled)
        {
            var process = await RedisProcess.StartAsync();
            return new TestRedis(process.EndPoint, process);
        }

        throw new InvalidOperationException(
            "The tests need Redis: set GATEWAY_TEST_REDIS to a connection string, start Docker, or install redis-server (apt-get install redis-server).");
    }

    public ValueTask DisposeAsync() => _server?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static async Task<bool> DockerAnswersAsync()
    {
        try
        {
            using var docker = Process.Start(new ProcessStartInfo("docker", ["version", "--format", "{{.Server.Version}}"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            });
            if (docker is null)
            {
                return false;
            }

            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            try
            {
                await docker.WaitForExitAsync(patience.Token);
                return docker.ExitCode == 0;
            }
            catch (OperationCanceledException)
            {
                docker.Kill();
                return false;
            }
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // There is no docker command.
            return false;
        }
    }
}
