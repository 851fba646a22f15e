using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Gateway.Testing.Mcp;

/// <summary>The npm package <c>@modelcontextprotocol/server-everything</c> as a process of its own: an MCP server that is not of the SDK's making.</summary>
public sealed partial class EverythingServer : IAsyncDisposable
{
    private const string Script = "node_modules/@modelcontextprotocol/server-everything/dist/index.js";

    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private EverythingServer(ProcessStartInfo start)
    {
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.Exited += (_, _) => _listening.TrySetException(new InvalidOperationException($"The server ended before it listened:\n{Output}"));
    }

    /// <summary>The address of its one transport: <c>/mcp</c>, or <c>/sse</c>.</summary>
    public Uri Endpoint { get; private set; } = null!;

    /// <summary>What it has printed so far.</summary>
    public string Output => string.Join('\n', _output);

    /// <summary>Starts the server on a free port and waits until it listens.</summary>
    /// <param name="folder">The folder in which <c>npm ci</c> has put the package, with <c>loopback.cjs</c> in it.</param>
    /// <param name="legacySse">Serve the legacy HTTP+SSE transport in place of streamable HTTP: it does one of them.</param>
    public static async Task<EverythingServer> StartAsync(string folder, bool legacySse = false)
    {
        var start = new ProcessStartInfo("node", ["--require", "./loopback.cjs", Script, legacySse ? "sse" : "streamableHttp"])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PORT"] = "0";

        var server = new EverythingServer(start);
        server._process.Start();
        AppDomain.CurrentDomain.ProcessExit += server.OnExit;
        try
        {
            server._process.BeginOutputReadLine();
            server._process.BeginErrorReadLine();
            server.Endpoint = new Uri(await server._listening.Task.WaitAsync(StartTime), legacySse ? "/sse" : "/mcp");
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void OnExit(object? sender, EventArgs e) => _process.Kill();

    private void Read(string? line)
    {
        if (line is null)
        {
            return;
        }

        _output.Enqueue(line);
        if (Listening().Match(line) is { Success: true } match)
        {
            _listening.TrySetResult(new Uri($"http://{match.Groups[1].Value}"));
        }
    }

    [GeneratedRegex(@"^listening on ([0-9.:]+)$")]
    private static partial Regex Listening();
}
