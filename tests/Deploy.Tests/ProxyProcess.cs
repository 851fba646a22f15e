using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Deploy.Tests;

/// <summary>HAProxy with the configuration of the deployment, on loopback ports of its own.</summary>
internal sealed class ProxyProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _output;

    private ProxyProcess(Process process, int port, int statusPort, int adminPort)
    {
        _process = process;
        _output = process.StandardOutput.ReadToEndAsync();
        _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null);
        BaseAddress = Local(port);
        Status = Local(statusPort);
        AdminPort = adminPort;
    }

    /// <summary>Where clients come.</summary>
    public Uri BaseAddress { get; }

    /// <summary>Where the proxy tells how it is.</summary>
    public Uri Status { get; }

    /// <summary>The port of its stats socket.</summary>
    public int AdminPort { get; }

    public static ProxyProcess Start(string file, Uri one, Uri two)
    {
        var (port, statusPort, adminPort) = (FreePort(), FreePort(), FreePort());
        // -db: in the foreground.
        var start = new ProcessStartInfo("haproxy", ["-db", "-f", Path.Combine(Repository.Root, file)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["GATEWAY_1"] = one.Authority,
                ["GATEWAY_2"] = two.Authority,
                ["PROXY_ADDRESS"] = Local(port).Authority,
                ["PROXY_STATUS_ADDRESS"] = Local(statusPort).Authority,
                ["PROXY_ADMIN_PORT"] = adminPort.ToString(CultureInfo.InvariantCulture),
            },
        };
        return new ProxyProcess(Process.Start(start)!, port, statusPort, adminPort);
    }

    /// <summary>A port that is free now. Below those that outgoing connections get.</summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = Random.Shared.Next(22_800, 32_700);
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

    /// <summary>Waits until it has found out that so many replicas are up. Before its first check it takes all of them for up.</summary>
    public async Task ReadyAsync(int replicas, CancellationToken cancellationToken)
    {
        var measured = string.Create(CultureInfo.InvariantCulture, $"haproxy_backend_active_servers{{proxy=\"replicas\"}} {replicas}\n");
        using var client = new HttpClient { BaseAddress = Status };
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (await polls.WaitForNextTickAsync(cancellationToken))
        {
            try
            {
                if ((await client.GetStringAsync(new Uri("/metrics", UriKind.Relative), cancellationToken)).Contains(measured, StringComparison.Ordinal))
                {
                    return;
                }
            }
            catch (HttpRequestException) when (!_process.HasExited)
            {
                // It does not listen yet.
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
        // What went wrong, if anything did.
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', (await _output).Split('\n').Where(line => !line.Contains(" 200 ", StringComparison.Ordinal))));
        _process.Dispose();
    }

    private static Uri Local(int port) => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));
}
