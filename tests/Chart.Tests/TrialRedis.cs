using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Chart.Tests;

/// <summary>Redis as the chart starts it for trials: the container's own command, on a port of loopback.</summary>
internal sealed class TrialRedis : IAsyncDisposable
{
    private readonly MountedPod _pod;
    private readonly Process _process;
    private readonly string _port;

    private TrialRedis(MountedPod pod, Process process, string port) => (_pod, _process, _port) = (pod, process, port);

    public string EndPoint => $"127.0.0.1:{_port}";

    /// <exception cref="InvalidOperationException">It ended before it was ready.</exception>
    public static async Task<TrialRedis> StartAsync(Manifests manifests, Action<MountedPod>? change = null)
    {
        var pod = new MountedPod(manifests, manifests.One("StatefulSet", "-redis"));
        change?.Invoke(pod);
        var command = pod.Command().ToArray();
        var port = FreePort().ToString(CultureInfo.InvariantCulture);
        // The one thing that differs from a pod, whose network is its own.
        command[^1] = command[^1].TrimEnd() + $" --port {port} --bind 127.0.0.1";
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var told = new List<string>();
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            told.Add(line);
            if (line.Contains("Ready to accept connections", StringComparison.Ordinal))
            {
                _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
                return new TrialRedis(pod, process, port);
            }
        }

        pod.Dispose();
        throw new InvalidOperationException("Redis ended: " + string.Join('\n', told) + await process.StandardError.ReadToEndAsync());
    }

    public async Task<string> AskAsync(string? password, params IEnumerable<string> command)
    {
        string[] login = password is null ? [] : ["--no-auth-warning", "-a", password];
        var result = await Chart.Tests.Command.RunAsync("redis-cli", ["-p", _port, .. login, .. command]);
        return result.OutputOfSuccess().Trim();
    }

    /// <summary>Stops it as Kubernetes does, and returns its exit code: the signal must reach Redis, not a shell around it.</summary>
    public async Task<int> TerminateAsync()
    {
        await Chart.Tests.Command.RunAsync("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _pod.Dispose();
    }

    private static int FreePort()
    {
        while (true)
        {
            // Below 32768: above it may be taken by an outgoing connection.
            var port = Random.Shared.Next(12_000, 22_000);
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
