using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.Testing.Redis;

/// <summary>A redis-server of the tests' own, from PATH, in a folder of its own; it can be killed and started again on its port.</summary>
public sealed class RedisProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly string[] Plain = ["--save", "", "--appendonly", "no"];
    private readonly string[] _arguments;
    private readonly string _folder;
    private Process? _process;

    private RedisProcess(int port, Func<RedisProcess, string[]> makeArguments)
    {
        Port = port;
        _folder = Directory.CreateTempSubdirectory("gateway-redis-").FullName;
        _arguments = makeArguments(this);
    }

    public int Port { get; }

    public string EndPoint => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <summary>There is a redis-server to start.</summary>
    public static bool IsInstalled =>
        (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "redis-server")));

    /// <summary>Starts a server that answers. <paramref name="arguments"/> are added to its command line.</summary>
    public static Task<RedisProcess> StartAsync(params string[] arguments) => StartAsync(_ => arguments);

    /// <summary>Starts a server that speaks TLS only, with this certificate and its key.</summary>
    public static Task<RedisProcess> StartTlsAsync(X509Certificate2 certificate) => StartAsync(server =>
    {
        var file = Path.Combine(server._folder, "certificate.pem");
        var key = Path.Combine(server._folder, "key.pem");
        File.WriteAllText(file, certificate.ExportCertificatePem());
        using var secret = certificate.GetECDsaPrivateKey() ?? throw new ArgumentException("It has no key.", nameof(certificate));
        File.WriteAllText(key, secret.ExportPkcs8PrivateKeyPem());
        return
        [
            "--port", "0", "--tls-port", server.Port.ToString(CultureInfo.InvariantCulture), "--tls-cert-file", file, "--tls-key-file", key,
            "--tls-ca-cert-file", file, "--tls-auth-clients", "no",
        ];
    });

    /// <summary>
    /// Starts a Sentinel that needs nobody's consent: it promotes a replica of this primary soon after the primary is gone.
    /// </summary>
    public static Task<RedisProcess> StartSentinelAsync(string name, RedisProcess primary) => StartAsync(sentinel =>
    {
        // It writes down in its file what it learns.
        var file = Path.Combine(sentinel._folder, "sentinel.conf");
        File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $"""
            sentinel monitor {name} 127.0.0.1 {primary.Port} 1
            sentinel down-after-milliseconds {name} 500
            sentinel failover-timeout {name} 5000

            """));
        return [file, "--sentinel"];
    });

    private static async Task<RedisProcess> StartAsync(Func<RedisProcess, string[]> makeArguments)
    {
        // Another process may take the port between its choice and the server's bind: then the server exits, and the next one is tried.
        for (var left = 5; ; left--)
        {
            var server = new RedisProcess(FreePort(), makeArguments);
            try
            {
                await server.StartAgainAsync();
                return server;
            }
            catch (IOException) when (left > 1)
            {
                await server.DisposeAsync();
            }
        }
    }

    /// <summary>Starts it on the same port after <see cref="KillAsync"/>.</summary>
    /// <exception cref="IOException">It ended before it was ready.</exception>
    public async Task StartAgainAsync()
    {
        string[] where = ["--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", _folder];
        string[] arguments = _arguments is [var file, "--sentinel"] ? [file, "--sentinel", .. where] : [.. where, .. Plain, .. _arguments];
        var process = Process.Start(new ProcessStartInfo("redis-server", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new IOException("redis-server did not start.");
        _process = process;
        AppDomain.CurrentDomain.ProcessExit += OnExit;
        var told = new List<string>();
        using var patience = new CancellationTokenSource(Patience);
        while (await process.StandardOutput.ReadLineAsync(patience.Token) is { } line)
        {
            told.Add(line);
            if (line.Contains("Ready to accept connections", StringComparison.Ordinal) || line.Contains("+monitor master", StringComparison.Ordinal))
            {
                // Nobody reads what it says later; a full pipe must not stop it.
                _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
                _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null);
                return;
            }
        }

        throw new IOException("redis-server ended: " + string.Join('\n', told));
    }

    /// <summary>Sends it a signal, such as <c>STOP</c> or <c>CONT</c>.</summary>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", (_process?.Id ?? throw new InvalidOperationException("It does not run.")).ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        if (kill.ExitCode != 0)
        {
            throw new InvalidOperationException($"redis-server did not get SIG{signal}.");
        }
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        if (_process is { } process)
        {
            _process = null;
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private void OnExit(object? sender, EventArgs e) => _process?.Kill();

    // Below 22768: a Cluster node also listens 10,000 above, and ports from 32768 on may be taken by outgoing connections.
    private static int FreePort()
    {
        while (true)
        {
            var port = Random.Shared.Next(12_000, 22_768);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: another one.
            }
        }
    }
}
